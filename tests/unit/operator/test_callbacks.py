"""What is due to be told, when it is tried again, and when nobody tries any more."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from climatejobs.model import Callback, ClimateJobStatus, Phase, Subscriber
from climatejobs.ogc.links import Links
from climatejobs_operator.cache import Cache
from climatejobs_operator.callbacks import (
    MAX_DELAY,
    MAX_TRIES,
    Outcome,
    build_payload,
    find_next,
    note_due,
    record_outcome,
    replace_record,
)
from climatejobs_operator.entries import read_entry
from climatejobs_operator.intake import Intake
from climatejobs_operator.observation import Observation
from climatejobs_operator.plan import make_plan
from climatejobs_operator.pulse import Pulse
from climatejobs_operator.workqueue import WorkQueue
from tests.unit.operator.builders import SETTINGS, climatejob_manifest, make_climatejob

NOW = datetime(2025, 1, 1, tzinfo=UTC)
ALL = Subscriber(success_uri="http://a.test/s", in_progress_uri="http://a.test/p", failed_uri="http://a.test/f")
LINKS = Links("http://api.test")


def states(status: ClimateJobStatus) -> dict[str, str]:
    return {record.event: record.state for record in status.callbacks or ()}


def go(*phases: Phase, subscriber: Subscriber | None = ALL) -> ClimateJobStatus:
    status = ClimateJobStatus()
    for phase in phases:
        status = note_due(subscriber, status, status.model_copy(update={"phase": phase}))
    return status


def test_each_event_is_due_once() -> None:
    status = go(Phase.PENDING)
    assert (status.callbacks, status.callbacks_due) == (None, None)
    running = go(Phase.PENDING, Phase.RUNNING, Phase.RETRYING, Phase.RUNNING)
    assert (states(running), running.callbacks_due) == ({"inProgress": "Pending"}, True)


@pytest.mark.parametrize(
    ("end", "event"), [(Phase.SUCCEEDED, "success"), (Phase.FAILED, "failed"), (Phase.CANCELLED, "failed")]
)
def test_the_end_is_due_and_overtakes_what_was_not_told_before(end: Phase, event: str) -> None:
    status = go(Phase.RUNNING, end)
    assert (states(status), status.callbacks_due) == ({"inProgress": "Abandoned", event: "Pending"}, True)


def test_nobody_is_told_who_did_not_ask() -> None:
    assert go(Phase.RUNNING, Phase.SUCCEEDED, subscriber=None).callbacks is None
    assert go(Phase.FAILED, subscriber=Subscriber(success_uri="http://a.test/")).callbacks is None


def test_the_record_is_part_of_the_very_status_that_makes_it_due() -> None:
    climatejob = make_climatejob(inputs={"numbers": "none"}, subscriber={"failedUri": "http://a.test/f"})
    status = make_plan(Observation(climatejob), NOW, SETTINGS).status
    assert (status.phase, states(status), status.callbacks_due) == (Phase.FAILED, {"failed": "Pending"}, True)


def test_a_failed_delivery_is_tried_again_after_growing_pauses_and_not_for_ever() -> None:
    record, now, pauses = Callback(event="success", state="Pending"), NOW, list[timedelta]()
    while record.state == "Pending":
        record = record_outcome(record, Outcome("the receiver answers 500"), now)
        if record.retry_at is not None:
            pauses.append(record.retry_at - now)
            now = record.retry_at
    assert (record.state, record.tries, record.retry_at) == ("Abandoned", MAX_TRIES, None)
    assert record.detail == "the receiver answers 500"
    assert pauses[:3] == [timedelta(seconds=10), timedelta(seconds=20), timedelta(seconds=40)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == MAX_DELAY


def test_a_delivery_that_cannot_work_is_not_repeated() -> None:
    record = record_outcome(Callback(event="success", state="Pending"), Outcome("refused", final=True), NOW)
    assert (record.state, record.tries) == ("Abandoned", 1)


def test_what_is_due_comes_at_its_time() -> None:
    later = Callback(event="inProgress", state="Pending", retry_at=NOW + timedelta(seconds=5))
    done = Callback(event="failed", state="Delivered")
    status = ClimateJobStatus(callbacks=[done, later])
    assert find_next(status, NOW) == (None, later.retry_at)
    assert find_next(status, NOW + timedelta(seconds=5)) == (later, None)
    assert find_next(ClimateJobStatus(callbacks=[done]), NOW) == (None, None)


def test_a_delivered_callback_is_no_longer_due() -> None:
    status = go(Phase.SUCCEEDED)
    record = (status.callbacks or [])[0]
    told = replace_record(status, record_outcome(record, Outcome(), NOW))
    assert (states(told), told.callbacks_due) == ({"success": "Delivered"}, False)


def test_success_brings_the_results_as_a_document() -> None:
    stored = {"kind": "stored-value", "file": "results/u/numbers", "media_type": "application/json", "size": 5000}
    climatejob = make_climatejob(status={"phase": "Succeeded", "results": {"numbers": stored, "message": "hello"}})
    assert json.loads(build_payload(climatejob, "success", LINKS)) == {
        "message": "hello",
        "numbers": {
            "href": "http://api.test/jobs/job/results/numbers",
            "rel": "item",
            "type": "application/json",
            "title": "numbers",
        },
    }


def test_everything_else_brings_the_state_of_the_job() -> None:
    climatejob = make_climatejob(status={"phase": "Failed", "message": "No data."})
    body = json.loads(build_payload(climatejob, "failed", LINKS))
    assert (body["jobID"], body["status"], body["message"]) == ("job", "failed", "No data.")
    assert all(link["href"].startswith("http://api.test/") for link in body["links"])


async def test_whatever_is_heard_to_owe_a_callback_is_passed_on() -> None:
    """Also of a job that has ended, which is not kept; and also where it was another operator that wrote it."""
    owing: list[str] = []
    queue = WorkQueue(asyncio.get_running_loop(), lambda: 0.5)
    intake = Intake(Cache(), queue, Pulse(queue, lambda: 0.0), owes=owing.append)
    for name, due in {"told": False, "owing": True}.items():
        ended = climatejob_manifest(name, status={"phase": "Failed", "callbacksDue": due})
        intake.take_climatejob(ended, deleted=True)
        intake.take_written(read_entry(ended))
    assert owing == ["owing", "owing"]
