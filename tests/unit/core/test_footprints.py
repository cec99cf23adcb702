"""Layouts: every chunk in one block only, and memory that the length of the data does not change."""

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from climatejobs.datasets import Coverage, Dataset, Variable
from climatejobs.footprints import (
    BLOCK_BYTES,
    MIB,
    SORT_BYTES,
    chunk_steps,
    dataset_memory,
    item_bytes,
    lay_out,
    output_steps,
    sort_parts,
    threads_within,
)
from climatejobs.frequencies import parse_frequency

GRIDS = st.tuples(
    st.tuples(st.integers(1, 100_000), st.integers(1, 2000), st.integers(1, 2000)),
    st.tuples(st.integers(1, 400), st.integers(1, 2000), st.integers(1, 2000)),
    st.sampled_from(["float32", "float64", "int16"]),
)


def dataset(shape: tuple[int, int, int], chunks: tuple[int, int, int]) -> Dataset:
    names = ("time", "y", "x")
    return Dataset(
        id="some",
        title="Some",
        variables=[Variable(name="t2m", dtype="float32")],
        frequency="1h",
        period_type="hourly",
        shape=dict(zip(names, shape, strict=True)),
        chunks=dict(zip(names, chunks, strict=True)),
        coverage=Coverage(start="2025-01-01T00:00:00Z", end="2025-01-02T00:00:00Z"),
        version="0123abcd",
    )


@given(GRIDS)
def test_tiles_and_blocks_are_whole_chunks(grid: tuple[tuple[int, ...], tuple[int, ...], str]) -> None:
    shape, chunks, dtype = grid
    layout = lay_out(shape, chunks, dtype)
    for tile, chunk, length in zip(layout.tile, chunks[1:], shape[1:], strict=True):
        assert tile == length or tile % min(chunk, length) == 0
        assert 1 <= tile <= length
    assert layout.steps % min(chunks[0], shape[0]) == 0


@given(GRIDS)
def test_a_block_is_small_unless_one_chunk_is_not(grid: tuple[tuple[int, ...], tuple[int, ...], str]) -> None:
    shape, chunks, dtype = grid
    layout = lay_out(shape, chunks, dtype)
    block = layout.steps * prod(layout.tile) * item_bytes(dtype)
    chunk = prod(min(chunk, length) for chunk, length in zip(chunks, shape, strict=True)) * item_bytes(dtype)
    assert block <= max(BLOCK_BYTES, chunk)


def test_memory_does_not_grow_with_time() -> None:
    year, decade = (dataset((length, 200, 200), (168, 200, 200)) for length in (8760, 87600))
    assert dataset_memory(year) == dataset_memory(decade)


def test_memory_of_a_usual_year_fits_a_small_pod() -> None:
    assert 100 * MIB < dataset_memory(dataset((8760, 200, 200), (168, 200, 200))) < 256 * MIB


def test_large_chunks_take_the_memory_they_take() -> None:
    assert dataset_memory(dataset((8760, 400, 400), (168, 400, 400))) > 2 * 168 * 400 * 400 * 4


def test_threads_are_as_many_as_fit() -> None:
    def needed(threads: int) -> int:
        return dataset_memory(dataset((8760, 400, 400), (168, 400, 400)), threads=threads)

    assert needed(1) < needed(2) < needed(3)
    assert threads_within(None, needed, cpus=3) == 3
    assert threads_within(needed(2), needed, cpus=3) == 2
    assert threads_within(needed(2) - 1, needed, cpus=3) == 1
    assert threads_within(1, needed, cpus=3) == 1


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=3), st.integers(1, 100_000))
def test_what_is_kept_to_be_sorted_is_small_unless_one_cell_is_not(lengths: list[int], steps: int) -> None:
    parts = sort_parts(lengths, steps)
    assert all(1 <= part <= length for part, length in zip(parts, lengths, strict=True))
    assert prod(parts) * steps * 8 <= SORT_BYTES or prod(parts) == 1


def test_sorting_takes_more_than_adding() -> None:
    source = dataset((8760, 200, 200), (168, 200, 200))
    assert dataset_memory(source, sorts=True) > dataset_memory(source)


@pytest.mark.parametrize(
    ("frequency", "step_bytes", "steps"),
    [("1h", 160_000, 48), ("6h", 160_000, 52), ("1D", 160_000, 52), ("1h", 10**6, 8), ("1h", 10**9, 1)],
)
def test_chunks_of_hours_are_whole_days_where_they_can_be(frequency: str, step_bytes: int, steps: int) -> None:
    assert chunk_steps(parse_frequency(frequency), step_bytes) == steps


@given(st.integers(1, 10**8), st.integers(1, 10**6))
def test_a_chunk_that_is_written_has_a_step_and_no_more_than_there_are(cells: int, limit: int) -> None:
    assert 1 <= output_steps(cells, "float32", limit) <= limit
