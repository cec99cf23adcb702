"""How a gridded variable is worked through piece by piece, and the memory that takes.

Pure functions of what `dataset.json` says, so that a request can be sized before anything runs. The runner
lays out its work by the same functions: what is promised here is what is used.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from climatejobs.datasets import Dataset
from climatejobs.frequencies import Frequency, Unit

MIB = 1024 * 1024
BLOCK_BYTES = 16 * MIB
"""Decoded bytes that are read at once, unless one chunk alone holds more."""
OUTPUT_CHUNK_BYTES = 8 * MIB
"""Decoded bytes of a chunk that is written, unless one time step alone holds more."""
PROCESS_BYTES = 112 * MIB
"""What the program itself takes."""
DEFAULT_THREADS = 2
"""Threads that a job has unless it asks for more: as many as CPUs."""
SORT_BYTES = 32 * MIB
"""Values of a period that are kept to be sorted, as 64-bit numbers, unless one cell alone has more."""
_CELL_BYTES = 48
"""Per cell of a tile: running totals, a count, and the values, masks and conversion of one step."""
_ITEM_BYTES = {"int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "float16": 2, "float32": 4}
SHARD_BYTES = 4 * 1024 * MIB
"""Decoded bytes of source that are worth a pod of their own: what two threads aggregate in about ten seconds."""


@dataclass(frozen=True)
class Footprint:
    """What a computation takes, known before it starts."""

    memory: int
    """Bytes that one pod takes at most, with the threads its CPUs are worth."""
    least_memory: int
    """Bytes without which it does not run at all."""
    shards: int
    """How many pods it is worth to share it."""


@dataclass(frozen=True)
class Layout:
    """How one variable is read: tile by tile over space, and within a tile block by block along time."""

    steps: int
    """Time steps of a block, a multiple of the chunk length."""
    tile: tuple[int, ...]
    """Cells of a tile along each dimension after time, multiples of the chunk lengths."""


def item_bytes(dtype: str) -> int:
    """Bytes of one value."""
    return _ITEM_BYTES.get(dtype, 8)


def lay_out(shape: Sequence[int], chunks: Sequence[int], dtype: str) -> Layout:
    """Choose tile and block so that every chunk is decoded once and a block stays small.

    `shape` and `chunks` begin with time. The grid is divided only where chunks divide it.
    """
    size = item_bytes(dtype)
    tile = list(shape[1:])
    divisible = [min(chunk, length) for chunk, length in zip(chunks[1:], shape[1:], strict=True)]
    depth = min(chunks[0], shape[0])
    for axis, chunk in enumerate(divisible):
        while prod(tile) * depth * size > BLOCK_BYTES and tile[axis] > chunk:
            half = -(-tile[axis] // 2)
            tile[axis] = -(-half // chunk) * chunk if half > chunk else chunk
    block_chunks = max(1, BLOCK_BYTES // max(1, prod(tile) * depth * size))
    return Layout(steps=depth * block_chunks, tile=tuple(tile))


def output_steps(cells: int, dtype: str, limit: int) -> int:
    """Time steps of a chunk that is written, for that many cells and at most `limit` steps."""
    return max(1, min(limit, OUTPUT_CHUNK_BYTES // (cells * item_bytes(dtype))))


def chunk_steps(frequency: Frequency, step_bytes: int) -> int:
    """Time steps of a chunk of data that are brought in; whole days where the steps are hours."""
    steps = max(1, OUTPUT_CHUNK_BYTES // step_bytes)
    day = 24 // frequency.count if frequency.unit is Unit.HOUR and 24 % frequency.count == 0 else 1
    return steps // day * day or steps


def sort_parts(lengths: Sequence[int], steps: int) -> tuple[int, ...]:
    """Cells along each dimension of a tile that are taken at a time where all values of a period are kept to be sorted.

    `steps` is the most that a period has; `lengths` are those of the tile.
    """
    parts = list(lengths)
    for axis in range(len(parts)):
        while prod(parts) * steps * 8 > SORT_BYTES and parts[axis] > 1:
            parts[axis] = -(-parts[axis] // 2)
    return tuple(parts)


def memory_needed(shape: Sequence[int], chunks: Sequence[int], dtype: str, *, threads: int, sorts: bool) -> int:
    """Bytes that aggregating one variable takes at most, by so many threads; `sorts` as quantiles do."""
    layout = lay_out(shape, chunks, dtype)
    cells = prod(layout.tile)
    block = layout.steps * cells * item_bytes(dtype)
    chunk = prod(chunks) * item_bytes(dtype)
    # What is decoded one chunk at a time for several tiles, or only in part, is decoded beside its block.
    beside = chunk if sorts or layout.tile != tuple(chunks[1:]) else 0
    written = output_steps(cells, "float64", shape[0]) * cells * 8
    # A chunk is there as it is stored too. One that is written is there as it is, padded, and encoded.
    reading = threads * (block + beside + chunk)
    return PROCESS_BYTES + reading + cells * _CELL_BYTES + (threads + 2) * written + (2 * SORT_BYTES if sorts else 0)


def dataset_memory(dataset: Dataset, *, threads: int = DEFAULT_THREADS, sorts: bool = False) -> int:
    """Bytes that aggregating a data set takes at most, by so many threads; `sorts` for a median or other quantile."""
    shape, chunks = tuple(dataset.shape.values()), _in_order(dataset.chunks, dataset.shape)
    return max(
        memory_needed(shape, chunks, variable.dtype, threads=threads, sorts=sorts) for variable in dataset.variables
    )


def threads_within(limit: int | None, needed: Callable[[int], int], *, cpus: int) -> int:
    """The most threads, up to the number of CPUs, that fit a limit in bytes; one where not even that fits.

    `needed` says what so many threads take.
    """
    return max((threads for threads in range(1, cpus + 1) if limit is None or needed(threads) <= limit), default=1)


def worthwhile_shards(decoded: int, chunks: int) -> int:
    """How many pods should share work on so many decoded bytes, whose result has so many chunks along time."""
    return max(1, min(chunks, -(-decoded // SHARD_BYTES)))


def decoded_bytes(dataset: Dataset) -> int:
    """Bytes of all variables of a data set as they are in memory."""
    return prod(dataset.shape.values()) * sum(item_bytes(variable.dtype) for variable in dataset.variables)


def _in_order(lengths: Mapping[str, int], dimensions: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(lengths[name] for name in dimensions)
