"""Carries out a plan: reads each chunk once, block after block, and writes whole chunks.

What is held in memory is a block of the source for each thread, the state of one period and the chunks of the
result that are not complete; none of them grows with the length of the data.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np

from climatejobs.footprints import sort_parts
from climatejobs.processes.resample import QUANTILES
from climatejobs_runner.arrays import ArraySpec, StoredArray, Values
from climatejobs_runner.blocks import BlockReader, Later, Tile, layout_of, stream, tiles
from climatejobs_runner.resampling.methods import Aggregation, Count, Exact, Numbers, begin
from climatejobs_runner.resampling.plan import Plan

type Advance = Callable[[int], None]
"""Told after every block how many steps were done; may raise to end the work."""


@dataclass(frozen=True)
class Passage:
    """One time through the source: some periods, of some cells of a tile."""

    tile: Tile
    """A chunk of the result, but for time."""
    periods: range
    parts: list[Tile]
    """Cells that are gone through one after the other; all of the tile where a running state is enough."""


def passages(spec: ArraySpec, plan: Plan, target_steps: int, periods: range) -> list[Passage]:
    """The ways through the source that aggregating some periods takes; `periods` begins a chunk of the result.

    A running state is enough for most methods, and one way through. A quantile needs all values of a period at
    once, so it is made a chunk of the result at a time, and of as many cells at a time as there is memory for.
    """
    found: list[Passage] = []
    for tile in tiles(spec.shape, layout_of(spec).tile):
        if plan.method not in QUANTILES:
            found.append(Passage(tile, periods, [tile]))
            continue
        lengths = tuple(part.stop - part.start for part in tile)
        parts = [
            tuple(
                slice(outer.start + inner.start, outer.start + inner.stop)
                for outer, inner in zip(tile, part, strict=True)
            )
            for part in tiles((0, *lengths), sort_parts(lengths, plan.longest))
        ]
        found.extend(
            Passage(tile, range(start, min(start + target_steps, periods.stop)), parts)
            for start in range(periods.start, periods.stop, target_steps)
        )
    return found


def count_work(spec: ArraySpec, plan: Plan, target_steps: int, periods: range) -> int:
    """Steps that `aggregate` will report for some periods of an array."""
    return sum(
        int(plan.offsets[passage.periods.stop] - plan.offsets[passage.periods.start]) * len(passage.parts)
        for passage in passages(spec, plan, target_steps, periods)
    )


def aggregate(
    source: StoredArray, target: StoredArray, plan: Plan, *, periods: range, advance: Advance, threads: int
) -> None:
    """Aggregate some periods of one variable: those of whole chunks of `target`.

    `source` and `target` have time first and the same grid. Nothing but these chunks is written, and they are
    the same whatever other periods are asked for, and by however many threads.
    """
    layout = layout_of(source.spec)
    for passage in passages(source.spec, plan, target.spec.chunks[0], periods):
        sink = _Sink(_Assembly(target, passage), advance)
        for part in passage.parts:
            folding = _Folding(plan, source.spec, passage, part, sink)
            run = slice(int(plan.offsets[passage.periods.start]), int(plan.offsets[passage.periods.stop]))
            reader = partial(BlockReader, source, part, layout.steps)
            stream(reader, run, folding.take, steps=layout.steps, threads=threads)
            folding.close()


@dataclass(frozen=True)
class _Sink:
    """Where the values of periods go, and who is told of it."""

    assembly: "_Assembly"
    advance: Advance


class _Folding:
    """Turns blocks, which need not end where a period does, into the values of one period after the other."""

    def __init__(self, plan: Plan, source: ArraySpec, passage: Passage, part: Tile, sink: "_Sink") -> None:
        self._plan = plan
        self._periods = passage.periods
        self._covered = plan.covered.get(source.name, passage.periods)
        self._part = part
        self._sink = sink
        cells = int(np.prod([axis.stop - axis.start for axis in part], dtype=np.int64))
        self._state: Aggregation = begin(plan.method, cells, steps=plan.longest, weighted=plan.weights is not None)
        self._count = Count(cells) if plan.least is not None else None
        self._weights: Exact = np.ones(0) if plan.weights is None else plan.weights
        self._period = passage.periods.start

    def take(self, run: slice, values: Values) -> Later:
        """Take a block; gives the writing that can be done by now."""
        steps = cast(Numbers, values.reshape(len(values), -1))
        written: list[Callable[[], None]] = []
        position = run.start
        while position < run.stop:
            end = int(self._plan.offsets[self._period + 1])
            upto = min(end, run.stop)
            if upto > position:
                taken = steps[position - run.start : upto - run.start]
                self._state.add(taken, self._weights[position:upto])
                if self._count:
                    self._count.add(taken, self._weights)
            position = upto
            if upto == end:
                written += self._finish()
        self._sink.advance(run.stop - run.start)
        return partial(_all, written) if written else None

    def close(self) -> None:
        """Finish the periods that no step is left for."""
        while self._period < self._periods.stop:
            _all(self._finish())

    def _finish(self) -> list[Callable[[], None]]:
        values = self._state.finish()
        if self._count and self._plan.least is not None:
            values[self._count.finish() < self._plan.least[self._period]] = np.nan
        if self._period not in self._covered and self._plan.method != "count":
            values.fill(np.nan)
        self._period += 1
        return self._sink.assembly.put(self._period - 1, self._part, values)


class _Assembly:
    """Chunks of the result while they are put together."""

    def __init__(self, target: StoredArray, passage: Passage) -> None:
        self._target = target
        self._passage = passage
        self._steps = target.spec.chunks[0]
        self._chunks: dict[int, Values] = {}
        self._missing: dict[int, int] = {}

    def put(self, period: int, part: Tile, values: Exact) -> list[Callable[[], None]]:
        """Take the values of a period for some cells; gives the writing of the chunk if that completes it."""
        tile, periods = self._passage.tile, self._passage.periods
        number = period // self._steps
        run = slice(number * self._steps, min((number + 1) * self._steps, periods.stop))
        if number not in self._chunks:
            shape = (run.stop - run.start, *(axis.stop - axis.start for axis in tile))
            self._chunks[number] = np.empty(shape, dtype=self._target.spec.dtype)
            self._missing[number] = shape[0] * len(self._passage.parts)
        chunk = self._chunks[number]
        place = tuple(
            slice(axis.start - outer.start, axis.stop - outer.start) for axis, outer in zip(part, tile, strict=True)
        )
        cells = chunk[(period - run.start, *place)]
        with np.errstate(over="ignore"):
            np.copyto(cells, values.reshape(cells.shape), casting="unsafe")
        self._missing[number] -= 1
        if self._missing[number]:
            return []
        del self._chunks[number]
        return [partial(_write, self._target, (run, *tile), chunk)]


def _write(target: StoredArray, selection: tuple[slice, ...], chunk: Values) -> None:
    if chunk.dtype.kind == "f":
        # Which NaN it is depends on the operation that gave it.
        np.copyto(chunk, np.nan, where=np.isnan(chunk))
    target.write(selection, chunk)


def _all(written: list[Callable[[], None]]) -> None:
    for write in written:
        write()
