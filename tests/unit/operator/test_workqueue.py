"""The queue, in time that moves when told to."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from climatejobs_operator.workqueue import Backoff, WorkQueue
from tests.unit.operator.timetable import ManualTimetable


@pytest.fixture
def timetable() -> ManualTimetable:
    return ManualTimetable()


@pytest.fixture
def queue(timetable: ManualTimetable) -> WorkQueue:
    return WorkQueue(timetable, lambda: 0.5, Backoff(first_seconds=1, max_seconds=8))


async def test_a_key_stands_in_line_once(queue: WorkQueue) -> None:
    for key in ("a", "b", "a"):
        queue.add(key)
    assert [await queue.take(), await queue.take()] == ["a", "b"]
    assert len(queue) == 0


async def test_a_key_at_work_comes_round_again_and_is_never_at_work_twice(queue: WorkQueue) -> None:
    queue.add("a")
    await queue.take()
    queue.add("a")
    queue.add("a")
    assert len(queue) == 0
    queue.finish("a")
    assert await queue.take() == "a"
    queue.finish("a")
    assert len(queue) == 0


async def test_a_patient_key_comes_when_no_other_is_left(queue: WorkQueue) -> None:
    queue.add("calm", patient=True)
    queue.add("b")
    queue.add("c")
    assert queue.pressed
    assert [await queue.take(), await queue.take()] == ["b", "c"]
    assert (queue.pressed, len(queue)) == (False, 1)
    assert await queue.take() == "calm"


async def test_a_patient_key_that_becomes_urgent_comes_once_and_at_its_turn(queue: WorkQueue) -> None:
    for key in ("a", "b"):
        queue.add(key, patient=True)
    queue.add("b")
    queue.add("b", patient=True)
    assert len(queue) == 2
    assert [await queue.take(), await queue.take()] == ["b", "a"]
    assert len(queue) == 0
    queue.add("a", patient=True)
    queue.add("a")
    queue.finish("a")
    assert queue.pressed, "it was added once more while it was at work, and urgently"


async def test_every_other_key_is_one_that_starts_something(timetable: ManualTimetable) -> None:
    queue = WorkQueue(timetable, lambda: 0.5, starts=lambda key: key.startswith("start"))
    for key in ("on-1", "on-2", "on-3", "on-4", "start-1", "start-2"):
        queue.add(key)
    queue.add("calm", patient=True)
    taken = [await queue.take() for _ in range(7)]
    assert taken == ["start-1", "on-1", "start-2", "on-2", "on-3", "on-4", "calm"]
    assert len(queue) == 0


async def test_what_starts_something_is_in_line_as_others_are(timetable: ManualTimetable) -> None:
    queue = WorkQueue(timetable, lambda: 0.5, starts=lambda _key: True)
    queue.add("start")
    timetable.advance(3)
    assert (queue.pressed, len(queue), queue.oldest_seconds()) == (True, 1, 3)
    assert await queue.take() == "start"
    assert (queue.pressed, len(queue)) == (False, 0)


async def test_what_starts_something_does_not_keep_the_others_waiting(timetable: ManualTimetable) -> None:
    queue = WorkQueue(timetable, lambda: 0.5, starts=lambda key: key.startswith("start"))
    queue.add("on")
    for number in range(1000):
        queue.add(f"start-{number}")
    assert "on" in [await queue.take(), await queue.take()]


async def test_a_key_keeps_its_place_whatever_becomes_of_it(timetable: ManualTimetable) -> None:
    starting = {"a"}
    queue = WorkQueue(timetable, lambda: 0.5, starts=starting.__contains__)
    for key in ("a", "b", "c"):
        queue.add(key)
    starting.clear()
    queue.add("a")
    assert [await queue.take() for _ in range(3)] == ["a", "b", "c"]
    assert len(queue) == 0, "it stands in one line only"
    starting.add("b")
    for key in ("b", "c"):
        queue.finish(key)
    for key in ("c", "b"):
        queue.add(key, patient=True)
    queue.add("b")
    assert [await queue.take(), await queue.take()] == ["b", "c"]


async def test_who_is_called_off_while_waiting_takes_no_key_along(queue: WorkQueue) -> None:
    waiting = [asyncio.create_task(queue.take()) for _ in range(2)]
    await asyncio.sleep(0)
    queue.add("a")
    waiting[0].cancel()
    assert await asyncio.wait_for(waiting[1], timeout=5) == "a"
    assert len(queue) == 0


async def test_a_patient_key_that_becomes_urgent_is_there_for_one(queue: WorkQueue) -> None:
    queue.add("a", patient=True)
    queue.add("a")
    assert await queue.take() == "a"
    another = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    assert not another.done()
    queue.add("b")
    assert await another == "b"


async def test_a_patient_key_may_wait_for_long(queue: WorkQueue, timetable: ManualTimetable) -> None:
    queue.add("a", patient=True)
    timetable.advance(1000)
    assert queue.oldest_seconds() == 0


async def test_taking_waits_for_a_key(queue: WorkQueue) -> None:
    taken = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    assert not taken.done()
    queue.add("a")
    assert await taken == "a"


def test_a_key_comes_at_its_time(queue: WorkQueue, timetable: ManualTimetable) -> None:
    queue.add_after("a", 5)
    timetable.advance(4.9)
    assert len(queue) == 0
    timetable.advance(0.2)
    assert len(queue) == 1


def test_of_several_times_the_earliest_holds(queue: WorkQueue, timetable: ManualTimetable) -> None:
    queue.add_after("a", 5)
    queue.add_after("a", 9)
    queue.add_after("a", 2)
    timetable.advance(2)
    assert len(queue) == 1
    assert all(timer.cancelled for timer in timetable.timers)


def test_failures_wait_longer_each_time_until_one_succeeds(queue: WorkQueue) -> None:
    assert [queue.retry("a") for _ in range(6)] == [0.75, 1.5, 3, 6, 6, 6]
    queue.forget("a")
    assert queue.retry("a") == 0.75


def test_the_server_may_ask_for_more_time_and_not_all_come_back_at_once(
    queue: WorkQueue, timetable: ManualTimetable
) -> None:
    assert queue.retry("a", at_least=30) == 30 * 1.125, "a quarter more, by chance"
    timetable.advance(33)
    assert len(queue) == 0
    timetable.advance(1)
    assert len(queue) == 1


@given(failures=st.integers(1, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_a_pause_is_jittered_and_bounded(failures: int, chance: float) -> None:
    assert 0.25 <= Backoff().delay(failures, chance) <= 60


async def test_the_age_is_that_of_the_oldest_key_waiting_or_at_work(
    queue: WorkQueue, timetable: ManualTimetable
) -> None:
    assert queue.oldest_seconds() == 0
    queue.add("a")
    timetable.advance(3)
    queue.add("b")
    assert queue.oldest_seconds() == 3
    await queue.take()  # from here on its age at work counts
    timetable.advance(2)
    assert queue.oldest_seconds() == 2
    await queue.take()
    queue.finish("a")
    queue.finish("b")
    assert queue.oldest_seconds() == 0
