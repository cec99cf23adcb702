"""Kubernetes events: one for each transition, none for anything else."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal

from pydantic import JsonValue

from climatejobs import names
from climatejobs.model import ClimateJobStatus, ObjectMeta, Phase
from climatejobs.names import Reason
from climatejobs_operator.actions import CreateJob
from climatejobs_operator.observation import Decision

REPORTER = f"{names.GROUP}/operator"
_MAX_NOTE_BYTES = 1024
_WARNINGS = frozenset(
    {
        Reason.INVALID,
        Reason.ATTEMPT_FAILED,
        Reason.FAILED,
        Reason.NAME_TAKEN,
        Reason.REFUSED,
        Reason.JOB_LOST,
        Reason.RESULT_LOST,
    }
)


@dataclass(frozen=True)
class Event:
    """Something that happened to a ClimateJob."""

    reason: Reason
    note: str

    @property
    def type(self) -> Literal["Normal", "Warning"]:
        """Whether somebody should look."""
        return "Warning" if self.reason in _WARNINGS else "Normal"


def describe_transition(old: ClimateJobStatus, new: ClimateJobStatus, decision: Decision) -> tuple[Event, ...]:
    """The events of going from one status to the next; none where only figures or words change."""
    events: list[Event] = []
    if new.error is not None and new.phase is not Phase.FAILED and _attempt(new) > _attempt(old):
        events.append(Event(Reason.ATTEMPT_FAILED, f"Attempt {new.error.attempt}: {new.error.detail}"))
    if decision.reason in (Reason.JOB_CREATED, Reason.ATTEMPT_FAILED):
        if any(isinstance(action, CreateJob) for action in decision.actions):
            events.append(Event(Reason.JOB_CREATED, f"Made Job {new.job_name}"))
    elif decision.reason is Reason.STARTED:
        if old.phase is not Phase.RUNNING:
            events.append(Event(Reason.STARTED, f"Attempt {new.attempts} runs"))
    elif decision.reason is Reason.RESUMED:
        events.append(Event(Reason.RESUMED, new.message or decision.reason))
    elif decision.reason is Reason.QUEUED and old.phase is None:
        pass  # thousands may come at once, and their status says all there is to say
    elif new.phase is not old.phase or (new.message != old.message and decision.reason in _HELD):
        events.append(Event(decision.reason, new.message or decision.reason))
    return tuple(events)


_HELD = frozenset(
    {Reason.SUSPENDING, Reason.CANCELLING, Reason.NAME_TAKEN, Reason.REFUSED, Reason.JOB_LOST, Reason.RESULT_LOST}
)


def build_event(event: Event, subject: ObjectMeta, now: datetime, instance: str) -> dict[str, JsonValue]:
    """The manifest (events.k8s.io/v1) of what happened when `subject` was as it is.

    The name follows from that, so to post it again makes no second event, and what happens again makes one.
    """
    happened = f"{subject.uid}/{subject.resource_version}/{event.reason}/{event.note}"
    digest = sha256(happened.encode()).hexdigest()[:16]
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{subject.name}.{digest}", "namespace": subject.namespace},
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": REPORTER,
        "reportingInstance": instance,
        "action": event.reason.value,
        "reason": event.reason.value,
        "regarding": {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "name": subject.name,
            "namespace": subject.namespace,
            "uid": subject.uid,
        },
        "note": _cut(event.note),
        "type": event.type,
    }


def _attempt(status: ClimateJobStatus) -> int:
    return status.error.attempt or 0 if status.error is not None else 0


def _cut(note: str) -> str:
    """What fits an event: the API server counts bytes, not characters."""
    encoded = note.encode()
    if len(encoded) <= _MAX_NOTE_BYTES:
        return note
    sign = "…"
    return encoded[: _MAX_NOTE_BYTES - len(sign.encode())].decode(errors="ignore") + sign
