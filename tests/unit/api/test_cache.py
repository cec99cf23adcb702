import asyncio
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from climatejobs_api.cluster.cache import JobCache
from climatejobs_api.cluster.jobs import await_change
from climatejobs_api.cluster.records import Record
from climatejobs_api.store import Position, UnreadableJob
from tests.unit.api.manifests import record


def numbered(number: int, **members: Any) -> Record:
    return record(f"echo-{number}", submitted=f"2025-01-01T00:00:00.{number:06}Z", **members)


def order(cache: JobCache, before: Position | None = None) -> list[str]:
    return [each.name for each in cache.newest_first(before=before)]


def test_jobs_are_newest_first_whatever_order_they_come_in() -> None:
    cache = JobCache()
    for number in (3, 1, 2):
        cache.put(numbered(number))
    assert order(cache) == ["echo-3", "echo-2", "echo-1"]
    cache.replace([numbered(number) for number in (2, 5, 4)], 9, removed_before=())
    assert order(cache) == ["echo-5", "echo-4", "echo-2"]


def test_the_place_in_line_is_that_of_the_moment() -> None:
    cache = JobCache()
    told = {"message": "Waiting in line, place 99.", "phase": "Pending"}
    for number in (1, 2, 3):
        cache.put(numbered(number, **told))
    cache.put(numbered(4, spec={"priority": 5}, **told))
    cache.put(numbered(5, phase="Pending", message="Waiting for a pod."))
    cache.put(numbered(6, spec={"cancel": True}, **told))

    def places() -> list[int | None]:
        return [cache.place_in_line(f"echo-{number}") for number in range(1, 7)]

    assert places() == [2, 3, 4, 1, None, None]
    cache.put(numbered(3, version=2, spec={"priority": 9}, **told))
    assert places() == [3, 4, 1, 2, None, None]
    cache.put(numbered(4, version=2, phase="Running", message="Running."))
    cache.drop("echo-1", "uid-echo-1")
    assert places() == [None, 2, 1, None, None, None]
    cache.replace([numbered(2, version=3, **told), numbered(7, **told)], 9, removed_before=())
    assert [cache.place_in_line(name) for name in ("echo-2", "echo-7", "echo-3")] == [1, 2, None]


def test_a_page_begins_after_a_position_that_may_be_gone() -> None:
    cache = JobCache()
    for number in range(5):
        cache.put(numbered(number))
    third = numbered(2).position
    cache.drop("echo-2", "uid-echo-2")
    assert order(cache, third) == ["echo-1", "echo-0"]


def test_the_submitters_word_counts_only_within_a_minute() -> None:
    early = record("a", submitted="2024-01-01T00:00:00Z", created="2025-01-01T00:00:05Z")
    later = record("b", created="2025-01-01T00:00:04Z")
    assert later.position < early.position


def test_old_news_never_replaces_new() -> None:
    cache = JobCache()
    cache.put(record(version=7, phase="Succeeded"))
    cache.put(record(version=6, phase="Running"))
    found = cache.find("echo-1")
    assert found is not None
    assert found.version == 7
    cache.replace([record(version=5)], 5, removed_before=())
    assert cache.find("echo-1") == found


def test_a_removed_job_does_not_come_back() -> None:
    cache = JobCache()
    cache.put(record(version=3))
    cache.remove("echo-1", "uid-echo-1")
    cache.put(record(version=4, phase="Running"))
    assert cache.find("echo-1") is None
    cache.replace([record(version=4)], 5, removed_before=())
    assert cache.find("echo-1") is None
    assert order(cache) == []


def test_a_removed_job_makes_room_for_another_of_its_name() -> None:
    cache = JobCache()
    cache.put(record(version=3))
    cache.remove("echo-1", "uid-echo-1")
    cache.put(record(uid="another", version=9))
    cache.drop("echo-1", "uid-echo-1")
    found = cache.find("echo-1")
    assert found is not None
    assert found.uid == "another"
    assert len(cache) == 1


def test_removals_are_forgotten_once_a_later_list_confirms_them() -> None:
    cache = JobCache()
    cache.put(record(version=3))
    cache.remove("echo-1", "uid-echo-1")
    removed = cache.removed()
    cache.replace([], 9, removed_before=removed)
    assert cache.removed() == frozenset()


def test_an_answer_that_comes_after_the_deletion_is_no_job() -> None:
    cache = JobCache()
    cache.put(record(version=3))
    cache.drop("echo-1", "uid-echo-1")
    cache.advance(5)
    cache.put_own(record(version=3))
    assert cache.find("echo-1") is None
    cache.put_own(record("echo-2", version=6))
    assert cache.find("echo-2") is not None


def test_a_list_takes_away_what_it_lacks_but_not_what_is_newer() -> None:
    cache = JobCache()
    cache.put(numbered(1, version=3))
    cache.put(numbered(2, version=12))
    cache.replace([numbered(3, version=4)], 10, removed_before=())
    assert order(cache) == ["echo-3", "echo-2"]


async def test_waiting_ends_with_the_job() -> None:
    cache = JobCache()
    cache.put(record(version=1))
    waits = [asyncio.create_task(cache.wait_for_end("echo-1", 30)) for _ in range(3)]
    await asyncio.sleep(0)
    cache.put(record(version=2, phase="Running"))
    await asyncio.sleep(0)
    assert not any(wait.done() for wait in waits)
    cache.put(record(version=3, phase="Failed"))
    await asyncio.wait_for(asyncio.gather(*waits), 5)


@pytest.mark.parametrize("how", ["dropped", "missing in a list", "ended in a list", "stopped"])
async def test_waiting_ends_otherwise(how: str) -> None:
    cache = JobCache()
    cache.put(record(version=1))
    wait = asyncio.create_task(cache.wait_for_end("echo-1", 30))
    await asyncio.sleep(0)
    match how:
        case "dropped":
            cache.drop("echo-1", "uid-echo-1")
        case "missing in a list":
            cache.replace([], 5, removed_before=())
        case "ended in a list":
            cache.replace([record(version=4, phase="Cancelled")], 5, removed_before=())
        case _:
            cache.stop_waiting()
    await asyncio.wait_for(wait, 5)


async def test_waiting_ends_with_its_time() -> None:
    cache = JobCache()
    cache.put(record(version=1))
    await asyncio.wait_for(cache.wait_for_end("echo-1", 0.01), 5)
    cache.stop_waiting()
    await asyncio.wait_for(cache.wait_for_end("echo-1", 30), 5)


async def test_every_change_can_be_waited_for() -> None:
    cache = JobCache()
    cache.put(record(version=1))
    wait = asyncio.create_task(cache.wait_for_change("echo-1", 1, 30))
    await asyncio.sleep(0)
    cache.put(record("echo-2", version=2))
    cache.put(record(version=1))
    await asyncio.sleep(0)
    assert not wait.done()
    cache.put(record(version=3))
    await asyncio.wait_for(wait, 5)
    # What has changed before the wait begins is not waited for again.
    await asyncio.wait_for(cache.wait_for_change("echo-1", 1, 30), 5)


async def test_a_change_that_is_a_removal_is_told_apart() -> None:
    cache = JobCache()
    cache.put(record(version=1))
    job = record(version=1).read()
    assert await await_change(cache, job, 0.01) is job
    wait = asyncio.create_task(await_change(cache, job, 30))
    await asyncio.sleep(0)
    cache.replace([], 5, removed_before=())
    assert await asyncio.wait_for(wait, 5) is None
    cache.put(record(uid="another", version=9))
    assert await await_change(cache, job, 30) is None


@settings(deadline=None)  # the machine may be busy; it is the order that counts
@given(st.randoms(use_true_random=False))
def test_news_in_any_order_end_in_the_same_state(chance: random.Random) -> None:
    """Each job's history is seen by the watch in order; own answers come at any time after they were made."""
    cache = JobCache()
    histories = [[numbered(job, version=10 * step + job + 1) for step in range(4)] for job in range(4)]
    events = sorted((each for history in histories for each in history), key=lambda each: each.version)
    answers = chance.sample(events, 6)
    for event in events:
        for answer in answers:
            if chance.random() < 0.2:
                cache.put_own(answer)
        cache.put(event)
        cache.advance(event.version)
    for answer in answers:
        cache.put_own(answer)
    assert list(cache.newest_first()) == [history[-1] for history in reversed(histories)]


def test_other_peoples_members_are_not_kept() -> None:
    kept = record().content
    assert b"managedFields" not in kept
    assert record().read().spec.inputs == {"message": "hello"}


def test_a_record_that_does_not_fit_the_model_is_told_apart() -> None:
    bent = record(spec={"maxAttempts": "many"})
    with pytest.raises(UnreadableJob):
        bent.read()
