"""The chunks of an array as this project stores them, each in a file of its own: little-endian bytes in zstd.

Zarr would read and write the same files, one into memory of its own after the other. Here a chunk is decoded straight
into a buffer that is used again, and nothing has to be loaded that the usual job does without; what is written is what
Zarr would write, byte by byte (`docs/decisions/0022-chunks.md`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, cast

import numpy as np
from numcodecs.vlen import VLenUTF8  # pyright: ignore[reportUnknownVariableType] - compiled, without stubs
from numcodecs.zstd import Zstd  # pyright: ignore[reportUnknownVariableType] - compiled, without stubs

from climatejobs_runner.files import Bytes, Files
from climatejobs_runner.packing import Values

type FillValue = float | int | bool | str

ZSTD_LEVEL = 1
"""Higher levels save a few percent of space, and take several times as long."""

_ZSTD: Any = cast(Any, Zstd)(level=ZSTD_LEVEL, checksum=True)
_TEXTS: Any = cast(Any, VLenUTF8)()


@dataclass(frozen=True)
class Overlap:
    """Where a chunk meets a box of an array."""

    position: tuple[int, ...]
    """Number of the chunk along each dimension."""
    in_box: tuple[slice, ...]
    in_chunk: tuple[slice, ...]
    whole: bool
    """Whether all of the chunk lies in the box."""


def overlaps(box: Sequence[slice], lengths: Sequence[int]) -> list[Overlap]:
    """The chunks of some lengths that meet a box, in order."""
    found: list[Overlap] = []
    axes = [range(part.start // size, -(-part.stop // size)) for part, size in zip(box, lengths, strict=True)]
    for position in product(*axes):
        in_box: list[slice] = []
        in_chunk: list[slice] = []
        for index, part, size in zip(position, box, lengths, strict=True):
            start, stop = max(part.start, index * size), min(part.stop, (index + 1) * size)
            in_box.append(slice(start - part.start, stop - part.start))
            in_chunk.append(slice(start - index * size, stop - index * size))
        whole = in_chunk == [slice(0, size) for size in lengths]
        found.append(Overlap(position, tuple(in_box), tuple(in_chunk), whole))
    return found


@dataclass(frozen=True)
class Chunks:
    """The chunks of one array, numbered along each dimension."""

    files: Files
    name: str
    """Of the array, and so of the folder."""
    shape: tuple[int, ...]
    lengths: tuple[int, ...]
    dtype: np.dtype[Any]
    fill_value: FillValue
    """What a chunk holds that is not there."""

    def decode(self, position: tuple[int, ...], out: np.ndarray, scratch: bytearray) -> None:
        """Write the numbers of a chunk to `out`, which has its shape and is contiguous.

        `scratch` takes what is stored, and grows as needed. Raises `ValueError` or `RuntimeError` where the chunk is
        damaged, and `DataError` where a symbolic link leads to it.
        """
        try:
            stored = self.files.read(self._file(position), scratch)
        except FileNotFoundError:
            out.fill(self.fill_value)
            return
        # A shorter content would be accepted, and leave the rest of the buffer as it was.
        size = _content_size(stored)
        if size is None:
            raise ValueError("it does not say how much it holds")
        if size != out.nbytes:
            raise ValueError(f"it holds {size} bytes instead of {out.nbytes}")
        _ZSTD.decode(stored, out)

    def read(self, box: Sequence[slice]) -> Values:
        """The values of a box; raises what `decode` does."""
        out = np.empty(tuple(part.stop - part.start for part in box), dtype=self.dtype)
        scratch = bytearray()
        for overlap in overlaps(box, self.lengths):
            target = out[overlap.in_box]
            if self._text:
                target[...] = self._decode_texts(overlap.position, scratch)[overlap.in_chunk]
            elif overlap.whole and target.flags.c_contiguous:
                self.decode(overlap.position, target, scratch)
            else:
                chunk = np.empty(self.lengths, dtype=self.dtype)
                self.decode(overlap.position, chunk, scratch)
                target[...] = chunk[overlap.in_chunk]
        return out

    def write(self, box: Sequence[slice], values: Values) -> None:
        """Write the values of a box, which must end where chunks do, or the array: no chunk is read to change it."""
        given = np.asarray(values, dtype=self.dtype)
        if given.shape != tuple(part.stop - part.start for part in box):
            raise ValueError(f"values of shape {given.shape} do not fit {box}")
        for overlap in overlaps(box, self.lengths):
            part = given[overlap.in_box]
            if not overlap.whole:
                self._check_whole(overlap)
                chunk = np.full(self.lengths, self.fill_value, dtype=self.dtype)
                chunk[overlap.in_chunk] = part
                part = chunk
            self._write_chunk(overlap.position, part)

    @property
    def _text(self) -> bool:
        return self.dtype.kind == "T"

    def _file(self, position: tuple[int, ...]) -> str:
        return "/".join((self.name, "c", *map(str, position)))

    def _check_whole(self, overlap: Overlap) -> None:
        for index, part, size, limit in zip(overlap.position, overlap.in_chunk, self.lengths, self.shape, strict=True):
            if part != slice(0, min(size, limit - index * size)):
                raise ValueError(f"a part of chunk {overlap.position} of {self.name} cannot be written alone")

    def _write_chunk(self, position: tuple[int, ...], chunk: Values) -> None:
        if self._is_fill(chunk):
            self.files.remove(self._file(position))
            return
        content = _TEXTS.encode(chunk.astype(object)) if self._text else np.ascontiguousarray(chunk)
        self.files.write(self._file(position), _ZSTD.encode(content))

    def _is_fill(self, chunk: Values) -> bool:
        """Whether a chunk holds nothing but the fill value; the first value tells most that do not."""
        if self.dtype.kind == "f" and np.isnan(cast(float, self.fill_value)):
            return bool(np.isnan(chunk.flat[0]) and np.isnan(chunk).all())
        return bool(chunk.flat[0] == self.fill_value and (chunk == self.fill_value).all())

    def _decode_texts(self, position: tuple[int, ...], scratch: bytearray) -> Values:
        try:
            stored = self.files.read(self._file(position), scratch)
        except FileNotFoundError:
            return np.full(self.lengths, self.fill_value, dtype=self.dtype)
        return cast(np.ndarray, _TEXTS.decode(_ZSTD.decode(stored))).astype(self.dtype).reshape(self.lengths)


def _content_size(stored: Bytes) -> int | None:
    """Content size as the first frame's header gives it (RFC 8878, 3.1.1.1)."""
    if len(stored) <= 4:
        return None
    flags = stored[4]
    single = bool(flags & 0x20)
    start = 5 + (not single) + (0, 1, 2, 4)[flags & 3]
    length = (int(single), 2, 4, 8)[flags >> 6]
    if not length:
        return None
    return int.from_bytes(stored[start : start + length], "little") + (256 if length == 2 else 0)
