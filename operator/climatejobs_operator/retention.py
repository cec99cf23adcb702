"""What is cleared away after the end, and when: the Job with its pods, then the ClimateJob. Results never are.

All of it is reckoned from what the cluster holds, so a restart forgets nothing.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from climatejobs.model import ClimateJob, Phase
from climatejobs_operator.abandonment import find_patience_end
from climatejobs_operator.actions import Action, DeleteClimateJob, DeleteJob
from climatejobs_operator.endings import EXIT_PATIENCE
from climatejobs_operator.jobs import Job
from climatejobs_operator.observation import Observation
from climatejobs_operator.pods import Pod
from climatejobs_operator.settings import Settings


def plan_retention(seen: Observation, now: datetime, settings: Settings) -> tuple[tuple[Action, ...], datetime | None]:
    """What to clear away of a ClimateJob that has ended, and when there is more to."""
    expires_at = find_expiry(seen.climatejob, settings)
    if expires_at is not None and expires_at <= now:
        metadata = seen.climatejob.metadata
        return (DeleteClimateJob(metadata.name, metadata.uid, metadata.resource_version),), None
    job = seen.own_job
    if job is None or job.metadata.deletion_timestamp is not None:
        return (), expires_at
    removed_at = _end_of(seen.climatejob) + timedelta(seconds=settings.job_retention_seconds)
    if _goes_on(seen, job):
        removed_at = min(removed_at, _end_of(seen.climatejob) + _find_patience(seen, job))
    if removed_at <= now:
        return (DeleteJob(job.metadata.name, job.metadata.uid),), expires_at
    return (), removed_at if expires_at is None else min(removed_at, expires_at)


def find_expiry(climatejob: ClimateJob, settings: Settings) -> datetime | None:
    """When a ClimateJob is deleted; None where it has not ended, or is kept until somebody deletes it.

    One whose subscriber is still to be told is kept until that is done or given up: the news of it brings it back.
    """
    ttl = climatejob.spec.ttl_seconds_after_finished
    if ttl is None:
        ttl = settings.ttl_seconds_after_finished
    if ttl < 0 or not climatejob.phase.terminal or climatejob.status.callbacks_due:
        return None
    try:
        return _end_of(climatejob) + timedelta(seconds=ttl)
    except OverflowError:
        return None


def find_next_look(
    job: Job | None, pods: Collection[Pod], expires_at: datetime | None, now: datetime, settings: Settings
) -> datetime | None:
    """When to fetch a ClimateJob that is not among the live ones, for the sake of what is left of it.

    None where there is nothing to do about it: what is left goes on by itself, or the garbage collector has it.
    """
    looks = [] if expires_at is None else [expires_at]
    looks.extend(end for pod in pods if (end := find_patience_end(pod, settings)) is not None)
    if job is not None and job.ended:
        looks.append((job.ended_at or now) + timedelta(seconds=settings.job_retention_seconds))
    elif job is not None and (job.spec.suspend or not pods or any(pod.failed or not pod.ended for pod in pods)):
        looks.append(now)
    return min(looks, default=None)


def _goes_on(seen: Observation, job: Job) -> bool:
    """Whether a Job does although its ClimateJob has ended.

    So it is when a pod has reported its result and is about to end, when the pod of a success is taken away before the
    Job controller has counted it, when a failure was plain from a pod that the controller judges otherwise, when
    no pod would start, and when the pod of a suspended Job succeeds all the same.
    """
    given_up = seen.climatejob.phase is Phase.FAILED and not seen.pods
    return not job.ended and (bool(_find_lively(seen)) or _would_be_repeated(seen) or given_up or job.spec.suspend)


def _find_patience(seen: Observation, job: Job) -> timedelta:
    """How long a Job may go on after the end: its pods have some time to end by themselves after a success."""
    ended_at = _end_of(seen.climatejob)
    replaced = any(pod.metadata.creation_timestamp > ended_at for pod in _find_lively(seen))
    if seen.climatejob.phase is not Phase.SUCCEEDED or job.spec.suspend or replaced or _would_be_repeated(seen):
        return timedelta()
    return EXIT_PATIENCE


def _find_lively(seen: Observation) -> list[Pod]:
    return [pod for pod in seen.live_pods if pod.metadata.deletion_timestamp is None]


def _would_be_repeated(seen: Observation) -> bool:
    """Whether the Job controller is going to start another pod after a success: none it can count is left."""
    if seen.climatejob.phase is not Phase.SUCCEEDED:
        return False
    shares = {pod.index for pod in seen.pods}
    return any(pod.undone for pod in seen.pods) or any(
        all(pod.failed for pod in seen.pods if pod.index == share) for share in shares
    )


def _end_of(climatejob: ClimateJob) -> datetime:
    return climatejob.status.finished_at or climatejob.metadata.creation_timestamp
