"""How the values of a period become one."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from climatejobs.processes.resample import Method
from climatejobs_runner.resampling.methods import begin, result_dtype

METHODS: tuple[Method, ...] = get_args(Method.__value__)
STEPS = nps.arrays(
    np.float32,
    nps.array_shapes(min_dims=2, max_dims=3, max_side=12),
    elements=st.one_of(st.floats(-(2.0**100), 2.0**100, width=32), st.just(np.nan), st.just(np.inf)),
)


@given(st.sampled_from(METHODS), STEPS, st.data())
def test_pieces_give_the_same_bits_as_the_whole(method: Method, steps: np.ndarray, data: st.DataObject) -> None:
    whole, pieces = begin(method, steps.shape[1:]), begin(method, steps.shape[1:])
    whole.add(steps)
    cuts = sorted(data.draw(st.sets(st.integers(min_value=0, max_value=len(steps)))))
    for start, stop in zip([0, *cuts], [*cuts, len(steps)], strict=True):
        pieces.add(steps[start:stop])
    assert whole.finish().tobytes() == pieces.finish().tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_a_cell_without_values_is_missing_and_others_leave_missing_values_out(method: Method) -> None:
    period = begin(method, (3,))
    period.add(np.array([[np.nan, 1, 1], [np.nan, np.nan, 4]], dtype=np.float32))
    values = period.finish()
    assert np.isnan(values[0])
    assert values[1] == 1
    assert values[2] == {"mean": 2.5, "sum": 5, "min": 1, "max": 4}[method]


@pytest.mark.parametrize("method", METHODS)
def test_the_next_period_starts_afresh(method: Method) -> None:
    period = begin(method, (2,))
    period.add(np.array([[7, 7]], dtype=np.float32))
    period.finish()
    period.add(np.array([[3, np.nan]], dtype=np.float32))
    values = period.finish()
    assert values[0] == 3
    assert np.isnan(values[1])


def test_values_are_added_in_double_precision() -> None:
    steps = np.full((8760, 1), 300.1, dtype=np.float32)
    period = begin("mean", (1,))
    period.add(steps)
    assert abs(period.finish()[0] - float(steps[0, 0])) < 1e-9


def test_whole_numbers_are_added_without_loss() -> None:
    period = begin("sum", (1,))
    period.add(np.array([[2**40], [1]], dtype=np.int64))
    assert period.finish()[0] == 2**40 + 1


@given(STEPS)
def test_the_mean_lies_between_the_extremes(steps: np.ndarray) -> None:
    finite = np.where(np.isinf(steps), np.nan, steps)
    periods = {method: begin(method, finite.shape[1:]) for method in METHODS}
    for period in periods.values():
        period.add(finite)
    least, mean, greatest = (periods[method].finish() for method in ("min", "mean", "max"))
    there = ~np.isnan(mean)
    slack = np.abs(mean[there]) * 1e-12 + 1e-12
    biggest = max(1.0, float(np.nanmax(np.abs(finite), initial=0))) * 1e-12
    assert (least[there] <= mean[there] + slack + biggest).all()
    assert (mean[there] <= greatest[there] + slack + biggest).all()


@pytest.mark.parametrize(
    ("source", "result"), [("float32", "float32"), ("float64", "float64"), ("int16", "float64"), ("uint8", "float64")]
)
def test_floats_keep_their_type(source: str, result: str) -> None:
    assert result_dtype(source) == result
