"""Reading an array piece by piece, by several threads, and taking the pieces in the order of time.

Any process that goes through an array once can be written as a reader, of which every thread has one, and a function
of what it has read: `stream` reads ahead, and calls the function with one block after the other.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from itertools import product
from threading import Condition
from typing import Protocol

import numpy as np

from climatejobs.footprints import Layout, lay_out
from climatejobs_runner.arrays import ArraySpec, StoredArray, Values
from climatejobs_runner.chunks import Overlap, overlaps

type Tile = tuple[slice, ...]
"""Cells along each dimension after time."""
type Later = Callable[[], None] | None
"""What may be done after a block without keeping the next one waiting."""
type Consume[T] = Callable[[slice, T], Later]
"""Takes the time steps of a block and what was read of them, which is valid until it returns."""


class Reader[T](Protocol):
    """Reads one block after the other, or makes of it what needs no other block; for one thread."""

    def read(self, run: slice) -> T:
        """What there is of a run of time steps; valid until the next one is read."""
        ...


def layout_of(spec: ArraySpec) -> Layout:
    """How an array is worked through."""
    return lay_out(spec.shape, spec.chunks, spec.dtype)


def tiles(shape: tuple[int, ...], lengths: tuple[int, ...]) -> Iterator[Tile]:
    """Tiles of those lengths that cover a grid, in order; `shape` begins with time, `lengths` does not."""
    axes = [
        [slice(start, min(start + size, length)) for start in range(0, length, size)]
        for length, size in zip(shape[1:], lengths, strict=True)
    ]
    yield from product(*axes)


def blocks(start: int, stop: int, steps: int) -> Iterator[slice]:
    """Consecutive runs of time steps from `start` to `stop`, ending on multiples of `steps`."""
    while start < stop:
        end = min(stop, (start // steps + 1) * steps)
        yield slice(start, end)
        start = end


class BlockReader:
    """Reads runs of time steps of one tile into a buffer of its own; one for each thread."""

    def __init__(self, source: StoredArray, tile: Tile, steps: int) -> None:
        self._source = source
        self._chunks = source.chunks
        self._tile = tile
        self._steps = steps
        self._overlaps = overlaps(tile, source.chunks.lengths[1:])
        self._scratch = bytearray()
        self._chunk = np.empty(0)
        self._buffer = np.empty(0)

    def read(self, run: slice) -> Values:
        """The values of a run that `blocks` has made for the same number of steps; valid until the next one."""
        if not self._buffer.size:
            cells = tuple(part.stop - part.start for part in self._tile)
            self._buffer = np.empty((self._steps, *cells), dtype=self._source.stored_dtype)
        # Blocks end on multiples of `steps`, and chunks fit in: each has its place in the buffer.
        origin = run.start // self._steps * self._steps
        length = self._chunks.lengths[0]
        try:
            for index in range(run.start // length, -(-run.stop // length)):
                start = index * length - origin
                for overlap in self._overlaps:
                    self._place(index, overlap, slice(start, start + length))
        except (ValueError, RuntimeError) as error:
            raise self._source.damaged(error) from error
        return self._source.unpack(self._buffer[run.start - origin : run.stop - origin])

    def _place(self, index: int, overlap: Overlap, steps: slice) -> None:
        """Decode a chunk to where it belongs in the buffer, or as much of it as does."""
        position = (index, *overlap.position)
        target = self._buffer[(steps, *overlap.in_box)]
        if overlap.whole and len(target) == self._chunks.lengths[0] and target.flags.c_contiguous:
            self._chunks.decode(position, target, self._scratch)
            return
        if not self._chunk.size:
            self._chunk = np.empty(self._chunks.lengths, dtype=self._buffer.dtype)
        self._chunks.decode(position, self._chunk, self._scratch)
        # A chunk may be longer than all there is.
        target[...] = self._chunk[(slice(len(target)), *overlap.in_chunk)]


def stream[T](
    make_reader: Callable[[], Reader[T]], run: slice, consume: Consume[T], *, steps: int, threads: int
) -> None:
    """Call `consume` with every block of a run of time steps, in order and one at a time.

    `steps` is the length of a block, a multiple of the chunk length. Each of `threads` threads reads a block,
    waits for its turn, has it consumed, and does what was left for later.
    """
    runs = list(blocks(run.start, run.stop, steps))
    count = min(threads, len(runs))
    if count <= 1:
        reader = make_reader()
        for block in runs:
            later = consume(block, reader.read(block))
            if later:
                later()
        return
    turns = _Turns(runs, consume)
    with ThreadPoolExecutor(count, thread_name_prefix="blocks") as pool:
        working = [pool.submit(turns.work, make_reader()) for _ in range(count)]
        done, _ = wait(working, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()


class _Turns[T]:
    """Hands out blocks, and sees that they are consumed in order."""

    def __init__(self, runs: list[slice], consume: Consume[T]) -> None:
        self._runs = runs
        self._consume = consume
        self._changed = Condition()
        self._taken = 0
        self._turn = 0
        self._failed = False

    def work(self, reader: Reader[T]) -> None:
        """Take one block after the other until there are no more, or another thread has failed."""
        try:
            while (index := self._take()) is not None:
                read = reader.read(self._runs[index])
                if not self._wait_for(index):
                    return
                later = self._consume(self._runs[index], read)
                with self._changed:
                    self._turn += 1
                    self._changed.notify_all()
                if later:
                    later()
        except BaseException:
            with self._changed:
                self._failed = True
                self._changed.notify_all()
            raise

    def _take(self) -> int | None:
        with self._changed:
            if self._failed or self._taken == len(self._runs):
                return None
            self._taken += 1
            return self._taken - 1

    def _wait_for(self, index: int) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._failed or self._turn == index)
            return not self._failed
