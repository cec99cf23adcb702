"""Progress of one job from the reports of its pods, and how often it is worth a write. Pure but for its memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from climatejobs.model import Progress
from climatejobs.results import ShardDone
from climatejobs_operator.jobs import Job
from climatejobs_operator.pods import Pod
from climatejobs_operator.result import read_share

JOB_SECONDS = 1.0
"""Between two writes of one job's progress."""


def find_completed(job: Job, pods: Sequence[Pod]) -> dict[int, ShardDone | None]:
    """The shares of a Job that are done, with what the pod has left of how much that was.

    Nobody has to remember it: a pod's last words stay as long as the pod, and the Job knows the places of those gone.
    """
    ended = (pod for pod in pods if pod.metadata.controller_uid == job.metadata.uid and pod.ended and not pod.failed)
    return {**dict.fromkeys(job.completed_indexes), **{pod.index or 0: read_share(pod) for pod in ended}}


def combine(
    reports: Mapping[int, Progress], shards: int, completed: Mapping[int, ShardDone | None] | None = None
) -> Progress | None:
    """The progress of a job whose pods have reported; by the index of their share, from 0.

    Of several, what is counted is the sum, and percent follows from it. Where one has not said how much it has to do,
    there is no sum, and percent is the mean over all shares.
    """
    completed = completed or {}
    if not reports:
        return None
    if shards == 1:
        return max(reports.items())[1]
    told = {index: report for index, report in reports.items() if index < shards}
    if not told:
        return None
    counted = {
        index: (report.total if index in completed else report.done, report.total, report.unit)
        for index, report in told.items()
        if report.total is not None and report.done is not None
    } | {
        index: (share.total, share.total, share.unit)
        for index, share in completed.items()
        if share is not None and share.total is not None
    }
    units = {unit for _, total, unit in counted.values() if total}  # others have no part, and no unit
    working = {index: report for index, report in told.items() if index in counted and counted[index][1]}
    latest = max((working or told).values(), key=lambda report: report.time.timestamp() if report.time else 0.0)
    if len(counted) < shards or len(units) != 1:
        shares = [100 if index in completed else told[index].percent if index in told else 0 for index in range(shards)]
        unsaid = dict.fromkeys(("done", "total", "unit", "rate"))
        return latest.model_copy(update={"percent": sum(shares) // shards, **unsaid})
    done = sum(done for done, _, _ in counted.values())
    total = sum(total for _, total, _ in counted.values())
    rates = [report.rate for index, report in working.items() if report.rate is not None and index not in completed]
    return latest.model_copy(
        update={
            "percent": min(100, done * 100 // total),
            "done": done,
            "total": total,
            "unit": units.pop(),
            "rate": round(sum(rates), 3) if rates else None,
        }
    )


@dataclass
class Timetable:
    """When each job's progress may be written: at most once a second and job, and so many a second in all.

    Each job that has news gets the next free moment, so that none is passed over however many there are.
    """

    per_second: float
    _next: float = field(default=0.0, init=False)
    """The first moment that nobody has been given."""
    _booked: dict[str, float] = field(default_factory=dict[str, float], init=False)
    _written: dict[str, float] = field(default_factory=dict[str, float], init=False)

    def book(self, name: str, now: float) -> float:
        """A job has news; seconds until they may be written."""
        if name not in self._booked:
            moment = max(now, self._next)
            self._next = moment + 1 / self.per_second
            self._booked[name] = max(moment, self._written.get(name, float("-inf")) + JOB_SECONDS)
        return max(0.0, self._booked[name] - now)

    def due_seconds(self, name: str, now: float) -> float | None:
        """Seconds until a job's news may be written; None where it has none."""
        booked = self._booked.get(name)
        return None if booked is None else max(0.0, booked - now)

    def note_written(self, name: str, now: float) -> None:
        """A job's news were written."""
        self._booked.pop(name, None)
        self._written[name] = now

    def forget(self, name: str) -> None:
        """A job has ended."""
        self._booked.pop(name, None)
        self._written.pop(name, None)
