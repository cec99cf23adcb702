"""When /healthz says that the operator is stuck, and when not."""

import pytest
from aiohttp.test_utils import TestClient, TestServer

from climatejobs_operator.health import Health
from climatejobs_operator.metrics import Metrics
from climatejobs_operator.probes import build_app
from climatejobs_operator.pulse import ECHO_SECONDS, QUEUE_SECONDS, Pulse
from climatejobs_operator.streams import SILENT_SECONDS
from climatejobs_operator.workqueue import WorkQueue
from tests.unit.operator.candidates import Candidates
from tests.unit.operator.timetable import ManualTimetable


@pytest.fixture
def timetable() -> ManualTimetable:
    return ManualTimetable()


@pytest.fixture
def pulse(timetable: ManualTimetable) -> Pulse:
    return Pulse(WorkQueue(timetable, lambda: 0), timetable.time)


def test_a_write_that_comes_back_is_fine(pulse: Pulse, timetable: ManualTimetable) -> None:
    pulse.expect("jobs", "a", 7)
    pulse.hear("jobs", "a", 8)
    timetable.advance(10 * ECHO_SECONDS)
    assert pulse.find_trouble() is None


def test_a_write_that_came_back_before_it_was_answered_is_fine(pulse: Pulse, timetable: ManualTimetable) -> None:
    pulse.hear("jobs", "a", 7)
    pulse.hear("jobs", "b", 4)
    pulse.expect("jobs", "a", 7)
    timetable.advance(10 * ECHO_SECONDS)
    assert pulse.find_trouble() is None


def test_what_another_watch_has_brought_is_no_echo(pulse: Pulse, timetable: ManualTimetable) -> None:
    pulse.hear("climatejobs", "a", 9)
    pulse.expect("jobs", "a", 7)
    timetable.advance(ECHO_SECONDS + 1)
    assert "the watch of jobs is silent" in (pulse.find_trouble() or "")


def test_a_write_that_does_not_come_back_is_trouble(pulse: Pulse, timetable: ManualTimetable) -> None:
    pulse.expect("jobs", "a", 7)
    pulse.hear("jobs", "a", 6)
    pulse.hear("climatejobs", "a", 9)
    timetable.advance(ECHO_SECONDS)
    assert pulse.find_trouble() is None
    timetable.advance(1)
    assert "the watch of jobs is silent" in (pulse.find_trouble() or "")


def test_further_writes_do_not_hide_the_silence(pulse: Pulse, timetable: ManualTimetable) -> None:
    for version in range(5):
        pulse.expect("jobs", "a", version)
        timetable.advance(ECHO_SECONDS / 3)
    assert pulse.find_trouble() is not None


def test_a_queue_that_stands_still_is_trouble(pulse: Pulse, timetable: ManualTimetable) -> None:
    pulse.queue.add("a")
    timetable.advance(QUEUE_SECONDS + 1)
    assert "the work queue is stuck" in (pulse.find_trouble() or "")


async def test_the_probe_answers_200_or_503(pulse: Pulse, timetable: ManualTimetable) -> None:
    candidate = Candidates().join("a")
    async with TestClient(TestServer(build_app(Health(candidate, pulse), Metrics()))) as client:
        assert (await client.get("/healthz")).status == 200
        pulse.expect("jobs", "a", 7)
        timetable.advance(ECHO_SECONDS + 1)
        answer = await client.get("/healthz")
        assert answer.status == 503
        assert "silent" in (await answer.json())["reason"]


def test_a_watch_that_is_dead_is_trouble_although_nothing_was_written(pulse: Pulse, timetable: ManualTimetable) -> None:
    pulse.streams.note_answer("pods", int)
    timetable.advance(SILENT_SECONDS + 1)
    assert "the watch of pods is dead" in (pulse.find_trouble() or "")
    assert pulse.describe()["silentSeconds"] == SILENT_SECONDS + 1
