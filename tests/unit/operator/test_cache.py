"""What is remembered of the cluster, in whatever order the news comes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from climatejobs.model import Phase
from climatejobs_operator.cache import Cache
from climatejobs_operator.entries import Entry, read_entry
from climatejobs_operator.jobs import Job
from climatejobs_operator.pods import Pod
from tests.unit.operator.builders import Manifest, climatejob_manifest, ended_pod, make_job, make_pod, running_pod


@pytest.fixture
def cache() -> Cache:
    return Cache()


def entry(version: int = 1, **facts: Any) -> Entry:
    return read_entry(climatejob_manifest(version=version, **facts))


def test_an_older_version_is_no_news(cache: Cache) -> None:
    assert cache.jobs.put(make_job(version=5, failed=1))
    assert not cache.jobs.put(make_job(version=4))
    assert not cache.jobs.put(make_job(version=5))
    held = cache.jobs.get("job")
    assert held is not None
    assert held.status.failed == 1


def test_late_news_does_not_bring_back_what_was_deleted(cache: Cache) -> None:
    cache.jobs.put(make_job(version=5))
    assert cache.jobs.remove(make_job(version=7))
    assert not cache.jobs.put(make_job(version=6))
    assert cache.jobs.put(make_job(version=8, uid="another"))


def test_a_late_deletion_does_not_remove_the_successor(cache: Cache) -> None:
    cache.jobs.put(make_job(version=9, uid="second"))
    assert not cache.jobs.remove(make_job(version=7, uid="first"))
    assert cache.jobs.get("job") is not None


@given(st.permutations(range(1, 6)))
def test_the_order_of_news_does_not_matter(order: list[int]) -> None:
    cache = Cache()
    for version in order:
        cache.jobs.put(make_job(version=version, failed=version))
    held = cache.jobs.get("job")
    assert held is not None
    assert held.status.failed == 5


def test_a_list_shows_what_a_watch_has_lost(cache: Cache) -> None:
    kept, lost, made_since = make_job("kept", version=1), make_job("lost", version=2), make_job("since", version=12)
    for job in (kept, lost, made_since):
        cache.jobs.put(job)
    gone = cache.jobs.find_gone({"kept", "new"}, 10)
    assert [job.metadata.name for job in gone] == ["lost"]


def test_a_list_does_not_bring_back_what_was_deleted_after_it(cache: Cache) -> None:
    cache.jobs.put(make_job(version=3))
    cache.jobs.remove(make_job(version=11))
    assert not cache.jobs.is_news("job", 3)
    assert cache.jobs.is_news("job", 12)


def test_a_job_is_lacked_from_the_submission_until_it_is_made(cache: Cache) -> None:
    assert not cache.lacks_job("job"), "there is no ClimateJob of that name"
    cache.climatejobs.put(entry())
    assert cache.lacks_job("job")
    cache.jobs.put(make_job())
    assert not cache.lacks_job("job")
    cache.jobs.remove(make_job(version=2))
    assert cache.lacks_job("job")
    cache.end("job", 3)
    assert not cache.lacks_job("job")


def test_an_observation_has_the_pods_of_that_very_climatejob(cache: Cache) -> None:
    cache.climatejobs.put(entry())
    cache.pods.put(make_pod("mine"))
    cache.pods.put(make_pod("of-a-namesake", job_uid="deleted-before"))
    cache.pods.put(make_pod("of-another", job="other", job_uid="uid-of-other"))
    seen = cache.observe("job")
    assert seen is not None
    assert [pod.metadata.name for pod in seen.pods] == ["mine"]


class TestAnEndedPod:
    def hold(self, cache: Cache) -> Pod:
        cache.climatejobs.put(entry())
        cache.pods.put(running_pod(version=2))
        pod = ended_pod(exit_code=1, version=4)
        cache.pods.remove(pod)
        return pod

    def test_is_kept_for_its_error_though_deleted(self, cache: Cache) -> None:
        pod = self.hold(cache)
        assert cache.pods.get("pod-1") == pod
        assert cache.pods.find_gone([], 100) == []

    def test_is_dropped_with_its_climatejob(self, cache: Cache) -> None:
        self.hold(cache)
        cache.end("job", 9)
        assert len(cache.pods) == 0

    def test_that_is_still_there_stays_known_after_the_end(self, cache: Cache) -> None:
        cache.climatejobs.put(entry())
        cache.pods.put(ended_pod(exit_code=1, version=4))
        cache.end("job", 9)
        assert cache.pods.get("pod-1") is not None

    def test_is_not_kept_for_a_climatejob_that_is_over(self, cache: Cache) -> None:
        cache.pods.put(ended_pod(exit_code=0, version=2))
        cache.pods.remove(ended_pod(exit_code=0, version=3))
        assert len(cache.pods) == 0


def test_a_spec_that_the_model_refuses_is_kept_with_the_reason() -> None:
    read = read_entry(climatejob_manifest(maxAttempts=99, status={"phase": "Pending"}))
    assert read.unreadable is not None
    assert "maxAttempts" in read.unreadable
    assert read.climatejob.phase is Phase.PENDING


@pytest.mark.parametrize("annotations", [{}, {"climatejobs.io/submitted-at": "2026-02-01T11:59:00.123456Z"}])
def test_what_is_folded_is_read_as_it_was(annotations: dict[str, str]) -> None:
    spec: Manifest = {"inputs": {"message": "hello", "gap": None}, "submittedBy": "ann", "priority": 3}
    manifest = climatejob_manifest(status={"phase": "Pending", "message": "Waiting in line, place 7."}, **spec)
    manifest["metadata"]["annotations"] = annotations
    read = read_entry(manifest)
    before = read.climatejob
    read.fold()
    assert read.climatejob is not before
    assert read.climatejob == before


def test_only_what_waits_is_folded() -> None:
    read = entry(status={"phase": "Running", "jobName": "job"})
    before = read.climatejob
    read.fold()
    assert read.climatejob is before


@pytest.mark.parametrize("status", [{}, {"conditions": []}])
def test_a_job_without_a_status_is_read(status: Manifest) -> None:
    manifest = make_job().model_dump(by_alias=True) | {"status": status}
    assert Job.model_validate(manifest).counted_failures == 0
