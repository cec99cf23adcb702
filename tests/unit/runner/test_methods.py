"""How the values of a period become one."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from climatejobs.processes.resample import QUANTILES, Method
from climatejobs_runner.resampling.methods import Aggregation, Exact, begin, result_dtype

METHODS: tuple[Method, ...] = get_args(Method.__value__)
STEPS = nps.arrays(
    np.float32,
    nps.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.one_of(st.floats(-(2.0**100), 2.0**100, width=32), st.just(np.nan), st.just(np.inf)),
)


def state(method: Method, steps: np.ndarray) -> Aggregation:
    return begin(method, steps.shape[1], steps=len(steps))


def even(steps: np.ndarray) -> Exact:
    return np.ones(len(steps))


def aggregate(method: Method, steps: np.ndarray) -> Exact:
    period = state(method, steps)
    period.add(steps, even(steps))
    return period.finish()


@given(st.sampled_from(METHODS), STEPS, st.data())
def test_pieces_give_the_same_bits_as_the_whole(method: Method, steps: np.ndarray, data: st.DataObject) -> None:
    pieces = state(method, steps)
    cuts = sorted(data.draw(st.sets(st.integers(min_value=0, max_value=len(steps)))))
    for start, stop in zip([0, *cuts], [*cuts, len(steps)], strict=True):
        if stop > start:
            pieces.add(steps[start:stop], even(steps[start:stop]))
    one, other = aggregate(method, steps), pieces.finish()
    np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
    assert np.nan_to_num(one).tobytes() == np.nan_to_num(other).tobytes()


@pytest.mark.parametrize("method", ["mean", "sum"])
def test_cells_are_taken_some_at_a_time_without_a_difference(method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(1)
    steps = generator.normal(size=(6, 50)).astype(np.float32)
    steps[generator.random(steps.shape) < 0.3] = np.nan
    steps[:, 7] = np.nan
    whole = aggregate(method, steps).copy()
    monkeypatch.setattr("climatejobs_runner.resampling.methods.BAND_CELLS", 8)
    np.testing.assert_array_equal(aggregate(method, steps), whole)


@given(STEPS, st.data())
def test_pieces_of_a_weighted_mean_give_the_same_bits(steps: np.ndarray, data: st.DataObject) -> None:
    weights = np.array(data.draw(st.lists(st.integers(28, 31), min_size=len(steps), max_size=len(steps))), dtype=float)
    whole, pieces = (begin("mean", steps.shape[1], weighted=True) for _ in range(2))
    whole.add(steps, weights)
    for index in range(len(steps)):
        pieces.add(steps[index : index + 1], weights[index : index + 1])
    one, other = whole.finish(), pieces.finish()
    np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
    assert np.nan_to_num(one).tobytes() == np.nan_to_num(other).tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_a_cell_without_values_is_missing_and_others_leave_missing_values_out(method: Method) -> None:
    values = aggregate(method, np.array([[np.nan, 1, 1], [np.nan, np.nan, 4]], dtype=np.float32))
    assert np.isnan(values[0]) or (method == "count" and values[0] == 0)
    assert values[1] == (0 if method == "std" else 1)
    share = QUANTILES.get(method, 0)
    figures = {"mean": 2.5, "sum": 5, "min": 1, "max": 4, "std": 1.5, "count": 2, "first": 1, "last": 4}
    assert values[2] == pytest.approx(figures.get(method, 1 + 3 * share), rel=1e-15)


@pytest.mark.parametrize("method", METHODS)
def test_the_next_period_starts_afresh(method: Method) -> None:
    period = begin(method, 2, steps=2)
    period.add(np.array([[7, 7], [8, np.nan]], dtype=np.float32), np.ones(2))
    period.finish()
    period.add(np.array([[3, np.nan]], dtype=np.float32), np.ones(1))
    values = period.finish()
    assert values[0] == {"std": 0, "count": 1}.get(method, 3)
    assert np.isnan(values[1]) or (method == "count" and values[1] == 0)


@given(st.sampled_from(sorted(QUANTILES)), STEPS)
def test_quantiles_are_those_of_numpy(method: Method, steps: np.ndarray) -> None:
    finite = np.where(np.isinf(steps), np.nan, steps).astype(np.float64)
    there = ~np.isnan(finite).all(axis=0)
    expected = np.full(finite.shape[1], np.nan)
    if there.any():
        expected[there] = np.nanquantile(finite[:, there], QUANTILES[method], axis=0)
    np.testing.assert_array_equal(aggregate(method, finite), expected)


@given(STEPS)
def test_the_deviation_is_that_of_all_values_there_are(steps: np.ndarray) -> None:
    finite = np.where(np.isinf(steps), np.nan, np.clip(steps, -1e6, 1e6)).astype(np.float64)
    there = ~np.isnan(finite).all(axis=0)
    deviation = aggregate("std", finite)
    assert np.isnan(deviation[~there]).all()
    if there.any():
        expected = np.nanstd(finite[:, there], axis=0, ddof=0)
        slack = 1e-9 * np.nanmax(np.abs(finite))
        np.testing.assert_allclose(deviation[there], expected, rtol=1e-9, atol=slack)


def test_values_are_added_in_double_precision() -> None:
    steps = np.full((8760, 1), 300.1, dtype=np.float32)
    assert abs(aggregate("mean", steps)[0] - float(steps[0, 0])) < 1e-9


@given(STEPS)
def test_sums_are_added_in_the_order_of_time(steps: np.ndarray) -> None:
    total = np.zeros(steps.shape[1])
    with np.errstate(invalid="ignore"):
        for step in steps.astype(np.float64):
            total = np.where(np.isnan(step), total, total + step)
    there = ~np.isnan(steps).all(axis=0)
    np.testing.assert_array_equal(aggregate("sum", steps), np.where(there, total, np.nan))


@pytest.mark.parametrize("cells", [1, 2, 3, 17, 40_000])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_many_steps_are_added_one_after_the_other(cells: int, dtype: str) -> None:
    # Numbers so different in size that any other order would be seen.
    steps = (np.random.default_rng(1).normal(size=(200, cells)) * 1000).astype(dtype)
    if dtype == "float64":
        steps *= 10.0 ** np.random.default_rng(2).integers(-6, 12, size=steps.shape)
    expected = np.zeros(cells)
    for step in steps:
        expected = expected + step
    np.testing.assert_array_equal(aggregate("sum", steps), expected)


def test_whole_numbers_are_added_without_loss() -> None:
    assert aggregate("sum", np.array([[2**40], [1]], dtype=np.int64))[0] == 2**40 + 1


@given(STEPS)
def test_the_mean_lies_between_the_extremes(steps: np.ndarray) -> None:
    finite = np.where(np.isinf(steps), np.nan, steps)
    least, mean, greatest = (aggregate(method, finite) for method in ("min", "mean", "max"))
    there = ~np.isnan(mean)
    slack = np.abs(mean[there]) * 1e-12 + 1e-12
    biggest = max(1.0, float(np.nanmax(np.abs(finite), initial=0))) * 1e-12
    assert (least[there] <= mean[there] + slack + biggest).all()
    assert (mean[there] <= greatest[there] + slack + biggest).all()


@pytest.mark.parametrize(
    ("source", "result"), [("float32", "float32"), ("float64", "float64"), ("int16", "float64"), ("uint8", "float64")]
)
def test_floats_keep_their_type(source: str, result: str) -> None:
    assert result_dtype(source, "mean") == result
    assert result_dtype(source, "count") == "int32"
