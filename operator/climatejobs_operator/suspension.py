"""Holding a job and letting it go on: its Job is suspended, which stops the pods and costs no attempt.

A suspended Job keeps in its deadline what was left of the time for all attempts when it was suspended; the Job
controller counts from the resumption. So neither the suspension nor the wait for a slot after it costs time. The
status says since when it lasts, for when there is no such Job any more, whoever deleted it.

Of pods that share the work, the Job controller counts the failures on the pods themselves, and a suspension takes them
away. Such a Job would see as many failures again, so it goes on as another one, with the attempts that are left. So
does one that was held for long: what its pods had done may have been removed as abandoned, and the Job controller would
not have it done again. Pods whose part is still there find that out and end at once.
"""

from datetime import datetime, timedelta

from climatejobs.datasets import ABANDONED_SECONDS
from climatejobs.model import ClimateJobStatus, Phase
from climatejobs.names import Reason
from climatejobs_operator.actions import DeleteJob, ResumeJob, SuspendJob
from climatejobs_operator.jobs import Job
from climatejobs_operator.line import plan_waiting
from climatejobs_operator.observation import Decision, Observation

HELD = "Suspended: it goes on when spec.suspend is false again."
KEPT_SECONDS = ABANDONED_SECONDS / 2
"""Parts of a shared result are there for so long, and for long enough after that to begin again."""


def plan_suspension(seen: Observation, job: Job, current: ClimateJobStatus, now: datetime) -> Decision:
    """What to do for a ClimateJob with `spec.suspend` whose Job has not ended; `current` has its figures."""
    if job.held and not seen.live_pods:
        return Decision(describe_held(_begin_hold(seen, job, current, now), now), Reason.SUSPENDED)
    stopping = current.model_copy(
        update={
            "phase": current.phase or Phase.PENDING,
            "message": "Suspending: waiting for the pod to end.",
        }
    )
    if job.spec.suspend:
        return Decision(_begin_hold(seen, job, stopping, now), Reason.SUSPENDING)
    suspend = SuspendJob(job.metadata.name, job.metadata.resource_version, _remaining_seconds(job, now))
    return Decision(stopping, Reason.SUSPENDING, (suspend,))


def plan_resumption(seen: Observation, job: Job, current: ClimateJobStatus, now: datetime) -> Decision:
    """What to do for a ClimateJob that is not to be held while its Job still is."""
    waiting = _begin_hold(seen, job, current, now).model_copy(
        update={
            "phase": Phase.PENDING if current.started_at is None and (current.attempts or 1) == 1 else Phase.RETRYING,
            "message": "Resuming: waiting for a pod.",
        }
    )
    if not job.held or seen.live_pods:
        message = "Resuming: waiting for the stopped pod to end."
        return Decision(waiting.model_copy(update={"message": message}), Reason.SUSPENDING)
    if seen.place is not None:
        return plan_waiting(waiting, seen.climatejob.status, seen.place, now)
    kept = waiting.held_since is None or now - waiting.held_since < timedelta(seconds=KEPT_SECONDS)
    if job.shared and ((current.attempts or 1) > 1 or not kept):
        # It is held until the other Job is made: before that, it may have to stand in line once more.
        replaced = waiting.model_copy(update={"job_name": None})
        return Decision(replaced, Reason.RESUMED, (DeleteJob(job.metadata.name, job.metadata.uid),))
    return Decision(
        end_hold(waiting, now), Reason.RESUMED, (ResumeJob(job.metadata.name, job.metadata.resource_version),)
    )


def describe_held(status: ClimateJobStatus, now: datetime) -> ClimateJobStatus:
    """The status of a job that is suspended and of which nothing runs."""
    return status.model_copy(
        update={
            "phase": Phase.SUSPENDED,
            "message": HELD,
            "retry_at": None,
            "held_seconds": status.held_seconds or 0,
            "held_since": status.held_since or (now if status.started_at is not None else None),
        }
    )


def end_hold(status: ClimateJobStatus, until: datetime) -> ClimateJobStatus:
    """The status of a job whose time runs again from then on."""
    return status.model_copy(update={"held_seconds": reckon_held_seconds(status, until), "held_since": None})


def reckon_held_seconds(status: ClimateJobStatus, now: datetime) -> int | None:
    """Seconds that do not count against the job's time: those of earlier holds, and of one that lasts."""
    if status.held_since is None:
        return status.held_seconds
    return (status.held_seconds or 0) + max(0, int((now - status.held_since).total_seconds()))


def _begin_hold(seen: Observation, job: Job, status: ClimateJobStatus, now: datetime) -> ClimateJobStatus:
    """The status of a job whose Job is suspended; since when is only said once, so that the status stays as it is."""
    if status.held_since is not None or status.started_at is None:
        return status
    return status.model_copy(update={"held_seconds": _held_seconds(seen, job, status, now), "held_since": now})


def _remaining_seconds(job: Job, now: datetime) -> int | None:
    """What is left of a Job's deadline; its clock stands still until the Job controller has seen that it goes on."""
    deadline, start = job.spec.active_deadline_seconds, job.running_since
    if deadline is None or start is None:
        return deadline
    return max(1, deadline - int((now - start).total_seconds()))


def _held_seconds(seen: Observation, job: Job, status: ClimateJobStatus, now: datetime) -> int:
    """Of the time since the job first ran, what its Job's deadline says was not used."""
    known = status.held_seconds or 0
    remaining = job.spec.active_deadline_seconds
    if status.started_at is None or remaining is None:
        return known
    used = seen.climatejob.spec.timeout_seconds - remaining
    return max(known, int((now - status.started_at).total_seconds()) - used)
