"""Moments as people write them: ISO 8601 dates and times, in UTC unless they carry an offset.

A moment is kept as plain numbers, because the data it selects from may follow a calendar in which
30 February exists; only the runner, which has read the data, knows.
"""

import re
from datetime import UTC, datetime
from typing import NamedTuple

from climatejobs.errors import InvalidInput

PATTERN = r"^\d{4}-\d\d-\d\d([T ]\d\d(:\d\d(:\d\d(\.\d+)?)?)?(Z|[+-]\d\d:?\d\d)?)?$"
"""What a moment looks like, for schemas; `parse_moment` decides, and says why not."""
_PATTERN = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"(?:[T ](?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.\d+)?)?)?"
    r"(?P<offset>Z|z|[+-]\d\d(?::?\d\d)?)?)?"
)


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
    match = _PATTERN.fullmatch(text.strip())
    if match is None:
        raise _refusal(text, "is not a date")
    fields = (int(match[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second"))
    moment = Moment(*fields)
    if not (moment.year >= 1 and 1 <= moment.month <= 12 and 1 <= moment.day <= 31):
        raise _refusal(text, "is not a date of any calendar")
    if not (moment.hour <= 23 and moment.minute <= 59 and moment.second <= 59):
        raise _refusal(text, "is not a time of day")
    offset = match["offset"]
    if offset is None or offset in ("Z", "z"):
        return moment
    try:
        converted = datetime.fromisoformat(f"{str(moment)[:-1]}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise _refusal(text, "is not a date that an offset from UTC can be applied to") from None
    return Moment(*converted.timetuple()[:6])


def _refusal(text: str, reason: str) -> InvalidInput:
    return InvalidInput(f"{text!r} {reason}", hint="Write 2025-02-01 or 2025-02-01T06:00:00Z.")
