"""The one decision of the operator: from what is known of a ClimateJob to its status and what to do about it.

Pure and level-based: the same observation gives the same plan, whatever events led there, and a plan that is
carried out half-way is simply made again. Never reads a clock, never calls the cluster.
"""

from dataclasses import dataclass
from datetime import datetime

from climatejobs.model import ClimateJobStatus
from climatejobs.names import Reason
from climatejobs_operator.abandonment import plan_abandonment
from climatejobs_operator.actions import Action
from climatejobs_operator.callbacks import note_due
from climatejobs_operator.cancellation import plan_cancellation
from climatejobs_operator.conditions import derive_conditions
from climatejobs_operator.course import plan_course
from climatejobs_operator.endings import fail, find_success
from climatejobs_operator.events import Event, describe_transition
from climatejobs_operator.observation import Decision, Observation
from climatejobs_operator.retention import plan_retention
from climatejobs_operator.settings import Settings
from climatejobs_operator.start import plan_start
from climatejobs_operator.suspension import end_hold
from climatejobs_operator.validation import describe_unreadable, find_fault


@dataclass(frozen=True)
class Plan:
    """A status to write if it differs, actions to take before that, and events to post after."""

    status: ClimateJobStatus
    reason: Reason | None = None
    """Why; None where nothing is decided."""
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    wake_at: datetime | None = None
    puzzle: str | None = None
    """Uid of an object whose latest warning may make for a better plan."""

    @property
    def ends(self) -> bool:
        """Whether the ClimateJob has ended with it."""
        return self.status.phase is not None and self.status.phase.terminal


def make_plan(seen: Observation, now: datetime, settings: Settings) -> Plan:
    """Decide for one ClimateJob. `now` is in UTC."""
    now = now.replace(microsecond=0)
    climatejob = seen.climatejob
    lost, more_at = plan_abandonment(seen.pods, now, settings)
    if climatejob.phase.terminal:
        leftovers, wake_at = plan_retention(seen, now, settings)
        return Plan(
            status=climatejob.status,
            reason=Reason(climatejob.phase),
            actions=(*leftovers, *lost),
            wake_at=_find_earlier(wake_at, more_at),
        )
    if climatejob.metadata.deletion_timestamp is not None:
        return Plan(status=climatejob.status)  # the garbage collector takes Job and pods along

    decision = _decide(seen, now, settings)
    status = decision.status
    if status.phase is not None and status.phase.terminal:
        status = end_hold(status, now)
    status = status.model_copy(
        update={
            "observed_generation": climatejob.metadata.generation,
            "conditions": derive_conditions(status, climatejob.status.conditions, climatejob.metadata.generation, now),
        }
    )
    return Plan(
        # With the status that makes it due, so that no callback is lost between the two.
        status=note_due(climatejob.spec.subscriber, climatejob.status, status),
        reason=decision.reason,
        actions=(*decision.actions, *lost),
        events=describe_transition(climatejob.status, status, decision),
        wake_at=_find_earlier(decision.wake_at, more_at),
        puzzle=decision.puzzle,
    )


def _decide(seen: Observation, now: datetime, settings: Settings) -> Decision:
    if seen.unreadable is not None:
        return fail(seen, describe_unreadable(seen.unreadable), now, reason=Reason.INVALID)
    success = find_success(seen)
    if success is not None:
        return success
    if seen.climatejob.spec.cancel:
        return plan_cancellation(seen, now)
    job = seen.own_job
    if job is not None:
        return plan_course(seen, job, now, settings)
    fault = find_fault(seen.climatejob.spec) if seen.climatejob.status.attempts is None else None
    if fault is not None:
        return fail(seen, fault, now, reason=Reason.INVALID)
    return plan_start(seen, now, settings)


def _find_earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((moment for moment in (one, other) if moment is not None), default=None)
