"""Calendars: the same days as cftime has, and no dates that there are not."""

import importlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from climatejobs.errors import DataError, InvalidInput
from climatejobs.times import Moment
from climatejobs_runner.calendars import DAY_SECONDS, find_calendar

cftime: Any = importlib.import_module("cftime")  # untyped
NAMES = ["standard", "proleptic_gregorian", "noleap", "all_leap", "360_day"]


@given(st.sampled_from(NAMES), st.integers(min_value=-100 * 360 * DAY_SECONDS, max_value=400 * 360 * DAY_SECONDS))
def test_moments_are_those_of_cftime_and_go_back(name: str, seconds: int) -> None:
    calendar = find_calendar(name)
    expected = cftime.num2date(seconds, "seconds since 1970-01-01", calendar=name)
    moment = calendar.moment_at(seconds)
    assert moment == Moment(
        expected.year, expected.month, expected.day, expected.hour, expected.minute, expected.second
    )
    assert calendar.seconds_of(moment) == seconds


@given(st.sampled_from(NAMES), st.integers(min_value=-2400, max_value=9600))
def test_a_month_holds_its_days_and_no_others(name: str, month: int) -> None:
    calendar = find_calendar(name)
    start, following = calendar.month_start(np.array([month, month + 1], dtype=np.int64))
    held = calendar.month_of(np.array([start - 1, start, following - 1, following], dtype=np.int64))
    assert held.tolist() == [month - 1, month, month, month + 1]


@pytest.mark.parametrize(
    ("name", "moment", "exists"),
    [
        ("standard", Moment(2025, 2, 29), False),
        ("standard", Moment(2024, 2, 29), True),
        ("noleap", Moment(2024, 2, 29), False),
        ("all_leap", Moment(2025, 2, 29), True),
        ("360_day", Moment(2025, 2, 30), True),
        ("360_day", Moment(2025, 1, 31), False),
    ],
)
def test_dates_that_a_calendar_does_not_have_are_refused(name: str, moment: Moment, exists: bool) -> None:
    calendar = find_calendar(name)
    if exists:
        assert calendar.moment_at(calendar.seconds_of(moment)) == moment
    else:
        with pytest.raises(InvalidInput, match=name):
            calendar.seconds_of(moment)


@pytest.mark.parametrize(("alias", "name"), [("gregorian", "standard"), ("365_day", "noleap"), ("366_day", "all_leap")])
def test_aliases(alias: str, name: str) -> None:
    assert find_calendar(alias).name == name


def test_an_unknown_calendar_is_refused_with_those_known() -> None:
    with pytest.raises(DataError) as caught:
        find_calendar("julian")
    assert "360_day" in (caught.value.hint or "")
