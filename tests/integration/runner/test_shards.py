"""A result computed in parts, by whoever and in any order, is the same to the last byte."""

import itertools
import random
from pathlib import Path

import numpy as np
import pytest

from climatejobs.datasets import Dataset
from climatejobs.frequencies import parse_frequency
from climatejobs.times import parse_moment
from climatejobs_runner import timeaxis
from climatejobs_runner.data_root import DataRoot
from climatejobs_runner.resampling import result
from climatejobs_runner.resampling.plan import Plan, Request, make_plan
from climatejobs_runner.stores import StoreReader
from tests.integration.runner.conftest import Runner, contents, weather, write_netcdf

HOURS = np.arange(24 * 60)


@pytest.fixture
def source(runner: Runner, tmp_path: Path) -> tuple[Dataset, StoreReader]:
    values = weather(len(HOURS), 6)
    runner.bring(write_netcdf(tmp_path / "t2m.nc", values, HOURS), "source", "--chunk-steps", "25")
    root = DataRoot(runner.data)
    dataset = root.read_dataset("source")
    return dataset, StoreReader(root.store(dataset))


def planned(source: tuple[Dataset, StoreReader]) -> tuple[Plan, Dataset]:
    """A plan for daily means, and a result of seven chunks along time."""
    dataset, store = source
    time = store.array("time")
    axis = timeaxis.decode(time.read(), time.spec.attributes)
    plan = make_plan(dataset, axis, Request(parse_frequency("1D"), "mean", parse_moment("2025-01-01")))
    described = result.describe(plan, result.Identity("daily", plan.version, None))
    return plan, described.model_copy(update={"chunks": {**described.chunks, "time": 9}})


@pytest.mark.parametrize("shards", [1, 2, 7])
def test_any_division_gives_the_same_bytes(source: tuple[Dataset, StoreReader], tmp_path: Path, shards: int) -> None:
    plan, described = planned(source)
    chunks = result.output_chunks(described)
    assert chunks == 7
    whole, parts = tmp_path / "whole.zarr", tmp_path / "parts.zarr"
    for store in (whole, parts):
        result.prepare(plan, source[1], described, store)
    result.compute(plan, source[1], described, whole, chunks=range(chunks), advance=lambda _: None)
    cuts = [round(index * chunks / shards) for index in range(shards + 1)]
    ranges = [range(*pair) for pair in itertools.pairwise(cuts)]
    counted: list[int] = []
    # One is computed twice, as when a pod that was thought lost is still at work.
    for part in random.Random(shards).sample(ranges, len(ranges)) + ranges[:1]:  # noqa: S311 - not a secret
        result.compute(plan, source[1], described, parts, chunks=part, advance=counted.append)
    for store in (whole, parts):
        result.finish(described, store)
    assert contents(whole) == contents(parts)
    work = sum(result.count_work(plan, source[1], described, part) for part in [*ranges, ranges[0]])
    assert sum(counted) == work
    assert result.count_work(plan, source[1], described, range(chunks)) == plan.steps


def test_a_part_writes_its_own_chunks_and_nothing_else(source: tuple[Dataset, StoreReader], tmp_path: Path) -> None:
    plan, described = planned(source)
    store = tmp_path / "store.zarr"
    result.prepare(plan, source[1], described, store)
    prepared = contents(store)
    result.compute(plan, source[1], described, store, chunks=range(2, 4), advance=lambda _: None)
    added = {name for name in contents(store) if name not in prepared}
    assert added == {"t2m/c/2/0/0", "t2m/c/3/0/0"}
    assert {name: bytes_ for name, bytes_ in contents(store).items() if name in prepared} == prepared
