"""What pods have reported of their jobs and is not written yet.

Only memory: an operator that dies loses it, and has not acknowledged it. The pod then reports to the next one, or
leaves its result in the termination message.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from climatejobs.model import ClimateJobStatus, Progress
from climatejobs.reports import Report
from climatejobs_operator.cache import Cache
from climatejobs_operator.observation import Observation, Reported
from climatejobs_operator.pods import Pod
from climatejobs_operator.progress import Timetable, combine, find_completed


class Reports:
    """Reports by the name of their ClimateJob. For use within one event loop."""

    def __init__(
        self,
        cache: Cache,
        call: Callable[[str, float], None],
        *,
        per_second: float,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        """`call` has a job looked at after so many seconds; `per_second` limits the writes of progress in all."""
        self._cache = cache
        self._call = call
        self._clock = clock
        self._now = now
        self._timetable = Timetable(per_second)
        self._progress: dict[str, dict[int, tuple[str, Progress]]] = {}
        """By the index of the share: the latest, and the uid of the pod that it is of."""
        self._told: dict[str, dict[int, tuple[str, Progress]]] = {}
        """What the progress that was last asked for was made of."""
        self._results: dict[str, Reported] = {}
        self._waiting: dict[str, list[asyncio.Future[ClimateJobStatus | None]]] = {}
        cache.subscribe(self._follow)

    def put_progress(self, name: str, pod: Pod, progress: Progress) -> None:
        """Take in how far a pod has come; it is written when it is its turn, and the latest wins."""
        told = progress.model_copy(update={"time": self._now()})
        self._progress.setdefault(name, {})[pod.index or 0] = (pod.metadata.uid, told)
        self._call(name, self._timetable.book(name, self._clock()))

    def put_result(self, name: str, pod: Pod, report: Report) -> "asyncio.Future[ClimateJobStatus | None]":
        """Take in a result; the future gives the status it was written with, None where the job went otherwise."""
        now = self._now()
        started_at = max(now - timedelta(seconds=report.seconds), pod.metadata.creation_timestamp)
        self._results[name] = Reported(pod.metadata.uid, report.outputs or {}, started_at=started_at, at=now)
        future: asyncio.Future[ClimateJobStatus | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(name, []).append(future)
        self._call(name, 0)
        return future

    def result_of(self, name: str) -> Reported | None:
        """The result that was reported of a job."""
        return self._results.get(name)

    def progress_of(self, seen: Observation) -> Progress | None:
        """The progress to write now; None where there is no news, or it is not time yet.

        With a result it always is, as that is written at once.
        """
        name = seen.climatejob.metadata.name
        if self._timetable.due_seconds(name, self._clock()) != 0 and name not in self._results:
            return None
        job = seen.own_job
        completed = find_completed(job, seen.pods) if job is not None else {}
        live = {pod.metadata.uid for pod in seen.live_pods}
        self._told[name] = self._progress.get(name, {}).copy()
        reports = {
            index: progress if uid in live else progress.model_copy(update={"rate": None})
            for index, (uid, progress) in self._told[name].items()
        }
        return combine(reports, seen.climatejob.spec.parallelism, completed)

    def due_seconds(self, name: str) -> float | None:
        """Seconds until there is progress to write; None where there is none."""
        return self._timetable.due_seconds(name, self._clock())

    def note_written(self, name: str, status: ClimateJobStatus, progress: Progress | None) -> None:
        """A status was written, with that progress if it was time for it."""
        if progress is not None:
            self._timetable.note_written(name, self._clock())
            if self._progress.get(name) != self._told.get(name):
                self._timetable.book(name, self._clock())  # more was reported while this was being written
        if status.phase is not None and status.phase.terminal:
            self._settle(name, status)

    def _follow(self, name: str) -> None:
        if self._cache.climatejobs.get(name) is None:
            self._settle(name, None)

    def _settle(self, name: str, status: ClimateJobStatus | None) -> None:
        self._progress.pop(name, None)
        self._told.pop(name, None)
        self._results.pop(name, None)
        self._timetable.forget(name)
        for future in self._waiting.pop(name, []):
            if not future.done():
                future.set_result(status)
