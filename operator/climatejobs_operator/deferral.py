"""What need not be said at once while the API server is slow to answer.

The first words on a Job (that it is there, that its pod runs) are soon replaced by others. Where each write has to wait
for others, those words wait for a moment, so that only what comes to replace them is written: whoever watches is told
of the present sooner that way, because less of the past stands in line before it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from math import inf

from climatejobs.model import Phase
from climatejobs_operator.jobs import Job
from climatejobs_operator.observation import Observation

PATIENCE = timedelta(seconds=3)
"""From the making of a Job to the first word on it, at most."""
LINGER_SECONDS = 30.0
"""For so long after writes were slow, they count as slow: what the waiting has saved would make them so again."""


class Slowness:
    """Whether the API server is slow to write, or was a moment ago."""

    def __init__(self, write_seconds: Callable[[], float], limit: float, clock: Callable[[], float]) -> None:
        """`write_seconds` tells how long a write takes of late; by a `limit` of 0 seconds none is ever slow."""
        self._write_seconds = write_seconds
        self._limit = limit
        self._clock = clock
        self._slow_at = -inf

    def is_felt(self) -> bool:
        """Whether what can wait has to."""
        now = self._clock()
        if 0 < self._limit < self._write_seconds():
            self._slow_at = now
        return now - self._slow_at < LINGER_SECONDS


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
