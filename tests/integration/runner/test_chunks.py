"""What is stored is what Zarr would store, byte by byte; what is read is what Zarr reads; and damage is noticed."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from numcodecs.zstd import Zstd  # pyright: ignore[reportUnknownVariableType] - compiled, without stubs
from zarr.codecs import BytesCodec, GzipCodec, ZstdCodec
from zarr.storage import LocalStore

from climatejobs.datasets import Dataset
from climatejobs.errors import DataError
from climatejobs_runner.arrays import TEXT, ArraySpec, Field, StoredArray
from climatejobs_runner.blocks import BlockReader, stream
from climatejobs_runner.stores import StoreReader, StoreWriter

SHAPE, CHUNKS = (50, 9, 7), (8, 4, 7)
NAMES = ("time", "y", "x")
VALUES = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
NUMBERS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64")


def spec_of(values: np.ndarray, chunks: tuple[int, ...] = CHUNKS, name: str = "v") -> ArraySpec:
    """An array for those values."""
    dtype = TEXT if values.dtype.kind == "T" else str(values.dtype)
    return ArraySpec(name, NAMES[: values.ndim], values.shape, chunks, dtype, {"units": "K", "valid": [1, 2.5, None]})


def store(path: Path, values: np.ndarray = VALUES, chunks: tuple[int, ...] = CHUNKS) -> StoredArray:
    """An array as this project stores it, the last two steps left out."""
    array = StoreWriter(path, {}).create(spec_of(values, chunks))
    array.write((slice(0, 48),), values[:48])
    return array


def store_by_zarr(path: Path, values: np.ndarray, spec: ArraySpec) -> Any:
    """The same by Zarr itself."""
    group: Any = cast(Any, zarr).Group.from_store(LocalStore(path), attributes={"Conventions": "CF-1.11"})
    dtype: Any = values.dtype
    array = group.create_array(
        spec.name,
        shape=spec.shape,
        chunks=spec.chunks,
        dtype=dtype,
        compressors=ZstdCodec(level=1, checksum=True),
        fill_value={"f": np.nan, "T": "", "b": False}.get(dtype.kind, 0),
        dimension_names=spec.dimensions,
        attributes=dict(spec.attributes),
    )
    array[...] = values
    return array


def files_below(path: Path) -> dict[str, bytes]:
    """Contents of all files, by their names."""
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def read(array: StoredArray, tile: tuple[slice, ...], run: slice, steps: int) -> np.ndarray:
    """What a block reader makes of it, block after block."""
    parts: list[np.ndarray] = []
    for start in range(run.start // steps * steps, run.stop, steps):
        block = slice(max(start, run.start), min(start + steps, run.stop))
        parts.append(BlockReader(array, tile, steps).read(block).copy())
    return np.concatenate(parts)


def reader_of(array: StoredArray) -> Callable[[], BlockReader]:
    """What makes readers of the whole grid, eight steps at a time."""
    return partial(BlockReader, array, (slice(0, 9), slice(0, 7)), 8)


class Record:
    """What is said of a data set."""

    def model_dump(self, mode: str) -> dict[str, str]:
        """As JSON can hold it."""
        return {"id": "made", "mode": mode}


@st.composite
def stored(draw: st.DrawFn) -> tuple[np.ndarray, tuple[int, ...]]:
    """Values of any type and shape, often the fill value, and a chunking of them."""
    shape = draw(arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9))
    chunks = tuple(draw(st.integers(1, 10)) for _ in shape)
    dtype = np.dtype(draw(st.sampled_from(NUMBERS)))
    elements = arrays_of.from_dtype(dtype) | st.just(dtype.type(np.nan if dtype.kind == "f" else 0))
    fill = st.just(dtype.type(np.nan if dtype.kind == "f" else 0))
    return draw(arrays_of.arrays(dtype, shape, elements=elements, fill=fill)), chunks


@given(stored())
def test_the_files_are_those_that_zarr_writes(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[np.ndarray, tuple[int, ...]]
) -> None:
    values, chunks = drawn
    folder = tmp_path_factory.mktemp("stores")
    spec = spec_of(values, chunks)
    StoreWriter(folder / "ours", {}).create(spec).write((), values)
    theirs = store_by_zarr(folder / "theirs", values, spec)
    assert files_below(folder / "ours") == files_below(folder / "theirs")
    ours = StoreWriter(folder / "ours").array("v")
    assert ours.spec == spec
    np.testing.assert_array_equal(ours.read(), np.asarray(theirs[...]))


def test_texts_are_stored_as_zarr_stores_them(tmp_path: Path) -> None:
    values = np.array(["", "Ampanihy", "Île", "", "", ""], dtype=np.dtypes.StringDType())
    spec = spec_of(values, (2,))
    StoreWriter(tmp_path / "ours", {}).create(spec).write((), values)
    store_by_zarr(tmp_path / "theirs", values, spec)
    assert files_below(tmp_path / "ours") == files_below(tmp_path / "theirs")
    assert StoreWriter(tmp_path / "ours").array("v").read().tolist() == values.tolist()


def test_a_finished_store_says_what_zarr_says_of_all_its_arrays(tmp_path: Path) -> None:
    writer = StoreWriter(tmp_path / "ours", {"title": "Île", "levels": [1, None, 2.5e30]})
    writer.create(spec_of(VALUES))
    writer.add(Field("crs", (), np.array(0, dtype=np.int32), {"grid_mapping_name": "latitude_longitude"}))
    writer.add(Field("y", ("y",), np.arange(9.0)))
    before = cast(Any, zarr).open_group(str(tmp_path / "ours"), mode="r", use_consolidated=False)
    assert sorted(before.array_keys()) == ["crs", "v", "y"]
    writer.finish(cast(Dataset, Record()))
    written = (tmp_path / "ours" / "zarr.json").read_bytes()
    with pytest.warns(UserWarning, match="Consolidated metadata"):
        cast(Any, zarr).consolidate_metadata(str(tmp_path / "ours"), zarr_format=3)
    assert (tmp_path / "ours" / "zarr.json").read_bytes() == written
    reader = StoreReader(tmp_path / "ours")
    assert reader.names() == ["crs", "v", "y"]
    assert reader.array("y").held().values.tolist() == list(range(9))
    with pytest.raises(DataError, match="no array 'z'") as refused:
        reader.array("z")
    assert refused.value.hint == "Arrays are: crs, v, y."


@given(st.data())
def test_any_box_reads_as_zarr_reads_it(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("box")
    array = store(folder / "a")
    theirs = cast(Any, zarr).open_array(LocalStore(folder / "a"), path="v", mode="r")
    box = tuple(
        slice(*sorted((data.draw(st.integers(0, n)), data.draw(st.integers(0, n)))))
        for n in SHAPE[: data.draw(st.integers(0, 3))]
    )
    np.testing.assert_array_equal(array.read(box), np.asarray(theirs[box or ...]))


@pytest.mark.parametrize("tile", [(slice(0, 9), slice(0, 7)), (slice(4, 8), slice(0, 7)), (slice(3, 9), slice(2, 5))])
def test_blocks_are_decoded_in_place(tmp_path: Path, tile: tuple[slice, ...]) -> None:
    array = store(tmp_path / "a")
    for steps, run in ((8, slice(0, 50)), (16, slice(5, 41)), (24, slice(47, 50))):
        np.testing.assert_array_equal(read(array, tile, run, steps), array.read((run, *tile)))


def test_a_part_of_a_chunk_is_not_written_alone(tmp_path: Path) -> None:
    array = store(tmp_path / "a")
    with pytest.raises(ValueError, match=r"a part of chunk \(0, 0, 0\) of v cannot be written alone"):
        array.write((slice(0, 4),), VALUES[:4])
    with pytest.raises(ValueError, match="do not fit"):
        array.write((slice(0, 8),), VALUES[:7])
    np.testing.assert_array_equal(array.read((slice(0, 48),)), VALUES[:48])


def test_a_chunk_that_becomes_empty_is_gone(tmp_path: Path) -> None:
    array = store(tmp_path / "a")
    assert (tmp_path / "a" / "v" / "c" / "1" / "0" / "0").is_file()
    array.write((slice(8, 16),), np.full((8, 9, 7), np.nan, dtype=np.float32))
    assert not (tmp_path / "a" / "v" / "c" / "1" / "0" / "0").exists()
    assert np.isnan(array.read((slice(8, 16),))).all()


def test_nothing_is_left_of_a_write_that_fails(tmp_path: Path) -> None:
    array = store(tmp_path / "a")
    (tmp_path / "a" / "v" / "c" / "2").rename(tmp_path / "elsewhere")
    (tmp_path / "a" / "v" / "c" / "2" / "0" / "0").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        array.write((slice(16, 24),), VALUES[16:24])
    assert not list(tmp_path.rglob("*.partial"))


FOREIGN: dict[str, dict[str, Any]] = {
    "big-endian": {"serializer": BytesCodec(endian="big"), "compressors": ZstdCodec(level=1)},
    "sharded": {"shards": (16, 8, 7), "compressors": ZstdCodec(level=1)},
    "compressed twice": {"compressors": [ZstdCodec(level=1), GzipCodec(level=1)]},
    "not compressed": {"compressors": None},
    "named in another way": {"chunk_key_encoding": {"name": "v2", "separator": "."}, "compressors": ZstdCodec(level=1)},
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_stored_in_another_way_is_refused(tmp_path: Path, name: str) -> None:
    StoreWriter(tmp_path / "a", {})
    given = {"name": "v", "shape": SHAPE, "chunks": CHUNKS, "dtype": "f4", "dimension_names": NAMES, **FOREIGN[name]}
    cast(Any, zarr).create_array(LocalStore(tmp_path / "a"), **given)
    with pytest.raises(DataError, match="v is not stored in the way of this program"):
        StoreWriter(tmp_path / "a").array("v")


def test_an_array_without_names_of_its_dimensions_is_refused(tmp_path: Path) -> None:
    StoreWriter(tmp_path / "a", {})
    cast(Any, zarr).create_array(LocalStore(tmp_path / "a"), name="v", shape=(2,), chunks=(2,), dtype="f4")
    with pytest.raises(DataError, match="the dimensions of v have no names"):
        StoreWriter(tmp_path / "a").array("v")


@pytest.mark.parametrize(
    "document", ["", "[]", "{}", '{"zarr_format": 2}', '{"zarr_format": 3, "node_type": "array"}', "\xff"]
)
def test_what_is_no_group_is_refused(tmp_path: Path, document: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "zarr.json").write_text(document, encoding="latin-1")
    with pytest.raises(DataError, match="a cannot be opened as a Zarr store"):
        StoreReader(tmp_path / "a")


@pytest.mark.parametrize("kind", ["short", "torn", "empty", "changed", "unsized"])
def test_damage_is_noticed(tmp_path: Path, kind: str) -> None:
    array = store(tmp_path / "a")
    chunk = tmp_path / "a" / "v" / "c" / "1" / "0" / "0"
    content = chunk.read_bytes()
    match kind:
        case "short":
            # A chunk that is whole in itself, but of fewer values.
            store(tmp_path / "b", chunks=(4, 4, 7))
            content = (tmp_path / "b" / "v" / "c" / "1" / "0" / "0").read_bytes()
        case "unsized":
            # The window's size in the place of the content's.
            content = content[:4] + bytes([content[4] & 0x1F & ~0x20]) + content[5:]
        case "changed":
            content = content[:100] + bytes([content[100] ^ 1]) + content[101:]
        case _:
            content = content[: 40 if kind == "torn" else 0]
    chunk.write_bytes(content)
    with pytest.raises(DataError, match="a chunk is damaged"):
        stream(reader_of(array), slice(0, 50), lambda _run, _values: None, steps=8, threads=2)
    with pytest.raises(DataError, match="a chunk is damaged"):
        array.read()


def test_chunks_of_other_levels_and_without_checksum_are_read(tmp_path: Path) -> None:
    array = store(tmp_path / "a")
    chunk = tmp_path / "a" / "v" / "c" / "0" / "0" / "0"
    chunk.write_bytes(cast(Any, Zstd)(level=7).encode(VALUES[:8, :4].copy()))
    np.testing.assert_array_equal(array.read((slice(0, 8),)), VALUES[:8])


def test_blocks_come_in_order_whoever_reads_them(tmp_path: Path) -> None:
    array = store(tmp_path / "a")
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
    array = store(tmp_path / "a")
    seen: list[int] = []

    def consume(run: slice, _values: object) -> None:
        seen.append(run.start)
        if run.start == 16:
            raise KeyError("stop")

    with pytest.raises(KeyError):
        stream(reader_of(array), slice(0, 50), consume, steps=8, threads=threads)
    assert seen == [0, 8, 16]
