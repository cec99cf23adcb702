"""Making the Job, for the first time or again after somebody has deleted it."""

from datetime import datetime, timedelta

from climatejobs.model import ClimateJobStatus, Phase
from climatejobs.names import Reason
from climatejobs_operator.actions import Action, ConfirmGone, CreateJob
from climatejobs_operator.attempts import first_start, spent_attempts
from climatejobs_operator.cancellation import delete_pods
from climatejobs_operator.endings import fail
from climatejobs_operator.error_details import shorten
from climatejobs_operator.failure import describe_deadline, describe_job_lost, describe_refused_job
from climatejobs_operator.line import plan_waiting
from climatejobs_operator.observation import Decision, Observation, Obstacle
from climatejobs_operator.settings import Settings
from climatejobs_operator.suspension import describe_held, end_hold, reckon_held_seconds


def plan_start(seen: Observation, now: datetime, settings: Settings) -> Decision:
    """What to do for a ClimateJob that has no Job of its own."""
    climatejob = seen.climatejob
    status, spec = climatejob.status, climatejob.spec
    again = status.attempts is not None
    before = spent_attempts(status, seen.pods)
    if before >= spec.max_attempts:
        return fail(seen, describe_job_lost(before), now, reason=Reason.JOB_LOST)
    left = _seconds_left(seen, now)
    if left < 1:
        error = describe_deadline(spec.timeout_seconds, status.attempts, status.error)
        return fail(seen, error, now)

    started_at = first_start(status, seen.pods)
    waiting = status.model_copy(
        update={
            "phase": Phase.RETRYING if started_at is not None or before else Phase.PENDING,
            "attempts": before + 1 if again else None,
            "retry_at": None,
            "started_at": started_at,
            "job_name": None,
            "message": "Waiting for a pod.",
        }
    )
    if not spec.suspend and seen.place is None:
        waiting = end_hold(waiting, now)
    hindered = _find_hindrance(seen, waiting, now, settings)
    if hindered is not None:
        return hindered
    create = CreateJob(attempts_before=before, deadline_seconds=left)
    actions: tuple[Action, ...] = (ConfirmGone(climatejob.metadata.uid), create) if again else (create,)
    made = waiting.model_copy(update={"attempts": before + 1, "job_name": climatejob.metadata.name})
    return Decision(made, Reason.JOB_CREATED, actions)


def _find_hindrance(seen: Observation, waiting: ClimateJobStatus, now: datetime, settings: Settings) -> Decision | None:
    """Why the Job is not made now, if something is in its way."""
    if seen.climatejob.spec.suspend and not seen.live_pods:
        status, uid = seen.climatejob.status, seen.climatejob.metadata.uid
        # There was a Job, which somebody has deleted: its pod may live without having been heard of.
        unsure = status.attempts is not None and status.phase is not Phase.SUSPENDED
        return Decision(describe_held(waiting, now), Reason.SUSPENDED, (ConfirmGone(uid),) if unsure else ())
    if seen.job is not None:
        message = f"Waiting: the name {seen.climatejob.metadata.name} is taken by a Job of another owner."
        return Decision(waiting.model_copy(update={"message": message}), Reason.NAME_TAKEN)
    if seen.obstacle is not None:
        return _plan_obstacle(seen, seen.obstacle, waiting, now, settings)
    if seen.live_pods:
        message = "Its Job was deleted; starting again as soon as the pod has ended."
        lost = waiting.model_copy(update={"message": message})
        return Decision(lost, Reason.JOB_LOST, delete_pods(seen))
    return None if seen.place is None else plan_waiting(waiting, seen.climatejob.status, seen.place, now)


def _plan_obstacle(
    seen: Observation, obstacle: Obstacle, waiting: ClimateJobStatus, now: datetime, settings: Settings
) -> Decision:
    """Wait for an obstacle to go away, though not for ever for one that is unlikely to."""
    patience = timedelta(seconds=settings.start_timeout_seconds)
    if patience and obstacle.since is not None and obstacle.since + patience <= now:
        error = describe_refused_job(obstacle.message)
        return fail(seen, error, now, reason=obstacle.reason, attempts=waiting.attempts)
    refused = obstacle.reason is Reason.REFUSED
    message = f"The cluster refuses to make the Job: {obstacle.message}" if refused else obstacle.message
    return Decision(waiting.model_copy(update={"message": shorten(message, 2048)}), obstacle.reason)


def _seconds_left(seen: Observation, now: datetime) -> int:
    """Of the time for all attempts together; it runs from the start of the first, and not while the job is held."""
    status = seen.climatejob.status
    timeout, started = seen.climatejob.spec.timeout_seconds, status.started_at
    if started is None:
        return timeout
    return timeout - int((now - started).total_seconds()) + (reckon_held_seconds(status, now) or 0)
