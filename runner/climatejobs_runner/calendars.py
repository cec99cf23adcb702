"""Calendars of the CF conventions, as counts of days and months that bins can be computed with.

Days and months are counted from 1970-01-01, which every calendar has. All of it is exact integer arithmetic
on arrays; nothing here knows of units or data.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from climatejobs.errors import DataError, InvalidInput
from climatejobs.times import Moment

type Counts = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
"""Whole numbers of days, months or seconds."""

DAY_SECONDS = 86400


@dataclass(frozen=True)
class Calendar:
    """One calendar: which months there are, and on which day each begins."""

    name: str
    """The name that CF gives it."""
    has_weeks: bool
    """Whether its days are days of the week."""
    month_start: Callable[[Counts], Counts]
    """Day on which each month begins."""
    month_of: Callable[[Counts], Counts]
    """Month that holds each day."""

    def seconds_of(self, moment: Moment) -> int:
        """Seconds from 1970-01-01 to a moment; raises `InvalidInput` for a date this calendar does not have."""
        month = np.array((moment.year - 1970) * 12 + moment.month - 1, dtype=np.int64)
        first, following = int(self.month_start(month)), int(self.month_start(month + 1))
        if moment.day > following - first:
            raise InvalidInput(
                f"{moment.year:04}-{moment.month:02}-{moment.day:02} is not a date in the calendar of the data, "
                f"{self.name}",
                hint=f"That month has {following - first} days there.",
            )
        day = first + moment.day - 1
        return day * DAY_SECONDS + moment.hour * 3600 + moment.minute * 60 + moment.second

    def moment_at(self, seconds: int) -> Moment:
        """The moment that many seconds after 1970-01-01."""
        day, rest = divmod(seconds, DAY_SECONDS)
        month = self.month_of(np.array(day, dtype=np.int64))
        year, month_of_year = divmod(int(month), 12)
        day_of_month = day - int(self.month_start(month)) + 1
        return Moment(1970 + year, month_of_year + 1, day_of_month, rest // 3600, rest // 60 % 60, rest % 60)


def find_calendar(name: str) -> Calendar:
    """The calendar that CF calls by this name or an alias of it; raises `DataError` for any other."""
    lowered = name.strip().lower()
    try:
        return _CALENDARS[_ALIASES.get(lowered, lowered)]
    except KeyError:
        known = ", ".join(_CALENDARS)
        raise DataError(f"the data follow a calendar {name!r}", hint=f"Known calendars are {known}.") from None


def _gregorian_month_start(months: Counts) -> Counts:
    return np.asarray(months).astype("M8[M]").astype("M8[D]").astype(np.int64)


def _gregorian_month_of(days: Counts) -> Counts:
    return np.asarray(days).astype("M8[D]").astype("M8[M]").astype(np.int64)


def _fixed_year(lengths: list[int]) -> tuple[Callable[[Counts], Counts], Callable[[Counts], Counts]]:
    """Functions of a calendar whose years all have months of these lengths."""
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    year_length = int(starts[-1])

    def month_start(months: Counts) -> Counts:
        return np.asarray(months // 12 * year_length + starts[months % 12], dtype=np.int64)

    def month_of(days: Counts) -> Counts:
        month_of_year = np.searchsorted(starts, days % year_length, side="right") - 1
        return np.asarray(days // year_length * 12 + month_of_year, dtype=np.int64)

    return month_start, month_of


_GREGORIAN = (_gregorian_month_start, _gregorian_month_of)
_CALENDARS = {
    # After 1582 the mixed calendar is the Gregorian one; data from before are refused when they are read.
    "standard": Calendar("standard", True, *_GREGORIAN),
    "proleptic_gregorian": Calendar("proleptic_gregorian", True, *_GREGORIAN),
    "noleap": Calendar("noleap", False, *_fixed_year([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])),
    "all_leap": Calendar("all_leap", False, *_fixed_year([31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])),
    "360_day": Calendar("360_day", False, *_fixed_year([30] * 12)),
}
_ALIASES = {"gregorian": "standard", "365_day": "noleap", "366_day": "all_leap"}
