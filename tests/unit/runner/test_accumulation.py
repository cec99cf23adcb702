"""Running totals told from other variables, and taken apart into increments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from climatejobs.errors import InvalidInput
from climatejobs.frequencies import parse_frequency
from climatejobs_runner.accumulation import (
    Accumulation,
    Evidence,
    align,
    check_steps,
    increment_labels,
    increments,
    step_seconds,
    steps_behind,
)

HOUR, DAY = 3600, 86400


def rain(hours: int, seed: int = 1) -> NDArray[np.float64]:
    """Amounts of each hour in a few cells, dry most of the time."""
    generator = np.random.default_rng(seed)
    return generator.gamma(0.5, 0.002, size=(hours, 2, 3)) * (generator.random((hours, 2, 3)) < 0.4)


def totals(amounts: NDArray[np.float64], first_hour: int = 0) -> NDArray[np.float32]:
    """What ERA5-Land would say at the end of each hour, of which the first begins at `first_hour`."""
    running, total = np.zeros(amounts.shape[1:]), list[NDArray[np.float64]]()
    for index, amount in enumerate(amounts):
        if (first_hour + index) % 24 == 0:
            running = np.zeros(amounts.shape[1:])
        running = running + amount
        total.append(running)
    return np.stack(total).astype(np.float32)


def ends(first_hour: int, count: int) -> NDArray[np.int64]:
    return (first_hour + 1 + np.arange(count, dtype=np.int64)) * HOUR


def judge(values: NDArray[np.floating], seconds: NDArray[np.int64], *, described: bool = True) -> Accumulation:
    evidence = Evidence(seconds)
    for block in np.array_split(values, 5):
        evidence.add(block)
    return evidence.judge(described=described)


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("first_hour", [0, 7, 23])
def test_totals_are_known_by_their_restarts(first_hour: int, sign: int, described: bool) -> None:
    seconds = ends(first_hour, 96)
    assert judge(sign * totals(rain(96), first_hour), seconds, described=described) is Accumulation.TOTALS


def test_packing_noise_does_not_hide_totals() -> None:
    values = totals(rain(96))
    noise = np.random.default_rng(2).normal(scale=values.max() / 2**14, size=values.shape)
    assert judge(np.maximum(values + noise, 0), ends(0, 96)) is Accumulation.TOTALS


def test_amounts_are_not_totals_whatever_is_said_of_them() -> None:
    assert judge(rain(96), ends(0, 96)) is Accumulation.NONE


def test_totals_over_a_whole_forecast_are_not_taken_for_those_of_days() -> None:
    assert judge(np.cumsum(rain(96), axis=0), ends(0, 96)) is Accumulation.UNCLEAR


def test_values_of_both_signs_and_drought_do_not_tell() -> None:
    flux = np.random.default_rng(3).normal(size=(96, 2, 3))
    assert judge(flux, ends(0, 96)) is Accumulation.UNCLEAR
    assert judge(np.zeros((96, 2, 3)), ends(0, 96)) is Accumulation.UNCLEAR
    assert judge(np.zeros((96, 2, 3)), ends(0, 96), described=False) is Accumulation.NONE


@given(first_hour=st.integers(0, 23), count=st.integers(1, 80), blocks=st.integers(1, 7), seed=st.integers(0, 99))
def test_increments_are_the_amounts(first_hour: int, count: int, blocks: int, seed: int) -> None:
    amounts, seconds = rain(count, seed), ends(first_hour, count)
    found = list(increments(np.array_split(totals(amounts, first_hour), blocks), seconds, HOUR, "float32"))
    assert [label for label, _ in found] == (seconds - HOUR).tolist()
    known = 0 if first_hour == 0 else 1
    assert all(np.isnan(values).all() for _, values in found[:known])
    for (_, values), amount in zip(found[known:], amounts[known:], strict=True):
        np.testing.assert_allclose(values, amount, atol=1e-6)
    assert increment_labels(seconds, HOUR).tolist() == (seconds - HOUR).tolist()[known:]


@given(seed=st.integers(0, 999))
def test_the_increments_of_a_day_give_its_total(seed: int) -> None:
    values = totals(rain(24, seed))
    found = [increment for _, increment in increments([values], ends(0, 24), HOUR, "float32")]
    total = np.sum(np.stack(found), axis=0, dtype=np.float64).astype(np.float32)
    np.testing.assert_array_max_ulp(total, values[-1], maxulp=1)


def test_behind_a_hole_an_increment_is_missing_until_the_day_is_over() -> None:
    amounts = rain(48)
    kept = [index for index in range(48) if index not in (5, 6, 23)]
    seconds = ends(0, 48)[kept]
    values = totals(amounts)[kept]
    values[10, 0, 0] = np.nan
    axis = np.arange(48, dtype=np.int64) * HOUR
    stacked = np.concatenate(list(align(increments([values], seconds, HOUR, "float32"), axis)))
    missing = np.isnan(stacked)
    assert np.flatnonzero(missing.all(axis=(1, 2))).tolist() == [5, 6, 7, 23]
    assert np.flatnonzero(missing[:, 0, 0]).tolist() == [5, 6, 7, 12, 13, 23]
    np.testing.assert_allclose(stacked[~missing], amounts[~missing], atol=1e-6)


@given(first_hour=st.integers(0, 23), cut=st.integers(1, 70), dropped=st.sets(st.integers(0, 71), max_size=30))
def test_the_second_part_of_an_axis_is_what_it_is_in_the_whole(first_hour: int, cut: int, dropped: set[int]) -> None:
    kept = [index for index in range(72) if index not in dropped]
    values, seconds = totals(rain(72), first_hour)[kept], ends(first_hour, 72)[kept]
    axis = (first_hour + np.arange(72, dtype=np.int64)) * HOUR

    def part(run: slice) -> NDArray[np.floating]:
        behind = steps_behind(seconds, HOUR, axis[run])
        found = list(align(increments([values[behind]], seconds[behind], HOUR, "float32"), axis[run]))
        # Where no step lies behind an axis nothing is known, which is the same as that all is missing.
        return np.concatenate(found) if found else np.full((len(axis[run]), 2, 3), np.nan, dtype=np.float32)

    halves = np.concatenate([part(slice(0, cut)), part(slice(cut, 72))])
    np.testing.assert_array_equal(halves, part(slice(0, 72)))


def test_longer_steps_are_taken_apart_too() -> None:
    every = totals(rain(48))[2::3]
    seconds = ends(0, 48)[2::3]
    found = [values for _, values in increments([every], seconds, 3 * HOUR, "float64")]
    np.testing.assert_allclose(np.stack(found), rain(48).reshape(16, 3, 2, 3).sum(axis=1), atol=1e-6)


@pytest.mark.parametrize(
    ("frequency", "step"), [("1h", 3600), ("6h", 21600), ("1D", 86400), ("5h", None), ("MS", None)]
)
def test_steps_have_to_divide_the_day(frequency: str, step: int | None) -> None:
    assert step_seconds(parse_frequency(frequency)) == step


def test_other_steps_are_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="tp cannot be taken apart"):
        check_steps("tp", np.array([1800, 5400]), HOUR)
    with pytest.raises(InvalidInput, match="tp cannot be taken apart"):
        check_steps("tp", np.array([0, 5 * HOUR]), None)
