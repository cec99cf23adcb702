"""Decoding chunks straight into memory that is already there, for the encodings that are usual.

Zarr decodes any chunk, each into memory of its own that is then copied; with chunks of tens of megabytes that costs
more than the decompression. Here the usual encodings are recognised (little-endian bytes; zstd, blosc or gzip; a
CRC-32C) and decoded into a buffer that is used again. Anything else is left to Zarr.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import google_crc32c
import numpy as np
from numcodecs import GZip
from numcodecs.blosc import Blosc  # pyright: ignore[reportUnknownVariableType] - compiled, without stubs
from numcodecs.zstd import Zstd  # pyright: ignore[reportUnknownVariableType] - compiled, without stubs
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ZstdCodec
from zarr.core.metadata import ArrayV2Metadata
from zarr.storage import LocalStore
from zarr.types import AnyArray

from climatejobs_runner import links

_CHECKSUM_BYTES = 4
_BLOSC_HEADER_BYTES = 16

type Bytes = bytearray | memoryview | bytes
type Step = Callable[[Bytes], Bytes]


class Codec(Protocol):
    """A codec of numcodecs."""

    def decode(self, buf: Bytes, out: object = None) -> Bytes:
        """Decode bytes, into `out` where that is given."""
        ...


@dataclass(frozen=True)
class Decompressor:
    """A codec, and what it says of the size of its content."""

    codec: Codec
    size: Callable[[Bytes], int | None]
    """Bytes that what is stored holds, if it says so."""


@dataclass(frozen=True)
class ChunkDecoder:
    """How the chunks of one array become values."""

    root: str
    """Folder of the store."""
    prefix: str
    """What the names of the array's files begin with, below that folder."""
    chunk_key: Callable[[tuple[int, ...]], str]
    chunks: tuple[int, ...]
    fill_value: float | int
    before: tuple[Step, ...]
    """What is undone first: checksums of what is stored."""
    decompressor: Decompressor | None
    after: tuple[Step, ...]
    """What is undone last: checksums of what was compressed."""

    def decode(self, position: tuple[int, ...], out: np.ndarray, scratch: bytearray) -> None:
        """Write the values of a chunk to `out`, which has its shape and is contiguous.

        `scratch` takes what is stored, and grows as needed. Raises `ValueError` or `RuntimeError` where the chunk is
        damaged, and `DataError` where a symbolic link leads to it.
        """
        name = self.prefix + self.chunk_key(position)
        try:
            stored = _read(self.root, name, scratch)
        except FileNotFoundError:
            links.check(self.root, name)
            out.fill(self.fill_value)
            return
        for step in self.before:
            stored = step(stored)
        if self.decompressor is not None and not self.after and (size := self.decompressor.size(stored)) is not None:
            # A shorter content would be accepted, and leave the rest of the buffer as it was.
            if size != out.nbytes:
                raise ValueError(f"it holds {size} bytes instead of {out.nbytes}")
            self.decompressor.codec.decode(stored, out)
            return
        plain = stored if self.decompressor is None else self.decompressor.codec.decode(stored)
        for step in self.after:
            plain = step(plain)
        content = np.frombuffer(plain, dtype=np.uint8)
        if content.nbytes != out.nbytes:
            raise ValueError(f"it holds {content.nbytes} bytes instead of {out.nbytes}")
        out.reshape(-1).view(np.uint8)[:] = content


def recognise(array: AnyArray) -> ChunkDecoder | None:
    """How to decode the chunks of an array, or None where only Zarr knows."""
    store = array.store_path.store
    dtype = np.dtype(cast(str, array.dtype))
    if not isinstance(store, LocalStore) or dtype.kind not in "iuf" or not dtype.isnative:
        return None
    metadata = array.metadata
    path = array.store_path.path
    if isinstance(metadata, ArrayV2Metadata):
        if metadata.filters or metadata.order != "C" or not isinstance(metadata.compressor, Zstd | Blosc | GZip | None):
            return None
        fill = 0 if metadata.fill_value is None else metadata.fill_value
        found = ((), _DECOMPRESSORS[type(metadata.compressor)] if metadata.compressor is not None else None, ())
    else:
        if metadata.chunk_grid.to_dict().get("name") != "regular":
            return None
        fill = metadata.fill_value
        found = _chain(metadata.codecs)
    if found is None:
        return None
    return ChunkDecoder(
        str(store.root),
        f"{path}/" if path else "",
        metadata.encode_chunk_key,
        tuple(array.chunks),
        cast(float | int, fill),
        *found,
    )


def _chain(codecs: Sequence[object]) -> tuple[tuple[Step, ...], Decompressor | None, tuple[Step, ...]] | None:
    """What undoes codecs that are given in the order of encoding."""
    if not codecs or not isinstance(codecs[0], BytesCodec):
        return None
    if codecs[0].endian not in (None, "little"):
        return None
    before: list[Step] = []
    after: list[Step] = []
    decompressor: Decompressor | None = None
    for codec in codecs[1:]:
        if isinstance(codec, Crc32cCodec):
            (after if decompressor is None else before).append(_verify)
        elif isinstance(codec, ZstdCodec | BloscCodec | GzipCodec) and decompressor is None:
            decompressor = _DECOMPRESSORS[type(codec)]
        else:
            return None
    return tuple(before[::-1]), decompressor, tuple(after[::-1])


def _verify(stored: Bytes) -> Bytes:
    content = memoryview(stored)[:-_CHECKSUM_BYTES]
    expected = int.from_bytes(memoryview(stored)[-_CHECKSUM_BYTES:], "little")
    if google_crc32c.value(bytes(content)) != expected:  # pyright: ignore[reportUnknownMemberType] - no stubs
        raise ValueError("its checksum is not that of its contents")
    return content


def _zstd_size(stored: Bytes) -> int | None:
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


def _blosc_size(stored: Bytes) -> int | None:
    # Blosc itself would read on beyond the end of what is there.
    if len(stored) < _BLOSC_HEADER_BYTES or int.from_bytes(stored[12:16], "little") != len(stored):
        raise ValueError("it ends too early")
    return int.from_bytes(stored[4:8], "little")


def _unknown(_stored: Bytes) -> int | None:
    return None


_ZSTD = Decompressor(cast(Codec, Zstd()), _zstd_size)
_BLOSC = Decompressor(cast(Codec, Blosc()), _blosc_size)
_GZIP = Decompressor(cast(Codec, GZip()), _unknown)
_DECOMPRESSORS: Mapping[type, Decompressor] = {
    ZstdCodec: _ZSTD,
    BloscCodec: _BLOSC,
    GzipCodec: _GZIP,
    Zstd: _ZSTD,
    Blosc: _BLOSC,
    GZip: _GZIP,
}


def _read(root: str, name: str, scratch: bytearray) -> memoryview:
    # No file object: where a chunk is one step, opening costs as much as reading.
    file = os.open(f"{root}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        links.check_opened(file, root, name)
        size = os.fstat(file).st_size
        if len(scratch) < size:
            scratch.extend(bytes(size - len(scratch)))
        view = memoryview(scratch)[:size]
        filled = 0
        while filled < size and (count := os.readv(file, [view[filled:]])):
            filled += count
        return view[:filled]
    finally:
        os.close(file)
