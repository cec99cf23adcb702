"""Time axes as CF writes them: read exactly, refused in words, and the frequency seen in them."""

import importlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from climatejobs.errors import DataError, InvalidInput
from climatejobs_runner import timeaxis
from climatejobs_runner.calendars import find_calendar
from climatejobs_runner.timeaxis import TimeAxis

cftime: Any = importlib.import_module("cftime")  # untyped


def decode(values: object, units: str, calendar: str = "standard") -> TimeAxis:
    return timeaxis.decode(np.asarray(values), {"units": units, "calendar": calendar})


def labels(axis: TimeAxis) -> list[str]:
    return [axis.label(index) for index in range(len(axis.seconds))]


def from_dates(*dates: str) -> TimeAxis:
    moments = np.array(dates, dtype="datetime64[s]").astype(np.int64)
    return TimeAxis(moments, find_calendar("standard"))


@given(
    st.sampled_from(["standard", "proleptic_gregorian", "noleap", "all_leap", "360_day"]),
    st.sampled_from(["days", "hours", "minutes", "seconds"]),
    st.sampled_from(["1970-01-01", "1900-01-01 00:00:0.0", "2000-02-28T06:00:00Z", "1850-1-1", "1-1-1 00:00:00"]),
    st.integers(min_value=0, max_value=10**5),
)
def test_numbers_mean_what_cftime_says(calendar: str, unit: str, reference: str, distance: int) -> None:
    # Counted from a day that is recent enough for the mixed calendar to be Gregorian.
    recent = cftime.datetime(1900, 3, 1, calendar=calendar)
    units = f"{unit} since {reference}"
    value: int = round(cftime.date2num(recent, units, calendar=calendar)) + distance
    expected = cftime.num2date(value, units, calendar=calendar)
    assert decode([value], units, calendar).label(0)[:19] == expected.strftime("%Y-%m-%dT%H:%M:%S")


def test_fractions_of_a_day_are_read_to_the_second() -> None:
    axis = decode(np.arange(48) / 24 + 20000.0, "days since 1970-01-01")
    assert set(np.diff(axis.seconds).tolist()) == {3600}


@pytest.mark.parametrize("units", ["", "days", "months since 2000-01-01", "fortnights since 2000-01-01", "1"])
def test_units_that_cannot_be_read_are_named(units: str) -> None:
    with pytest.raises(DataError, match="units") as caught:
        decode([0], units)
    assert repr(units) in caught.value.detail


def test_a_time_that_occurs_twice_is_named() -> None:
    with pytest.raises(DataError, match="2025-02-01T01:00:00Z occurs twice, at steps 2 and 3"):
        decode([0, 1, 1, 2], "hours since 2025-02-01")


def test_a_time_out_of_order_is_named() -> None:
    with pytest.raises(DataError, match="2025-02-01T01:00:00Z follows 2025-02-01T02:00:00Z at step 3"):
        decode([0, 2, 1], "hours since 2025-02-01")


@pytest.mark.parametrize("values", [[], [[0, 1]], ["a"], [0.0, np.nan]])
def test_an_axis_that_is_no_line_of_numbers_is_refused(values: object) -> None:
    with pytest.raises(DataError):
        decode(values, "hours since 2025-02-01")


def test_data_from_before_the_gregorian_calendar_are_refused_in_the_mixed_one_only() -> None:
    with pytest.raises(DataError, match="1582"):
        decode([0, 1], "days since 1500-01-01")
    assert labels(decode([0, 1], "days since 1500-01-01", "proleptic_gregorian"))[0] == "1500-01-01T00:00:00Z"


@given(st.lists(st.integers(min_value=-(10**9), max_value=10**9), min_size=1, max_size=5, unique=True))
def test_what_is_written_reads_the_same(moments: list[int]) -> None:
    seconds, calendar = np.array(sorted(moments), dtype=np.int64), find_calendar("noleap")
    numbers, attributes = timeaxis.encode(seconds, calendar)
    axis = timeaxis.decode(numbers, attributes)
    assert axis.seconds.tolist() == seconds.tolist()
    assert axis.calendar == calendar


@pytest.mark.parametrize(
    ("dates", "frequency"),
    [
        (["2025-02-01T00", "2025-02-01T01", "2025-02-01T02"], "1h"),
        (["2025-02-01T00", "2025-02-01T06", "2025-02-01T12"], "6h"),
        (["2025-02-01T06", "2025-02-02T06", "2025-02-03T06"], "1D"),
        (["2025-02-01", "2025-02-02", "2025-02-05", "2025-02-06", "2025-02-07"], "1D"),
        (["2025-01-01", "2025-01-09", "2025-01-17"], "8D"),
        (["2025-02-03", "2025-02-10", "2025-02-17"], "W-MON"),
        (["2025-02-02", "2025-02-09", "2025-02-16"], "W-SUN"),
        (["2025-01-01", "2025-01-11", "2025-01-21", "2025-02-01", "2025-02-11"], "dekad"),
        (["2025-02-01", "2025-03-01"], "MS"),
        (["2025-01-16", "2025-02-15", "2025-03-16"], "MS"),
        (["2025-01-31", "2025-02-28", "2025-03-31"], "MS"),
        (["2024-11-01", "2025-02-01", "2025-05-01"], "QS-FEB"),
        (["2023-01-01", "2024-01-01", "2025-01-01"], "YS"),
        (["2022-07-01", "2023-07-01", "2024-07-01"], "YS-JUL"),
    ],
)
def test_the_frequency_is_seen_in_the_steps(dates: list[str], frequency: str) -> None:
    assert str(timeaxis.infer_frequency(from_dates(*dates))) == frequency


@pytest.mark.parametrize(
    "dates",
    [
        ["2025-02-01"],
        ["2025-02-01T00:00", "2025-02-01T00:30"],
        ["2025-02-01", "2025-02-02", "2025-02-05", "2025-02-17"],
        ["2025-02-01T00:00", "2025-02-01T01:30", "2025-02-01T03:00"],
    ],
)
def test_where_no_frequency_is_seen_it_is_asked_for_or_refused(dates: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        timeaxis.infer_frequency(from_dates(*dates))
    assert caught.value.hint
