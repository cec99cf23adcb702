"""How a gridded variable is worked through piece by piece, and the memory that takes.

Pure functions of what `dataset.json` says, so that a request can be sized before anything runs. The runner
lays out its work by the same functions: what is promised here is what is used.
"""

from collections.abc import Mapping, Sequence
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
_CELL_BYTES = 40
"""Per cell of a tile: a running total, a count, and the values, mask and conversion of one step."""
_ITEM_BYTES = {"int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "float16": 2, "float32": 4}


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


def memory_needed(shape: Sequence[int], chunks: Sequence[int], dtype: str) -> int:
    """Bytes that aggregating one variable takes at most."""
    layout = lay_out(shape, chunks, dtype)
    cells = prod(layout.tile)
    block = layout.steps * cells * item_bytes(dtype)
    chunk = prod(chunks) * item_bytes(dtype)
    written = output_steps(cells, "float64", shape[0]) * cells * 8
    # A chunk exists compressed, decoded and copied into its block; one that is written exists as it is and encoded.
    return PROCESS_BYTES + 2 * block + chunk + cells * _CELL_BYTES + 2 * written


def dataset_memory(dataset: Dataset) -> int:
    """Bytes that aggregating a data set takes at most."""
    shape, chunks = tuple(dataset.shape.values()), _in_order(dataset.chunks, dataset.shape)
    return max(memory_needed(shape, chunks, variable.dtype) for variable in dataset.variables)


def _in_order(lengths: Mapping[str, int], dimensions: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(lengths[name] for name in dimensions)
