"""The copy of all jobs in memory: ordered, never older than what this replica has itself written.

It knows nothing of where changes come from. Three kinds of news arrive in any order: lists, watch events, and the
answers to this replica's own writes; a newer state of an object is never replaced by an older one.
"""

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterable, Iterator

from climatejobs_api.cluster.records import Record
from climatejobs_api.store import Position


class JobCache:
    """Jobs by name and in order."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._order: list[Position] = []
        self._removed: set[str] = set()
        """Uids of jobs that this replica has removed while older news of them may still arrive."""
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        self._watched = 0
        """Version up to which all news have been taken, lists and watch events in order."""
        self._open = True

    def __len__(self) -> int:
        return len(self._records)

    def find(self, name: str) -> Record | None:
        """The job of that name."""
        return self._records.get(name)

    def newest_first(self, *, before: Position | None = None) -> Iterator[Record]:
        """All jobs, newest first, from the one that follows `before`; not to be kept over an await."""
        end = len(self._order) if before is None else bisect_left(self._order, before)
        for index in range(end - 1, -1, -1):
            yield self._records[self._order[index].name]

    def oldest_first(self, *, after: Position) -> Iterator[Record]:
        """The jobs that are newer than `after`, oldest first; not to be kept over an await."""
        for index in range(bisect_right(self._order, after), len(self._order)):
            yield self._records[self._order[index].name]

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
        if known is not None and known.position != record.position:
            self._forget_position(known.position)
            known = None
        if known is None:
            insort(self._order, record.position)
        self._records[record.name] = record
        if record.ended:
            self._wake(record.name)

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
        gone = [known for name, known in self._records.items() if name not in listed and known.version <= version]
        kept = {name: known for name, known in self._records.items() if name not in listed and known.version > version}
        self._removed.difference_update(uid for uid in removed_before if uid not in uids)
        self._records = {**listed, **kept}
        self._order = sorted(record.position for record in self._records.values())
        self.advance(version)
        for known in gone:
            self._wake(known.name)
        for name in list(self._waiting):
            record = self._records.get(name)
            if record is not None and record.ended:
                self._wake(name)

    async def wait_for_end(self, name: str, seconds: float) -> None:
        """Return when the job has ended or is gone, after that many seconds, or when waits are stopped."""
        known = self._records.get(name)
        if known is None or known.ended or not self._open or seconds <= 0:
            return
        waiting = self._waiting.setdefault(name, set())
        future = asyncio.get_running_loop().create_future()
        waiting.add(future)
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            return
        finally:
            waiting.discard(future)
            if not waiting and self._waiting.get(name) is waiting:
                del self._waiting[name]

    def stop_waiting(self) -> None:
        """End all waits, and let none begin."""
        self._open = False
        for name in list(self._waiting):
            self._wake(name)

    def _forget(self, record: Record) -> None:
        del self._records[record.name]
        self._forget_position(record.position)
        self._wake(record.name)

    def _forget_position(self, position: Position) -> None:
        del self._order[bisect_left(self._order, position)]

    def _wake(self, name: str) -> None:
        for future in self._waiting.get(name, ()):
            if not future.done():
                future.set_result(None)
