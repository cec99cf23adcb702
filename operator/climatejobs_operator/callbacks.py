"""What a job's subscriber is still to be told, and what becomes of each telling. Pure.

The record of a callback is written with the very status that makes it due, so that no restart loses it; the record
of its delivery follows the delivery, so that it happens at least once.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from climatejobs.model import Callback, CallbackEvent, CallbackState, ClimateJob, ClimateJobStatus, Phase, Subscriber
from climatejobs.ogc.documents import render
from climatejobs.ogc.links import Links
from climatejobs.ogc.outputs import describe_member, list_wanted
from climatejobs.ogc.statusinfo import describe_job
from climatejobs_operator.error_details import shorten

MAX_TRIES = 10
FIRST_DELAY = timedelta(seconds=10)
MAX_DELAY = timedelta(minutes=10)
_MAX_DETAIL = 256


@dataclass(frozen=True)
class Outcome:
    """What came of one delivery."""

    failure: str | None = None
    """Why it failed; None where it did not."""
    final: bool = False
    """Whether trying again is pointless."""


def note_due(subscriber: Subscriber | None, old: ClimateJobStatus, new: ClimateJobStatus) -> ClimateJobStatus:
    """The new status with a record of each callback that going there from the old one makes due."""
    if subscriber is None:
        return new
    records = {record.event: record for record in old.callbacks or ()}
    event = _event_of(new.phase)
    if new.phase is not None and new.phase.terminal:
        overtaken = records.get("inProgress")
        if overtaken is not None and overtaken.state == "Pending":
            records["inProgress"] = overtaken.model_copy(
                update={"state": "Abandoned", "retry_at": None, "detail": "the job ended first"}
            )
    if event is not None and event not in records and find_address(subscriber, event) is not None:
        records[event] = Callback(event=event, state="Pending")
    return with_records(new, list(records.values()))


def with_records(status: ClimateJobStatus, records: Sequence[Callback]) -> ClimateJobStatus:
    """The status with these records, and whether any of them is still due."""
    due = any(record.state == "Pending" for record in records)
    return status.model_copy(update={"callbacks": list(records) or None, "callbacks_due": due if records else None})


def find_address(subscriber: Subscriber, event: CallbackEvent) -> str | None:
    """Where an event is told."""
    return {
        "success": subscriber.success_uri,
        "inProgress": subscriber.in_progress_uri,
        "failed": subscriber.failed_uri,
    }[event]


def find_next(status: ClimateJobStatus, now: datetime) -> tuple[Callback | None, datetime | None]:
    """The callback to deliver now; where there is none, the time at which the next one is due."""
    pending = [record for record in status.callbacks or () if record.state == "Pending"]
    for record in pending:
        if record.retry_at is None or record.retry_at <= now:
            return record, None
    return None, min((record.retry_at for record in pending if record.retry_at is not None), default=None)


def record_outcome(record: Callback, outcome: Outcome, now: datetime) -> Callback:
    """The record after a delivery: delivered, to be tried again after a growing pause, or given up."""
    tries = record.tries + 1
    state: CallbackState = "Pending"
    retry_at = None
    if outcome.failure is None:
        state = "Delivered"
    elif outcome.final or tries >= MAX_TRIES:
        state = "Abandoned"
    else:
        retry_at = now + min(FIRST_DELAY * 2 ** (tries - 1), MAX_DELAY)
    detail = shorten(outcome.failure, _MAX_DETAIL) if outcome.failure is not None else None
    return Callback(event=record.event, state=state, tries=tries, time=now, retry_at=retry_at, detail=detail)


def replace_record(status: ClimateJobStatus, record: Callback) -> ClimateJobStatus:
    """The status with a newer record of the same event."""
    return with_records(status, [record if each.event == record.event else each for each in status.callbacks or ()])


def build_payload(climatejob: ClimateJob, event: CallbackEvent, links: Links) -> str:
    """What is sent, as JSON: the results as the document that REST gives, else the state of the job."""
    if event != "success":
        return render(describe_job(climatejob, links))
    document = {wanted.name: describe_member(climatejob, wanted, links) for wanted in list_wanted(climatejob)}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _event_of(phase: Phase | None) -> CallbackEvent | None:
    match phase:
        case Phase.RUNNING:
            return "inProgress"
        case Phase.SUCCEEDED:
            return "success"
        # Whoever waits for a job has to learn that nothing comes of it, whatever the reason.
        case Phase.FAILED | Phase.CANCELLED:
            return "failed"
        case _:
            return None
