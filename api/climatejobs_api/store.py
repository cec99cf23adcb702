"""Where jobs are kept, as the rest of the API sees it.

Nothing here or behind it knows of HTTP; nothing in front of it knows of Kubernetes.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from pydantic import JsonValue

from climatejobs.model import ClimateJob, ClimateJobSpec, Phase
from climatejobs.ogc.statusinfo import StatusCode

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Position(NamedTuple):
    """Where a job stands in the order of jobs: its time of submission, ties broken by name."""

    microseconds: int
    """Since 1970 in UTC."""
    name: str


def to_microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def position_of(submitted_at: datetime, name: str) -> Position:
    """Where a job stands in the order of jobs."""
    return Position(to_microseconds(submitted_at), name)


class JobFacts(Protocol):
    """What a list can be filtered by: known of every job without reading the whole of it."""

    @property
    def position(self) -> Position: ...

    @property
    def process(self) -> str: ...

    @property
    def phase(self) -> Phase: ...

    @property
    def stopping(self) -> bool:
        """Whether it is to be stopped, whatever its phase."""
        ...

    @property
    def started(self) -> datetime | None: ...

    @property
    def finished(self) -> datetime | None: ...


def any_job(_facts: JobFacts) -> bool:
    """The filter that every job passes."""
    return True


@dataclass(frozen=True)
class Selection:
    """Which jobs a list holds: those that match, which the other members say beforehand as far as they can."""

    processes: Collection[str] = ()
    """Empty is every one."""
    statuses: Collection[StatusCode] = ()
    """Empty is every one."""
    earliest: int | None = None
    """Microseconds since 1970 of submission, included."""
    latest: int | None = None
    matches: Callable[[JobFacts], bool] = any_job


EVERY_JOB = Selection()


@dataclass(frozen=True)
class Submission:
    """A job to be made."""

    name: str
    spec: ClimateJobSpec
    inputs: Mapping[str, JsonValue]
    """The inputs exactly as they were given; they replace those of `spec`."""
    submitted_at: datetime
    request_id: str
    base_url: str | None = None
    """Where the API is for whoever asks; kept where it has to be known later."""
    digest: str | None = None
    """Identifies the request, where a repetition of it is to be told from another of the same name."""


@dataclass(frozen=True)
class Run:
    """One run of a job's computation, of which there is a log: an attempt, or a shard of one."""

    key: str
    """By which the store finds it."""
    attempt: int
    """Counted from 1."""
    started: bool
    """Whether there is anything to read yet."""


class StoreError(Exception):
    """Base of what can go wrong with the store."""


class NoStore(StoreError):
    """Nothing says where the store is."""


class StoreAway(StoreError):
    """The store cannot be reached or is too busy; the same call may work later."""

    def __init__(self, detail: str, *, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after
        """Seconds."""


class Refused(StoreError):
    """The store does not take the job, and says why."""

    def __init__(self, detail: str, *, forbidden: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.forbidden = forbidden
        """Whether it is a matter of permission or policy and not of the job's content."""


class NameTaken(StoreError):
    """There is a job of that name already."""


class JobGone(StoreError):
    """The job is no longer there."""


class NoLog(StoreError):
    """The log of the run is not there, or not any more."""


class UnreadableJob(StoreError):
    """The job's record was written by other means and does not fit the model."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the record of job {name} does not fit the model of a ClimateJob")
        self.name = name


class JobStore(Protocol):
    """All jobs of the installation. What a method has written, every later call sees."""

    @property
    def alive(self) -> bool:
        """Whether the store is still being kept up to date; False only after a defect."""
        ...

    @property
    def synced(self) -> bool:
        """Whether every job that there is has been read once."""
        ...

    @property
    def age(self) -> float:
        """Seconds by which what is read here may be behind: 0 while all changes arrive."""
        ...

    def older(self, limit: int, *, than: Position | None = None, selection: Selection = EVERY_JOB) -> list[ClimateJob]:
        """At most that many jobs of the selection, newest first, from the one that follows `than`."""
        ...

    def newer(self, limit: int, *, than: Position, selection: Selection = EVERY_JOB) -> list[ClimateJob]:
        """At most that many jobs of the selection, newest first, up to the one that precedes `than`."""
        ...

    def place_in_line(self, job: ClimateJob) -> int | None:
        """How many jobs start before this one, and itself; None where it does not wait for a slot."""
        ...

    async def find(self, name: str) -> ClimateJob | None:
        """The job of that name, if there is one."""
        ...

    async def submit(self, submission: Submission) -> ClimateJob:
        """Make a job; raises `NameTaken` or `Refused`."""
        ...

    async def cancel(self, job: ClimateJob) -> ClimateJob:
        """Ask for the job to be stopped, and give it as it stands then; raises `JobGone`."""
        ...

    async def remove(self, job: ClimateJob) -> None:
        """Delete the record of the job; raises `JobGone`."""
        ...

    async def wait_for_end(self, job: ClimateJob, seconds: float) -> ClimateJob | None:
        """The job as soon as it has ended; None where that takes longer, or the job has been removed."""
        ...

    async def wait_for_change(self, job: ClimateJob, seconds: float) -> ClimateJob | None:
        """The job once it is newer than `job`; `job` itself where that takes longer, None once it is removed."""
        ...

    async def list_runs(self, job: ClimateJob, shard: int) -> Sequence[Run]:
        """The runs of the job, or of one of its shards, that are still kept; newest first."""
        ...

    def open_log(
        self, run: Run, *, follow: bool, tail: int | None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The log of a run, its last `tail` lines or the whole; with `follow` until the run ends.

        Entering raises `NoLog`; both that and reading raise `StoreAway`.
        """
        ...

    @property
    def stopping(self) -> bool:
        """Whether every wait ends at once."""
        ...

    def stop_waiting(self) -> None:
        """End every wait at once, and all following of logs, from now on: the program is about to stop."""
        ...
