"""What need not be said at once where the API server is slow. Each test's name continues `the first word on a Job`."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from climatejobs.model import Progress
from climatejobs_operator.deferral import PATIENCE, Slowness, find_latest_word
from climatejobs_operator.jobs import Job
from climatejobs_operator.observation import Observation, Reported
from climatejobs_operator.pods import Pod
from tests.unit.operator.builders import (
    NOW,
    PENDING,
    RUNNING,
    Manifest,
    ended_pod,
    make_climatejob,
    make_job,
    make_pod,
    running_pod,
)

IN_LINE: Manifest = {"phase": "Pending", "message": "Waiting in line, place 1."}
JUST_MADE = make_job(created=-1)
LATEST = NOW - timedelta(seconds=1) + PATIENCE


def find(status: Manifest | None, job: Job | None, *pods: Pod, after: float = 0.0, **spec: Any) -> datetime | None:
    seen = Observation(make_climatejob(status=status, **spec), job, pods)
    return find_latest_word(seen, NOW + timedelta(seconds=after))


def felt(limit: float, *measured: tuple[float, float]) -> list[bool]:
    """Whether slowness is felt, at each of these times (s) when a write takes so long (s)."""
    time = seconds = 0.0
    slowness = Slowness(lambda: seconds, limit, lambda: time)
    found: list[bool] = []
    for time, seconds in measured:  # noqa: B007 - read by the two above
        found.append(slowness.is_felt())
    return found


def test_the_first_word_on_a_job_waits_where_writes_take_longer_than_the_limit_and_never_by_a_limit_of_0() -> None:
    assert felt(0.05, (0, 0.05), (1, 0.051)) == [False, True]
    assert felt(0, (0, 60.0)) == [False]


def test_the_first_word_on_a_job_waits_for_some_time_after_writes_were_slow() -> None:
    assert felt(0.05, (100, 0.06), (129, 0.01), (130, 0.01)) == [True, True, False]
    assert felt(0.05, (100, 0.06), (120, 0.06), (149, 0.01), (150, 0.01)) == [True, True, True, False]


@pytest.mark.parametrize("status", [None, IN_LINE])
def test_the_first_word_on_a_job_may_wait_for_a_moment(status: Manifest | None) -> None:
    assert find(status, JUST_MADE) == LATEST
    assert find(status, JUST_MADE, make_pod()) == find(status, JUST_MADE, running_pod()) == LATEST
    assert find(status, JUST_MADE, running_pod(), after=1.9) == LATEST
    assert find(status, JUST_MADE, running_pod(), after=2) is None


def test_the_first_word_on_a_job_is_said_at_once_where_it_is_more_than_that_all_goes_well() -> None:
    for pod in (ended_pod(exit_code=0), ended_pod(exit_code=1), running_pod(deleting=20)):
        assert find(IN_LINE, JUST_MADE, pod) is None
    for job in (
        make_job(created=-1, failed=1),
        make_job(created=-1, uncounted=("a",)),
        make_job(created=-1, suspend=True),
        make_job(created=-1, condition=("FailureTarget", "PodFailurePolicy", "exit 65")),
        make_job(created=-1, owner="somebody-else"),
    ):
        assert find(IN_LINE, job) is None


@pytest.mark.parametrize("spec", [{"cancel": True}, {"suspend": True}, {"subscriber": {"successUri": "http://a/"}}])
def test_the_first_word_on_a_job_is_said_at_once_where_somebody_waits_for_it(spec: Manifest) -> None:
    assert find(IN_LINE, JUST_MADE, running_pod(), **spec) is None


def test_the_first_word_on_a_job_is_said_at_once_where_it_is_how_far_it_has_come() -> None:
    seen = Observation(make_climatejob(status=IN_LINE), JUST_MADE, progress=Progress(percent=3, time=NOW))
    assert find_latest_word(seen, NOW) is None


def test_the_first_word_on_a_job_is_said_at_once_where_it_is_its_result() -> None:
    reported = Reported("uid-of-pod-1", {}, started_at=NOW, at=NOW)
    assert find_latest_word(Observation(make_climatejob(status=IN_LINE), JUST_MADE, reported=reported), NOW) is None


@pytest.mark.parametrize("said", [PENDING, RUNNING, {"phase": "Pending", "attempts": 2}])
def test_the_first_word_on_a_job_is_followed_by_others_without_delay(said: Manifest) -> None:
    assert find(said, JUST_MADE, running_pod()) is None


def test_the_first_word_on_a_job_that_is_not_there_is_said_at_once() -> None:
    assert find(IN_LINE, None) is None
