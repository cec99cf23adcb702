"""Progress of one job from the reports of its pods, and how often it is worth a write. Pure but for its memory."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from climatejobs.model import Progress

JOB_SECONDS = 1.0
"""Between two writes of one job's progress."""


def combine(reports: Mapping[int, Progress], shards: int, completed: Collection[int] = ()) -> Progress | None:
    """The progress of a job whose pods have reported; by the index of their share, from 0.

    Of several, what is counted is the sum, and percent follows from it. Where one has not said how much it has to do,
    there is no sum, and percent is the mean over all shares.
    """
    if not reports:
        return None
    if shards == 1:
        return max(reports.items())[1]
    told = {index: report for index, report in reports.items() if index < shards}
    if not told:
        return None
    counted = {
        index: (report.total if index in completed else report.done, report.total)
        for index, report in told.items()
        if report.total is not None and report.done is not None
    }
    working = {index: told[index] for index, (_, total) in counted.items() if total}  # others have no part, and no unit
    latest = max((working or told).values(), key=lambda report: report.time.timestamp() if report.time else 0.0)
    if len(counted) < shards or len({report.unit for report in working.values()}) != 1:
        shares = [100 if index in completed else told[index].percent if index in told else 0 for index in range(shards)]
        unsaid = dict.fromkeys(("done", "total", "unit", "rate"))
        return latest.model_copy(update={"percent": sum(shares) // shards, **unsaid})
    done, total = (sum(numbers) for numbers in zip(*counted.values(), strict=True))
    rates = [report.rate for index, report in working.items() if report.rate is not None and index not in completed]
    return latest.model_copy(
        update={
            "percent": min(100, done * 100 // total),
            "done": done,
            "total": total,
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
