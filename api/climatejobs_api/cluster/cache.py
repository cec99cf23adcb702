"""The copy of all jobs in memory: ordered, never older than what this replica has itself written.

It knows nothing of where changes come from. Three kinds of news arrive in any order: lists, watch events, and the
answers to this replica's own writes; a newer state of an object is never replaced by an older one.
"""

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from climatejobs_api.cluster.index import JobIndex
from climatejobs_api.cluster.records import Record, Turn
from climatejobs_api.store import EVERY_JOB, Position, Selection

type Condition = Callable[[Record | None], bool]
"""What somebody waits for a job to be; None is a job that is not there."""


class _Wait(NamedTuple):
    future: asyncio.Future[None]
    condition: Condition


class JobCache:
    """Jobs by name and in order."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._index = JobIndex()
        self._line: list[Turn] = []
        """Of the jobs that wait for a slot."""
        self._removed: set[str] = set()
        """Uids of jobs that this replica has removed while older news of them may still arrive."""
        self._waiting: dict[str, set[_Wait]] = {}
        self._watched = 0
        """Version up to which all news have been taken, lists and watch events in order."""
        self._open = True

    def __len__(self) -> int:
        return len(self._records)

    def find(self, name: str) -> Record | None:
        """The job of that name."""
        return self._records.get(name)

    def newest_first(self, selection: Selection = EVERY_JOB, *, before: Position | None = None) -> Iterator[Record]:
        """The jobs of a selection, newest first, from the one that follows `before`; not to be kept over an await."""
        return self._look_up(self._index.newest_first(selection, before=before), selection)

    def oldest_first(self, selection: Selection = EVERY_JOB, *, after: Position) -> Iterator[Record]:
        """Those that are newer than `after`, oldest first; not to be kept over an await."""
        return self._look_up(self._index.oldest_first(selection, after=after), selection)

    def place_in_line(self, name: str) -> int | None:
        """How many jobs start before this one, and itself; None where it does not wait for a slot."""
        record = self._records.get(name)
        return bisect_right(self._line, record.turn) if record is not None and record.turn is not None else None

    def put_own(self, record: Record) -> None:
        """Take a job as a call of this replica has given it.

        Where all news up to that version are in and the job is not, it has been deleted since.
        """
        if record.version > self._watched or record.name in self._records:
            self.put(record)

    def put(self, record: Record) -> None:
        """Take a job as a list or a watch has given it."""
        known = self._records.get(record.name)
        if record.uid in self._removed or (known is not None and known.version >= record.version):
            return
        self._change_turn(known.turn if known is not None else None, record.turn)
        if known is None:
            self._index.add(record)
        else:
            self._index.exchange(known, record)
        self._records[record.name] = record
        self._tell(record.name)

    def drop(self, name: str, uid: str) -> None:
        """Take the news that a job has been deleted."""
        self._removed.discard(uid)
        known = self._records.get(name)
        if known is not None and known.uid == uid:
            self._forget(known)

    def remove(self, name: str, uid: str) -> None:
        """Forget a job that this replica has deleted, whatever older news of it arrive."""
        known = self._records.get(name)
        if known is not None and known.uid == uid:
            self._forget(known)
            self._removed.add(uid)

    def advance(self, version: int) -> None:
        """Note that all news up to that version have been taken."""
        self._watched = max(self._watched, version)

    def removed(self) -> frozenset[str]:
        """Uids of jobs whose deletion has not come back yet; taken before a list begins, for `replace`."""
        return frozenset(self._removed)

    def replace(self, records: Iterable[Record], version: int, *, removed_before: Collection[str]) -> None:
        """Take a whole list of the given version; jobs that are missing in it and not newer are gone."""
        listed: dict[str, Record] = {}
        for record in records:
            if record.uid not in self._removed:
                known = self._records.get(record.name)
                listed[record.name] = known if known is not None and known.version >= record.version else record
        uids = {record.uid for record in listed.values()}
        kept = {name: known for name, known in self._records.items() if name not in listed and known.version > version}
        self._removed.difference_update(uid for uid in removed_before if uid not in uids)
        self._records = {**listed, **kept}
        self._index.replace(self._records.values())
        self._line = sorted(record.turn for record in self._records.values() if record.turn is not None)
        self.advance(version)
        for name in list(self._waiting):
            self._tell(name)

    @property
    def waiting(self) -> int:
        """How many wait for a job at the moment."""
        return sum(len(waiting) for waiting in self._waiting.values())

    @property
    def open(self) -> bool:
        """Whether there is any waiting still."""
        return self._open

    async def wait(self, name: str, seconds: float, condition: Condition) -> None:
        """Return when the condition holds of the job of that name, after that many seconds, or when waits are stopped.

        It is asked of every state that is taken in, and has to be quick.
        """
        if not self._open or seconds <= 0 or condition(self._records.get(name)):
            return
        wait = _Wait(asyncio.get_running_loop().create_future(), condition)
        waiting = self._waiting.setdefault(name, set())
        waiting.add(wait)
        try:
            async with asyncio.timeout(seconds):
                await wait.future
        except TimeoutError:
            return
        finally:
            waiting.discard(wait)
            if not waiting and self._waiting.get(name) is waiting:
                del self._waiting[name]

    async def wait_for_end(self, name: str, seconds: float) -> None:
        """Wait until the job has ended or is gone."""
        await self.wait(name, seconds, lambda record: record is None or record.ended)

    async def wait_for_change(self, name: str, version: int, seconds: float) -> None:
        """Wait until there is a newer state of the job than that version, or it is gone."""
        await self.wait(name, seconds, lambda record: record is None or record.version > version)

    def stop_waiting(self) -> None:
        """End all waits, and let none begin."""
        self._open = False
        for waiting in self._waiting.values():
            for wait in waiting:
                _wake(wait)

    def _change_turn(self, before: Turn | None, after: Turn | None) -> None:
        if before == after:
            return
        if before is not None:
            del self._line[bisect_left(self._line, before)]
        if after is not None:
            insort(self._line, after)

    def _forget(self, record: Record) -> None:
        self._change_turn(record.turn, None)
        del self._records[record.name]
        self._index.discard(record)
        self._tell(record.name)

    def _look_up(self, places: Iterable[Position], selection: Selection) -> Iterator[Record]:
        return filter(selection.matches, (self._records[place.name] for place in places))

    def _tell(self, name: str) -> None:
        """Wake those for whom the job has become what they wait for."""
        waiting = self._waiting.get(name)
        if waiting:
            record = self._records.get(name)
            for wait in waiting:
                if wait.condition(record):
                    _wake(wait)


def _wake(wait: _Wait) -> None:
    if not wait.future.done():
        wait.future.set_result(None)
