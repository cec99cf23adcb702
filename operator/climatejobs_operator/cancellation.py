"""Stopping a job for good: its Job goes first, so that no pod is replaced; the end is said when nothing runs."""

from datetime import datetime

from climatejobs.model import Phase
from climatejobs.names import Reason
from climatejobs_operator.actions import Action, ConfirmGone, DeleteJob, DeletePod
from climatejobs_operator.attempts import attempts_before, count_failures, first_start
from climatejobs_operator.observation import Decision, Observation


def plan_cancellation(seen: Observation, now: datetime) -> Decision:
    """What to do for a ClimateJob with `spec.cancel` that has not succeeded."""
    status = seen.climatejob.status
    job = seen.own_job
    if job is None and not seen.live_pods:
        ended = status.model_copy(
            update={
                "phase": Phase.CANCELLED,
                "message": "Cancelled on request.",
                "retry_at": None,
                "finished_at": now,
            }
        )
        return Decision(ended, Reason.CANCELLED, (ConfirmGone(seen.climatejob.metadata.uid),))
    stopping = status.model_copy(
        update={
            "phase": status.phase or Phase.PENDING,
            "attempts": _find_attempt(seen),
            "started_at": first_start(status, seen.pods),
            "message": "Stopping: waiting for the pod to end.",
            "retry_at": None,
        }
    )
    actions: list[Action] = []
    if job is not None and job.metadata.deletion_timestamp is None:
        actions.append(DeleteJob(job.metadata.name, job.metadata.uid))
    return Decision(stopping, Reason.CANCELLING, (*actions, *delete_pods(seen)))


def _find_attempt(seen: Observation) -> int | None:
    """The attempt that is stopped; of a Job that has only just been made, the status may not have told it."""
    told, job, limit = seen.climatejob.status.attempts, seen.own_job, seen.climatejob.spec.max_attempts
    if told is not None or job is None:
        return told
    return min(attempts_before(limit, job) + count_failures(job, seen.pods) + 1, limit)


def delete_pods(seen: Observation) -> tuple[DeletePod, ...]:
    """An end for every pod that runs and has not been asked to end yet."""
    return tuple(
        DeletePod(pod.metadata.name, pod.metadata.uid)
        for pod in seen.live_pods
        if pod.metadata.deletion_timestamp is None
    )
