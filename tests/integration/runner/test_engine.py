"""The engine on its own: every method, frequency and calendar against plain numpy, however the work is divided."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from climatejobs.datasets import Coverage, Dataset, Variable
from climatejobs.frequencies import parse_frequency
from climatejobs.processes.resample import Method
from climatejobs.times import parse_moment
from climatejobs_runner import timeaxis
from climatejobs_runner.arrays import ArraySpec, StepWriter, time_field
from climatejobs_runner.calendars import find_calendar
from climatejobs_runner.resampling import result
from climatejobs_runner.resampling.plan import Request, make_plan
from climatejobs_runner.stores import StoreReader, StoreWriter
from climatejobs_runner.timeaxis import TimeAxis
from tests.oracle import aggregate, model_times

METHODS: tuple[Method, ...] = get_args(Method.__value__)
CALENDARS = ["standard", "proleptic_gregorian", "noleap", "all_leap", "360_day"]
FREQUENCIES = ["6h", "1D", "W-MON", "W-SUN", "dekad", "MS", "QS", "QS-FEB", "YS", "YS-JUL"]
SETTINGS = settings(
    max_examples=60,
    deadline=None,
    # Without shrinking, which takes minutes where every example writes files; the examples are small as they are.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@dataclass(frozen=True)
class Source:
    """A data set in a store of its own."""

    dataset: Dataset
    store: StoreReader

    @property
    def axis(self) -> TimeAxis:
        """Its time steps."""
        time = self.store.array("time")
        return timeaxis.decode(time.read(), time.spec.attributes)


def store_source(
    path: Path, values: np.ndarray, hours: np.ndarray, frequency: str, *, chunk: int, calendar: str = "standard"
) -> Source:
    """Write `values[time, y, x]`, stamped in hours from 1970-01-01, in chunks of so many steps."""
    axis = TimeAxis(3600 * hours.astype(np.int64), find_calendar(calendar))
    shape: dict[str, int] = dict(zip(("time", "y", "x"), values.shape, strict=True))
    parsed = parse_frequency(frequency)
    dataset = Dataset(
        id="source",
        title="Source",
        variables=[Variable(name="v", units="K", dtype=str(values.dtype))],
        frequency=str(parsed),
        period_type=parsed.period_type,
        calendar=calendar,
        shape=shape,
        chunks={**shape, "time": chunk},
        coverage=Coverage(start=axis.label(0), end=axis.label(-1)),
        version="0123abcd",
    )
    writer = StoreWriter(path, {})
    writer.add(time_field("time", axis.seconds, axis.calendar, {}))
    array = writer.create(
        ArraySpec("v", tuple(shape), values.shape, tuple(dataset.chunks.values()), str(values.dtype), {"units": "K"})
    )
    steps = StepWriter(array)
    steps.append(values)
    steps.flush()
    writer.finish(dataset)
    return Source(dataset, StoreReader(path))


def compute(
    source: Source, path: Path, request: Request, *, shards: int = 1, threads: int = 1, output_chunk: int = 5
) -> StoreReader:
    """Carry out a request in so many parts, the last one first."""
    plan = make_plan(source.dataset, source.axis, request)
    described = result.describe(plan, result.Identity("result", plan.version, None))
    described = described.model_copy(update={"chunks": {**described.chunks, "time": output_chunk}})
    result.prepare(plan, source.store, described, path)
    chunks = result.output_chunks(described)
    cuts = [index * chunks // shards for index in range(shards + 1)]
    done: list[int] = []
    for part in [range(*pair) for pair in itertools.pairwise(cuts)][::-1]:
        result.compute(plan, source.store, described, path, chunks=part, advance=done.append, threads=threads)
        assert sum(done) == result.count_work(plan, source.store, described, part)
        done.clear()
    result.finish(described, path)
    return StoreReader(path)


def scatter(generator: np.random.Generator, values: np.ndarray, pattern: str) -> np.ndarray:
    """Make some values NaN."""
    match pattern:
        case "none":
            pass
        case "sea":
            values[:, generator.random(values.shape[1:]) < 0.4] = np.nan
        case "steps":
            values[generator.random(len(values)) < 0.3] = np.nan
        case "sparse":
            values[generator.random(values.shape) < 0.02] = np.nan
        case "dense":
            values[generator.random(values.shape) < 0.9] = np.nan
        case _:
            values[:] = np.nan
    return values


@SETTINGS
@given(
    method=st.sampled_from(METHODS),
    frequency=st.sampled_from(FREQUENCIES),
    calendar=st.sampled_from(CALENDARS),
    pattern=st.sampled_from(["none", "sea", "steps", "sparse", "dense", "all"]),
    dtype=st.sampled_from(["float32", "float64", "int16"]),
    step=st.sampled_from([1, 6, 24]),
    division=st.tuples(st.sampled_from([1, 24, 168, 169]), st.sampled_from([1, 2, 7]), st.sampled_from([1, 2, 3])),
    fraction=st.sampled_from([0.0, 0.0, 0.7, 1.0]),
    seed=st.integers(0, 10**6),
)
def test_every_cell_is_that_of_plain_numpy(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    method: Method,
    frequency: str,
    calendar: str,
    pattern: str,
    dtype: str,
    step: int,
    division: tuple[int, int, int],
    fraction: float,
    seed: int,
) -> None:
    if frequency.startswith("W") and "gregorian" not in calendar and calendar != "standard":
        return
    if frequency == "6h" and step == 24:
        return
    generator = np.random.default_rng(seed)
    chunk, shards, threads = division
    length = 400 if step < 24 or not frequency.startswith("YS") else 900
    kept = np.sort(generator.choice(length, size=length - generator.integers(0, 40), replace=False))
    kept[:2] = [0, 1]
    hours = step * (kept + int(generator.integers(0, 3000)) * 24 // step)
    values = generator.normal(20, 10, size=(len(hours), 2, 3))
    if dtype != "int16":
        values = scatter(generator, values, pattern)
    values = values.astype(dtype)
    starts, expected = aggregate(
        values, model_times(hours.tolist(), calendar), frequency, method, min_valid_fraction=fraction
    )
    if not starts:
        return
    folder = tmp_path_factory.mktemp("engine")
    source = store_source(folder / "source", values, hours, f"{step}h", chunk=chunk, calendar=calendar)
    request = Request(parse_frequency(frequency), method, parse_moment("1900-01-01"), None, fraction)
    found = compute(source, folder / "result", request, shards=shards, threads=threads)
    array = found.array("v")
    assert array.spec.dtype == ("int32" if method == "count" else "float64" if dtype == "int16" else dtype)
    time = found.array("time")
    labels = [timeaxis.decode(time.read(), time.spec.attributes).label(index) for index in range(len(starts))]
    assert labels == [start.strftime("%Y-%m-%dT%H:%M:%SZ") for start in starts]
    if method == "std":
        np.testing.assert_allclose(
            array.read().astype(np.float64), expected.astype(array.spec.dtype), rtol=1e-6, atol=1e-12
        )
    else:
        np.testing.assert_array_equal(array.read(), expected.astype(array.spec.dtype))


@pytest.mark.parametrize("method", ["mean", "std", "p90", "first"])
@pytest.mark.parametrize("shape", [(500, 1, 1), (500, 7, 11)])
def test_no_division_of_the_work_changes_a_bit(tmp_path: Path, method: Method, shape: tuple[int, int, int]) -> None:
    generator = np.random.default_rng(7)
    values = scatter(generator, generator.normal(300, 50, size=shape), "sparse").astype(np.float32)
    hours = np.arange(len(values)) + 482136
    request = Request(parse_frequency("36h"), method, parse_moment("1900-01-01"))
    seen: set[bytes] = set()
    for chunk in (1, 24, 168, 169):
        source = store_source(tmp_path / f"{chunk}", values, hours, "1h", chunk=chunk)
        for shards, threads in ((1, 1), (2, 2), (7, 3)):
            found = compute(
                source, tmp_path / f"{chunk}-{shards}", request, shards=shards, threads=threads, output_chunk=2
            )
            seen.add(found.array("v").read().tobytes())
    assert len(seen) == 1


def test_months_summed_make_the_year(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    values = generator.gamma(2, 3, size=(365, 3, 3))
    hours = 24 * (np.arange(365) + 20089)
    source = store_source(tmp_path / "source", values, hours, "1D", chunk=24)
    months, year = (
        compute(source, tmp_path / frequency, Request(parse_frequency(frequency), "sum", parse_moment("1900-01-01")))
        .array("v")
        .read()
        .astype(np.float64)
        for frequency in ("MS", "YS")
    )
    np.testing.assert_allclose(months.sum(axis=0), year[0], rtol=1e-15)


@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
def test_days_weigh_where_months_differ(tmp_path: Path, calendar: str) -> None:
    generator = np.random.default_rng(3)
    starts = find_calendar(calendar).month_start(np.arange(30, dtype=np.int64))
    stamps = [int(start) * 24 for start in starts]
    values = scatter(generator, generator.normal(10, 5, size=(30, 2, 2)), "sparse")
    source = store_source(tmp_path / "source", values, np.array(stamps), "MS", chunk=7, calendar=calendar)
    request = Request(parse_frequency("YS"), "mean", parse_moment("1900-01-01"), day_weighting=True)
    plan = make_plan(source.dataset, source.axis, request)
    plain = make_plan(source.dataset, source.axis, Request(parse_frequency("YS"), "mean", parse_moment("1900-01-01")))
    # Where all months are of one length weights change nothing, and it is the same result.
    assert (plan.version == plain.version) == (calendar == "360_day")
    found = compute(source, tmp_path / "result", request).array("v").read()
    _, expected = aggregate(values, model_times(stamps, calendar), "YS", "mean", day_weighting=calendar != "360_day")
    np.testing.assert_array_equal(found, expected)


def test_quantiles_are_made_of_few_cells_at_a_time_where_memory_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(5)
    values = scatter(generator, generator.normal(300, 50, size=(240, 5, 7)), "sparse").astype(np.float32)
    source = store_source(tmp_path / "source", values, np.arange(240), "1h", chunk=50)
    request = Request(parse_frequency("1D"), "median", parse_moment("1900-01-01"))
    whole = compute(source, tmp_path / "whole", request).array("v").read()
    monkeypatch.setattr("climatejobs.footprints.SORT_BYTES", 24 * 8 * 4)
    parts = compute(source, tmp_path / "parts", request, threads=2).array("v").read()
    assert whole.tobytes() == parts.tobytes()


def test_a_variable_is_missing_in_periods_that_it_does_not_cover(tmp_path: Path) -> None:
    values = np.ones((96, 1, 1), dtype=np.float32)
    source = store_source(tmp_path / "source", values, np.arange(96), "1h", chunk=24)
    (variable,) = source.dataset.variables
    short = Coverage(start="1970-01-01T00:00:00Z", end="1970-01-03T22:00:00Z")
    variables = [variable.model_copy(update={"coverage": short}), variable.model_copy(update={"name": "w"})]
    request = Request(parse_frequency("1D"), "sum", parse_moment("1900-01-01"))
    both = make_plan(source.dataset.model_copy(update={"variables": variables}), source.axis, request)
    assert (both.periods, both.covered) == (4, {"v": range(2)})
    only = make_plan(source.dataset.model_copy(update={"variables": variables[:1]}), source.axis, request)
    assert (only.periods, only.covered) == (2, {})


@pytest.mark.parametrize(("fraction", "expected"), [(0.0, [24, 23, 12]), (0.5, [24, 23, 12]), (0.96, [24, None, None])])
def test_a_period_with_holes_needs_the_share_that_is_asked_for(
    tmp_path: Path, fraction: float, expected: list[float | None]
) -> None:
    hours = np.concatenate([np.arange(24), np.arange(25, 48), np.arange(60, 72)])
    source = store_source(tmp_path / "source", np.ones((len(hours), 1, 1)), hours, "1h", chunk=24)
    request = Request(parse_frequency("1D"), "sum", parse_moment("1900-01-01"), None, fraction)
    found = compute(source, tmp_path / "result", request).array("v").read().ravel().tolist()
    assert [None if np.isnan(value) else value for value in found] == expected
