"""Periods: where they start, that they meet without gaps, and that the data do not move them."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from climatejobs.errors import InvalidInput
from climatejobs.frequencies import Frequency, parse_frequency
from climatejobs_runner.bins import Bins, covered
from climatejobs_runner.calendars import DAY_SECONDS, find_calendar
from tests.oracle import period_end, period_start

GREGORIAN = find_calendar("standard")
FREQUENCIES = st.one_of(
    st.sampled_from(["h", "6h", "7h", "36h", "D", "5D", "10D", "W-MON", "W-SUN", "2W-WED", "dekad"]),
    st.sampled_from(["MS", "2MS", "QS", "QS-FEB", "2QS", "YS", "YS-JUL", "5YS"]),
)
CALENDARS = st.sampled_from(["standard", "noleap", "all_leap", "360_day"])


def seconds(*moment: int) -> int:
    year, month, day, *rest = moment
    return int(datetime(year, month, day, *rest, tzinfo=UTC).timestamp())


def label(frequency: str, *moment: int) -> str:
    """The start of the period that holds a moment, as a date and hour."""
    bins = Bins(parse_frequency(frequency), GREGORIAN)
    start = bins.start(bins.holding(np.array([seconds(*moment)], dtype=np.int64)))
    return str(GREGORIAN.moment_at(int(start[0])))[:13]


@given(FREQUENCIES, CALENDARS, st.integers(min_value=-(10**10), max_value=10**10))
def test_every_moment_lies_in_exactly_the_period_said_to_hold_it(text: str, calendar: str, moment: int) -> None:
    frequency = parse_frequency(text)
    if frequency.unit == "W" and calendar != "standard":
        return
    bins = Bins(frequency, find_calendar(calendar))
    number = int(bins.holding(np.array(moment, dtype=np.int64)))
    start, end = bins.start(np.array([number, number + 1], dtype=np.int64)).tolist()
    assert start <= moment < end
    assert end - start <= frequency.longest_hours * 3600
    assert bins.first_from(moment) == (number if start == moment else number + 1)
    assert bins.last_within(moment) == number - 1


@given(st.sampled_from(["1D", "W-MON", "MS", "QS", "YS"]), st.dates(date(1850, 1, 1), date(2200, 1, 1)))
def test_periods_are_those_of_the_calendar_on_the_wall(text: str, day: date) -> None:
    bins = Bins(parse_frequency(text), GREGORIAN)
    start = period_start(day, text)
    noon = np.array(seconds(day.year, day.month, day.day, 12), dtype=np.int64)
    edges = bins.start(bins.holding(noon) + np.arange(2)).tolist()
    following = period_end(start, text)
    assert edges == [
        seconds(start.year, start.month, start.day),
        seconds(following.year, following.month, following.day),
    ]


@pytest.mark.parametrize(
    ("frequency", "moment", "expected"),
    [
        ("6h", (2025, 2, 1, 17), "2025-02-01T12"),
        ("10D", (1970, 1, 12), "1970-01-11T00"),
        ("W-SUN", (2025, 2, 1), "2025-01-26T00"),
        ("2W-MON", (1970, 1, 1), "1969-12-29T00"),
        ("2W-MON", (1970, 1, 12), "1970-01-12T00"),
        ("dekad", (2025, 2, 28), "2025-02-21T00"),
        ("dekad", (2025, 3, 31), "2025-03-21T00"),
        ("dekad", (2025, 3, 11), "2025-03-11T00"),
        ("2MS", (2025, 2, 1), "2025-01-01T00"),
        ("QS-FEB", (2025, 1, 31), "2024-11-01T00"),
        ("YS-JUL", (2025, 6, 30), "2024-07-01T00"),
        ("5YS", (2024, 12, 31), "2020-01-01T00"),
        ("MS", (1969, 12, 31), "1969-12-01T00"),
    ],
)
def test_periods_start_where_the_documentation_says(frequency: str, moment: tuple[int, ...], expected: str) -> None:
    assert label(frequency, *moment) == expected


@pytest.mark.parametrize("calendar", ["noleap", "all_leap", "360_day"])
def test_weeks_are_refused_where_the_calendar_has_none(calendar: str) -> None:
    with pytest.raises(InvalidInput, match="no weeks"):
        Bins(parse_frequency("W-MON"), find_calendar(calendar))


@pytest.mark.parametrize(
    ("frequency", "first", "last", "expected"),
    [
        ("1h", (2025, 2, 1), (2025, 2, 28, 23), ((2025, 2, 1), (2025, 3, 1))),
        ("1D", (2025, 2, 1, 6), (2025, 2, 2, 6), ((2025, 2, 1), (2025, 2, 3))),
        ("8D", (2025, 1, 1), (2025, 1, 9), ((2025, 1, 1), (2025, 1, 17))),
        ("W-MON", (2025, 2, 5), (2025, 2, 12), ((2025, 2, 3), (2025, 2, 17))),
        ("MS", (2025, 1, 16), (2025, 2, 15), ((2025, 1, 1), (2025, 3, 1))),
        ("YS", (2024, 7, 1), (2025, 7, 1), ((2024, 1, 1), (2026, 1, 1))),
    ],
)
def test_steps_cover_the_periods_their_stamps_lie_in(
    frequency: str, first: tuple[int, ...], last: tuple[int, ...], expected: tuple[tuple[int, ...], tuple[int, ...]]
) -> None:
    start, end = covered(parse_frequency(frequency), GREGORIAN, seconds(*first), seconds(*last))
    assert (start, end) == (seconds(*expected[0]), seconds(*expected[1]))


def test_ten_days_of_a_360_day_calendar_are_dekads() -> None:
    calendar = find_calendar("360_day")
    days = np.arange(0, 720, dtype=np.int64) * DAY_SECONDS
    ten_days, dekads = (Bins(parse_frequency(text), calendar) for text in ("10D", "dekad"))
    np.testing.assert_array_equal(ten_days.start(ten_days.holding(days)), dekads.start(dekads.holding(days)))


def test_frequencies_are_canonical() -> None:
    assert Bins(parse_frequency("24h"), GREGORIAN).frequency == Frequency(parse_frequency("D").unit)
    assert timedelta(hours=parse_frequency("24h").longest_hours) == timedelta(days=1)
