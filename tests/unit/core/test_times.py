"""Dates and times as people write them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from climatejobs.errors import InvalidInput
from climatejobs.times import PATTERN, Moment, parse_moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-02-01", Moment(2025, 2, 1)),
        ("2025-02-01T06", Moment(2025, 2, 1, 6)),
        ("2025-02-01T06:30:15Z", Moment(2025, 2, 1, 6, 30, 15)),
        ("2025-02-01T06:30:15.000Z", Moment(2025, 2, 1, 6, 30, 15)),
        ("2025-02-01 06:30", Moment(2025, 2, 1, 6, 30)),
        ("2025-02-01T00:30:00+01:00", Moment(2025, 1, 31, 23, 30)),
        ("2025-02-01T00:30:00-0530", Moment(2025, 2, 1, 6, 0)),
        ("2001-02-30", Moment(2001, 2, 30)),
    ],
)
def test_readable(text: str, moment: Moment) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize(
    "text",
    ["", "2025", "2025-13-01", "2025-01-32", "yesterday", "2025-01-01T24:00", "2025-01-01T12:00+99:99", "٢٠٢٥-01-01"],
)
def test_unreadable_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_moment(text)
    assert "2025-02-01T06:00:00Z" in (refusal.value.hint or "")


def test_a_fraction_of_a_second_is_refused_and_not_dropped() -> None:
    with pytest.raises(InvalidInput, match="has a fraction of a second"):
        parse_moment("2025-02-01T06:30:15.5Z")


@given(st.datetimes(), st.integers(min_value=-23 * 60, max_value=23 * 60))
def test_offsets_are_converted(local: datetime, minutes: int) -> None:
    aware = local.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    assume(3 < local.year < 9997)
    assert parse_moment(aware.isoformat()) == Moment(*aware.astimezone(UTC).timetuple()[:6])


@given(st.from_regex(PATTERN, fullmatch=True))
def test_what_fits_the_schema_is_read_unless_an_offset_meets_a_day_that_is_not(text: str) -> None:
    if "+" in text or text.count("-") > 2:
        return
    assert str(parse_moment(text)).startswith(text[:10])
