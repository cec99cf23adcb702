"""Carries out a plan: reads each chunk once, block after block, and writes whole chunks.

What is held in memory is a block of the source, the state of one period and one chunk of the result; none of
them grows with the length of the data.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import cast

import numpy as np

from climatejobs.footprints import Layout, lay_out
from climatejobs.processes.resample import Method
from climatejobs_runner.arrays import ArraySpec, StepWriter, StoredArray
from climatejobs_runner.calendars import Counts
from climatejobs_runner.resampling.methods import Exact, Numbers, begin
from climatejobs_runner.resampling.plan import Plan

type Advance = Callable[[int], None]
"""Told after every block how many steps were done; may raise to end the work."""


def layout_of(spec: ArraySpec) -> Layout:
    """How an array is worked through."""
    return lay_out(spec.shape, spec.chunks, spec.dtype)


def tiles(shape: tuple[int, ...], layout: Layout) -> Iterator[tuple[slice, ...]]:
    """Tiles that cover the grid, in order; `shape` begins with time."""
    axes = [
        [slice(start, min(start + size, length)) for start in range(0, length, size)]
        for length, size in zip(shape[1:], layout.tile, strict=True)
    ]
    yield from product(*axes)


def blocks(start: int, stop: int, steps: int) -> Iterator[slice]:
    """Consecutive runs of time steps from `start` to `stop`, ending on multiples of `steps`."""
    while start < stop:
        end = min(stop, (start // steps + 1) * steps)
        yield slice(start, end)
        start = end


def count_work(spec: ArraySpec, plan: Plan, periods: range) -> int:
    """Steps that `aggregate` will report for some periods of an array."""
    steps = int(plan.offsets[periods.stop] - plan.offsets[periods.start])
    return steps * sum(1 for _ in tiles(spec.shape, layout_of(spec)))


def aggregate(source: StoredArray, target: StoredArray, plan: Plan, periods: range, advance: Advance) -> None:
    """Aggregate some periods of one variable: those of whole chunks of `target`.

    `source` and `target` have time first and the same grid. Nothing but these chunks is written, and they are
    the same whatever other periods are asked for.
    """
    layout = layout_of(source.spec)
    for tile in tiles(source.spec.shape, layout):
        writer = StepWriter(target, tile, periods.start)
        offsets = plan.offsets[periods.start : periods.stop + 1]
        for values in _periods(source, plan.method, offsets, tile, advance):
            with np.errstate(over="ignore"):
                writer.append(values.astype(target.spec.dtype)[np.newaxis])
        writer.flush()


def _periods(
    source: StoredArray, method: Method, offsets: Counts, tile: tuple[slice, ...], advance: Advance
) -> Iterator[Exact]:
    """The values of one period after the other, from blocks that need not end where a period does."""
    state = begin(method, tuple(part.stop - part.start for part in tile))
    runs = blocks(int(offsets[0]), int(offsets[-1]), layout_of(source.spec).steps)
    run, block = slice(0, 0), np.empty(0)
    position = int(offsets[0])
    for end in map(int, offsets[1:]):
        while position < end:
            if position >= run.stop:
                run = next(runs)
                # The last block goes before the next one comes, so that there is never more than one.
                block = np.empty(0)
                block = cast(Numbers, source.read((run, *tile)))
            upto = min(end, run.stop)
            state.add(block[position - run.start : upto - run.start])
            if upto == run.stop:
                advance(run.stop - run.start)
            position = upto
        yield state.finish()
