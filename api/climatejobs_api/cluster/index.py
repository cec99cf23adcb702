"""Jobs in order: all of them, and those of each process and status, so that a list reads little more than it shows.

Only places are kept here; which job stands there is the cache's business.
"""

import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from climatejobs.ogc.statusinfo import StatusCode
from climatejobs_api.cluster.records import Record
from climatejobs_api.store import EVERY_JOB, Position, Selection

_LAST_NAME = "\U0010ffff"


class _Group(NamedTuple):
    process: str
    status: StatusCode


class JobIndex:
    """Places of jobs, oldest first."""

    def __init__(self) -> None:
        self._all: list[Position] = []
        self._groups: dict[_Group, list[Position]] = {}

    def add(self, record: Record) -> None:
        """Take in a job that is not here."""
        insort(self._all, record.position)
        insort(self._groups.setdefault(_group(record), []), record.position)

    def discard(self, record: Record) -> None:
        """Take out a job that is here, as it was put in."""
        _remove(self._all, record.position)
        members = self._groups[_group(record)]
        _remove(members, record.position)
        if not members:
            del self._groups[_group(record)]

    def exchange(self, before: Record, after: Record) -> None:
        """Take a newer state of a job that is here."""
        if before.position != after.position or _group(before) != _group(after):
            self.discard(before)
            self.add(after)

    def replace(self, records: Iterable[Record]) -> None:
        """Begin anew with these jobs."""
        self._all, self._groups = [], {}
        for record in records:
            self._all.append(record.position)
            self._groups.setdefault(_group(record), []).append(record.position)
        for places in (self._all, *self._groups.values()):
            places.sort()

    def newest_first(self, selection: Selection = EVERY_JOB, *, before: Position | None = None) -> Iterator[Position]:
        """Where the jobs stand that `selection` may hold, from the one that precedes `before` on."""
        spans = [_backwards(places, *_bounds(places, selection, before=before)) for places in self._choose(selection)]
        return spans[0] if len(spans) == 1 else heapq.merge(*spans, reverse=True)

    def oldest_first(self, selection: Selection = EVERY_JOB, *, after: Position) -> Iterator[Position]:
        """Where the jobs stand that `selection` may hold, from the one that follows `after` on."""
        spans = [_forwards(places, *_bounds(places, selection, after=after)) for places in self._choose(selection)]
        return spans[0] if len(spans) == 1 else heapq.merge(*spans)

    def _choose(self, selection: Selection) -> list[list[Position]]:
        if not selection.processes and not selection.statuses:
            return [self._all]
        return [
            places
            for group, places in self._groups.items()
            if (not selection.processes or group.process in selection.processes)
            and (not selection.statuses or group.status in selection.statuses)
        ]


def _group(record: Record) -> _Group:
    return _Group(record.process, record.status)


def _remove(places: list[Position], position: Position) -> None:
    del places[bisect_left(places, position)]


def _bounds(
    places: Sequence[Position],
    selection: Selection,
    *,
    before: Position | None = None,
    after: Position | None = None,
) -> tuple[int, int]:
    """First and past-the-last index."""
    start, stop = 0, len(places)
    if selection.earliest is not None:
        start = bisect_left(places, Position(selection.earliest, ""))
    if selection.latest is not None:
        stop = bisect_right(places, Position(selection.latest, _LAST_NAME))
    if after is not None:
        start = max(start, bisect_right(places, after))
    if before is not None:
        stop = min(stop, bisect_left(places, before))
    return start, stop


def _backwards(places: Sequence[Position], start: int, stop: int) -> Iterator[Position]:
    return (places[index] for index in range(stop - 1, start - 1, -1))


def _forwards(places: Sequence[Position], start: int, stop: int) -> Iterator[Position]:
    return (places[index] for index in range(start, stop))
