"""Moments as people write them: ISO 8601 dates and times, in UTC unless they carry an offset.

A moment is kept as plain numbers, because the data it selects from may follow a calendar in which
30 February exists; only the runner, which has read the data, knows.
"""

import re
from datetime import UTC, datetime
from typing import NamedTuple

from climatejobs.errors import InvalidInput
from climatejobs.faults import quote

_DATE = r"(?P<year>[0-9]{4})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12][0-9]|3[01])"
_FRACTION = r"(?P<fraction>[0-9]+)"
_SECOND = rf"(?P<second>[0-5][0-9])(?:\.{_FRACTION})?"
_TIME = rf"(?P<hour>[01][0-9]|2[0-3])(?::(?P<minute>[0-5][0-9])(?::{_SECOND})?)?"
_OFFSET = r"(?P<offset>Z|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])"
_MOMENT = re.compile(f"{_DATE}(?:[T ]{_TIME}{_OFFSET}?)?")
PATTERN = "^" + re.sub(r"\?P<[a-z]+>|\?:", "", _MOMENT.pattern.replace(_FRACTION, "0+")) + "$"
"""What a moment looks like, for schemas; `parse_moment` decides, and says why not."""
_YEAR_DAYS = 365.2425


class Moment(NamedTuple):
    """A date and time in UTC, in whatever calendar the data follow."""

    year: int
    month: int
    day: int
    hour: int = 0
    minute: int = 0
    second: int = 0

    def __str__(self) -> str:
        return "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z".format(*self)


def parse_moment(text: str) -> Moment:
    """Read a date (its midnight) or a date and time; an offset from UTC is converted, not dropped.

    Raises `InvalidInput` with an example of what is expected.
    """
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        raise _refusal(text, "is not a date")
    if (match["fraction"] or "").strip("0"):
        raise _refusal(text, "has a fraction of a second, and no data are that fine")
    fields = (int(match[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second"))
    moment = Moment(*fields)
    offset = match["offset"]
    if offset in (None, "Z"):
        return moment
    try:
        converted = datetime.fromisoformat(f"{str(moment)[:-1]}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise _refusal(text, "is not a date that an offset from UTC can be applied to") from None
    return Moment(*converted.timetuple()[:6])


def hours_of(moment: Moment) -> float:
    """Hours since the year 0 in a year of average length: good for lengths of time, whatever the calendar."""
    days = moment.year * _YEAR_DAYS + (moment.month - 1) * (_YEAR_DAYS / 12) + moment.day
    return days * 24 + moment.hour + moment.minute / 60 + moment.second / 3600


def _refusal(text: str, reason: str) -> InvalidInput:
    return InvalidInput(f"{quote(text)} {reason}", hint="Write 2025-02-01 or 2025-02-01T06:00:00Z.")
