"""Which log of a job is meant, and what is said where there is none: not yet, or no longer. Pure."""

from collections.abc import Sequence

from climatejobs.errors import TYPE_PREFIX
from climatejobs.model import ClimateJob, Phase
from climatejobs_api.polling import POLL_SECONDS
from climatejobs_api.problems import Problem
from climatejobs_api.store import Run

_WAITING = frozenset({Phase.PENDING, Phase.SUSPENDED})


def check_shard(job: ClimateJob, shard: int) -> None:
    """Raise the `Problem` 404 where the job has no such share."""
    if shard >= job.spec.parallelism:
        last = job.spec.parallelism - 1
        raise Problem(
            404,
            type=f"{TYPE_PREFIX}no-such-shard",
            title="No such shard",
            detail=f"job {job.metadata.name} has no shard {shard}",
            hint=f"Shards are counted from 0; the last is {last}." if last else "One pod does all the work: shard 0.",
        )


def choose_run(job: ClimateJob, runs: Sequence[Run], attempt: int | None) -> Run | None:
    """The run whose log is meant: that of the attempt, else the newest that has begun; None where none is kept.

    `runs` are newest first. Raises `Problem` where there is nothing to read yet.
    """
    meant = [run for run in runs if attempt is None or run.attempt == attempt]
    chosen = next((run for run in meant if run.started), None)
    if chosen is not None:
        return chosen
    begun = max([job.status.attempts or 0, *(run.attempt for run in runs)])
    ahead = attempt is not None and attempt > begun
    if ahead and job.phase.terminal:
        raise Problem(
            404,
            type=f"{TYPE_PREFIX}no-such-attempt",
            title="No such attempt",
            detail=f"job {job.metadata.name} ended with attempt {begun}",
            hint="Attempts are counted from 1.",
        )
    if not job.phase.terminal and (meant or ahead or job.phase in _WAITING):
        raise log_not_ready(job)
    return None


def keep_tail(job: ClimateJob, attempt: int | None, tail: int | None) -> str:
    """The end of the log that the job's record keeps of its latest failed attempt; raises `Problem` 410."""
    kept, error = job.status.log_tail, job.status.error
    if not kept or (attempt is not None and error is not None and error.attempt not in (None, attempt)):
        raise Problem(
            410,
            type=f"{TYPE_PREFIX}log-gone",
            title="The log is gone",
            detail=f"the pods of job {job.metadata.name} have been deleted, and their logs with them",
            hint="Logs live as long as the pods; have the cluster's log collector keep them for longer.",
        )
    lines = kept.splitlines(keepends=True)
    return "".join(lines if tail is None else lines[len(lines) - min(tail, len(lines)) :])


def log_not_ready(job: ClimateJob) -> Problem:
    """Nothing has been written yet."""
    return Problem(
        404,
        type=f"{TYPE_PREFIX}log-not-ready",
        title="No log yet",
        detail=f"job {job.metadata.name} has not begun to write a log: {job.status.message or 'it is waiting'}",
        hint=f"Ask again once /jobs/{job.metadata.name} says that it is running.",
        headers={"Retry-After": str(POLL_SECONDS)},
    )
