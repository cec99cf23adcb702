"""Chunks decoded without Zarr hold what Zarr reads, whatever the encoding; and damage is noticed."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import numcodecs as untyped_codecs
import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ZstdCodec
from zarr.storage import LocalStore

from climatejobs.errors import DataError
from climatejobs_runner.arrays import StoredArray
from climatejobs_runner.blocks import BlockReader, stream
from climatejobs_runner.decoding import recognise

codecs: Any = untyped_codecs
SHAPE, CHUNKS = (50, 9, 7), (8, 4, 7)
NAMES = ["time", "y", "x"]
VALUES = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)

ENCODINGS: dict[str, dict[str, Any]] = {
    "zstd": {"compressors": ZstdCodec(level=1)},
    "zstd with checksum": {"compressors": ZstdCodec(level=3, checksum=True)},
    "blosc": {"compressors": BloscCodec(cname="lz4", shuffle="shuffle")},
    "gzip": {"compressors": GzipCodec(level=1)},
    "plain": {"compressors": None},
    "crc of what is stored": {"compressors": [ZstdCodec(level=1), Crc32cCodec()]},
    "crc of what is compressed": {"compressors": [Crc32cCodec(), ZstdCodec(level=1)]},
    "crc alone": {"compressors": [Crc32cCodec()]},
    "version 2, zstd": {"zarr_format": 2, "compressors": codecs.Zstd(level=1)},
    "version 2, blosc": {"zarr_format": 2, "compressors": codecs.Blosc()},
    "version 2, plain": {"zarr_format": 2, "compressors": None},
}
UNUSUAL: dict[str, dict[str, Any]] = {
    "big-endian": {"serializer": BytesCodec(endian="big"), "compressors": ZstdCodec(level=1)},
    "sharded": {"shards": (16, 8, 7), "compressors": ZstdCodec(level=1)},
    "compressed twice": {"compressors": [ZstdCodec(level=1), GzipCodec(level=1)]},
    "filtered": {"zarr_format": 2, "filters": [codecs.Delta(dtype="f4")], "compressors": codecs.Zstd(level=1)},
    "columns first": {"zarr_format": 2, "order": "F", "compressors": codecs.Zstd(level=1)},
}


def store(path: Path, encoding: dict[str, Any], values: np.ndarray = VALUES) -> Any:
    """An array stored in that encoding, its last chunk of all left out."""
    given = {"shape": values.shape, "chunks": CHUNKS, "dtype": values.dtype, "fill_value": -1, **encoding}
    old = encoding.get("zarr_format") == 2
    names = {"attributes": {"_ARRAY_DIMENSIONS": NAMES}} if old else {"dimension_names": NAMES}
    array = cast(Any, zarr).create_array(LocalStore(path), **given, **names)
    array[:48] = values[:48]
    return array


def named(array: Any) -> StoredArray:
    """The array as the runner knows it."""
    return StoredArray("v", array)


def reader_of(array: Any) -> Callable[[], BlockReader]:
    """What makes readers of the whole grid, eight steps at a time."""
    return partial(BlockReader, named(array), (slice(0, 9), slice(0, 7)), 8)


def read(array: Any, tile: tuple[slice, ...], run: slice, steps: int) -> np.ndarray:
    """What a block reader makes of it, block after block."""
    parts: list[np.ndarray] = []
    for start in range(run.start // steps * steps, run.stop, steps):
        block = slice(max(start, run.start), min(start + steps, run.stop))
        parts.append(BlockReader(named(array), tile, steps).read(block).copy())
    return np.concatenate(parts)


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("tile", [(slice(0, 9), slice(0, 7)), (slice(4, 8), slice(0, 7)), (slice(3, 9), slice(2, 5))])
def test_usual_encodings_are_decoded_in_place(tmp_path: Path, name: str, tile: tuple[slice, ...]) -> None:
    array = store(tmp_path / "a", ENCODINGS[name])
    assert recognise(array) is not None
    for steps, run in ((8, slice(0, 50)), (16, slice(5, 41)), (24, slice(47, 50))):
        np.testing.assert_array_equal(read(array, tile, run, steps), np.asarray(array[(run, *tile)]))


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_encodings_are_left_to_zarr(tmp_path: Path, name: str) -> None:
    array = store(tmp_path / "a", UNUSUAL[name])
    assert recognise(array) is None
    tile = (slice(0, 9), slice(0, 7))
    np.testing.assert_array_equal(read(array, tile, slice(0, 50), 8), np.asarray(array[:]))


@pytest.mark.parametrize("kind", ["short", "torn", "empty"])
@pytest.mark.parametrize("name", ["zstd", "blosc", "gzip", "plain", "crc of what is stored"])
def test_damage_is_noticed(tmp_path: Path, name: str, kind: str) -> None:
    array = store(tmp_path / "a", ENCODINGS[name])
    chunk = tmp_path / "a" / "c" / "1" / "0" / "0"
    if kind == "short":
        # A chunk that is whole in itself, but of fewer values.
        store(tmp_path / "b", {**ENCODINGS[name], "chunks": (4, 4, 7)})
        chunk.write_bytes((tmp_path / "b" / "c" / "1" / "0" / "0").read_bytes())
    else:
        chunk.write_bytes(chunk.read_bytes()[: 40 if kind == "torn" else 0])
    with pytest.raises(DataError, match="a chunk is damaged"):
        stream(reader_of(array), slice(0, 50), lambda _run, _values: None, steps=8, threads=2)


def test_blocks_come_in_order_whoever_reads_them(tmp_path: Path) -> None:
    array = store(tmp_path / "a", ENCODINGS["zstd"])
    for threads in (1, 2, 5):
        seen: list[slice] = []
        stream(
            reader_of(array),
            slice(3, 50),
            lambda run, _values, seen=seen: seen.append(run),
            steps=8,
            threads=threads,
        )
        assert [run.start for run in seen] == [3, 8, 16, 24, 32, 40, 48]
        assert seen[-1].stop == 50


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_work_that_is_ended_ends_for_all_threads(tmp_path: Path, threads: int) -> None:
    array = store(tmp_path / "a", ENCODINGS["zstd"])
    seen: list[int] = []

    def consume(run: slice, _values: object) -> None:
        seen.append(run.start)
        if run.start == 16:
            raise KeyError("stop")

    with pytest.raises(KeyError):
        stream(reader_of(array), slice(0, 50), consume, steps=8, threads=threads)
    assert seen == [0, 8, 16]
