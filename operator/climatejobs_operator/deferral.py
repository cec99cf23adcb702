"""What need not be said at once while the API server is slow to answer.

The first words on a Job (that it is there, that its pod runs) are soon replaced by others. Where each write has to wait
for others, those words wait for a moment, so that only what comes to replace them is written: whoever watches is told
of the present sooner that way, because less of the past stands in line before it.
"""

from datetime import datetime, timedelta

from climatejobs.model import Phase
from climatejobs_operator.jobs import Job
from climatejobs_operator.observation import Observation

PATIENCE = timedelta(seconds=3)
"""From the making of a Job to the first word on it, at most."""


def is_slow(write_seconds: float, limit: float) -> bool:
    """Whether writes, of which one takes so many seconds of late, are slow by a limit; none are by a limit of 0."""
    return 0 < limit < write_seconds


def find_latest_word(seen: Observation, now: datetime) -> datetime | None:
    """Until when nothing need be said, at a time when writes are slow; None where something is to be said now.

    Only the first Job of a ClimateJob is kept quiet about, of which there is nothing to tell yet but that it goes on.
    If it is lost meanwhile, another is made in its place, as if there had been none.
    """
    job, said = seen.own_job, seen.climatejob.status
    if job is None or said.attempts is not None or said.phase not in (None, Phase.PENDING):
        return None
    if not _goes_on(seen, job) or _is_asked_for(seen):
        return None
    latest = job.metadata.creation_timestamp + PATIENCE
    return latest if now < latest else None


def _goes_on(seen: Observation, job: Job) -> bool:
    """Whether nothing has ended or is about to."""
    stopped = any(pod.ended or pod.metadata.deletion_timestamp is not None for pod in seen.pods)
    return not stopped and not job.ended and not job.was_suspended and job.counted_failures == 0


def _is_asked_for(seen: Observation) -> bool:
    """Whether somebody waits for a word, or something else is to be done."""
    spec, metadata = seen.climatejob.spec, seen.climatejob.metadata
    changed = spec.cancel or spec.suspend or metadata.deletion_timestamp is not None or seen.unreadable is not None
    return changed or spec.subscriber is not None or seen.progress is not None or seen.reported is not None
