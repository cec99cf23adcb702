"""What a list of jobs can be narrowed to, after the job-list class of OGC API - Processes. Pure."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from climatejobs.ogc.statusinfo import StatusCode, code_of
from climatejobs_api.store import EPOCH, JobFacts, Selection, to_microseconds

_DATE = (
    r"[12][0-9]{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|[12][0-9]))"
)
_MOMENT = (
    _DATE + r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
INTERVAL = rf"^(?:{_MOMENT}|(?:{_MOMENT}|\.\.)?/(?:{_MOMENT}|\.\.)?)$"
"""Pattern of a moment with its offset, or of two of them with a slash between; `..` or nothing is an open end."""
INTERVAL_WORDS = (
    "a moment such as 2026-01-31T12:00:00Z or two of them with a slash between, where .. is an open end "
    "(+ of an offset is written %2B in an address)"
)
LONGEST_DURATION = 3153600000


@dataclass(frozen=True)
class Interval:
    """A span of time, both ends included; None is open."""

    start: datetime | None
    end: datetime | None


@dataclass(frozen=True)
class JobFilter:
    """All conditions hold together; of the members of one, any is enough. An empty one lets everything pass."""

    now: datetime
    processes: Collection[str] = ()
    statuses: Collection[StatusCode] = ()
    created: Interval | None = None
    min_seconds: int | None = None
    max_seconds: int | None = None

    def select(self) -> Selection:
        """What is to be listed, for a store."""
        created = self.created or Interval(None, None)
        return Selection(
            processes=self.processes,
            statuses=self.statuses,
            earliest=to_microseconds(created.start) if created.start is not None else None,
            latest=to_microseconds(created.end) if created.end is not None else None,
            matches=self.matches,
        )

    def matches(self, job: JobFacts) -> bool:
        """Whether the job is to be listed."""
        if self.processes and job.process not in self.processes:
            return False
        code = code_of(job.phase, stopping=job.stopping)
        if self.statuses and code not in self.statuses:
            return False
        if self.created is not None and not _within(self.created, job.position.microseconds):
            return False
        if self.min_seconds is None and self.max_seconds is None:
            return True
        if not self.statuses and code == "accepted":
            return False
        return self._lasted(job)

    def _lasted(self, job: JobFacts) -> bool:
        if job.started is None or (job.finished is None and job.phase.terminal):
            return False
        seconds = ((job.finished or self.now) - job.started).total_seconds()
        return (self.min_seconds or 0) <= seconds and (self.max_seconds is None or seconds <= self.max_seconds)


def parse_interval(text: str) -> Interval:
    """Read what fits `INTERVAL`; ValueError where a date is in no calendar.

    A moment without a fraction is the whole second.
    """
    first, slash, last = text.partition("/")
    start = _moment(first)
    end = _moment(last) if slash else start
    if not slash and end is not None and "." not in first:
        end += timedelta(seconds=1, microseconds=-1)
    return Interval(start, end)


def _moment(text: str) -> datetime | None:
    if text in ("", ".."):
        return None
    # Python reads six digits of a second.
    return datetime.fromisoformat(re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text)).astimezone(UTC)


def _within(interval: Interval, microseconds: int) -> bool:
    moment = EPOCH + timedelta(microseconds=microseconds)
    return (interval.start is None or interval.start <= moment) and (interval.end is None or moment <= interval.end)
