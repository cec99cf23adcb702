"""Periods of a frequency, numbered from 1970 on: the same for all data, wherever those begin.

A period is closed and labelled at its start. A bin is one such period, known by its number.
"""

from dataclasses import dataclass

import numpy as np

from climatejobs.errors import InvalidInput
from climatejobs.frequencies import Frequency, Unit
from climatejobs_runner.calendars import DAY_SECONDS, Calendar, Counts

_UNIT_MONTHS = {Unit.MONTH: 1, Unit.QUARTER: 3, Unit.YEAR: 12}
_EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""


@dataclass(frozen=True)
class Bins:
    """The periods of one frequency in one calendar. Moments are seconds from 1970-01-01."""

    frequency: Frequency
    calendar: Calendar

    def __post_init__(self) -> None:
        if self.frequency.unit is Unit.WEEK and not self.calendar.has_weeks:
            raise InvalidInput(
                f"the data follow the calendar {self.calendar.name}, which has no weeks",
                hint="Ask for days (such as 7D), dekads, months, quarters or years instead.",
            )

    def holding(self, seconds: Counts) -> Counts:
        """Number of the bin that holds each moment."""
        unit, count, anchor = self.frequency.unit, self.frequency.count, self.frequency.anchor
        if unit is Unit.HOUR:
            return seconds // (3600 * count)
        days = seconds // DAY_SECONDS
        if unit is Unit.DAY:
            return days // count
        if unit is Unit.WEEK:
            return (days - self._first_week) // (7 * count)
        months = self.calendar.month_of(days)
        if unit is Unit.DEKAD:
            day_of_month = days - self.calendar.month_start(months)
            return months * 3 + np.minimum(day_of_month // 10, 2)
        return (months - anchor) // (_UNIT_MONTHS[unit] * count)

    def start(self, numbers: Counts) -> Counts:
        """First moment of each bin; where one ends the next starts."""
        unit, count, anchor = self.frequency.unit, self.frequency.count, self.frequency.anchor
        if unit is Unit.HOUR:
            return numbers * (3600 * count)
        if unit is Unit.DAY:
            days = numbers * count
        elif unit is Unit.WEEK:
            days = self._first_week + numbers * (7 * count)
        elif unit is Unit.DEKAD:
            days = self.calendar.month_start(numbers // 3) + numbers % 3 * 10
        else:
            days = self.calendar.month_start(anchor + numbers * (_UNIT_MONTHS[unit] * count))
        return days * DAY_SECONDS

    def first_from(self, seconds: int) -> int:
        """Number of the first bin that starts at or after a moment."""
        number = self.holding(np.array(seconds, dtype=np.int64))
        return int(number) + int(self.start(number) < seconds)

    def last_within(self, seconds: int) -> int:
        """Number of the last bin that has ended by a moment."""
        return int(self.holding(np.array(seconds, dtype=np.int64))) - 1

    @property
    def _first_week(self) -> int:
        """First day of the week that holds 1970-01-01."""
        return -((_EPOCH_WEEKDAY - self.frequency.anchor) % 7)


def covered(frequency: Frequency, calendar: Calendar, first: int, last: int) -> tuple[int, int]:
    """The time that steps of a frequency stand for, from the first step's stamp to the last one's.

    A stamp may lie anywhere in its period (06:00 in its day, the 15th in its month). A multiple need not
    lie on the bins of that multiple, only on those of its unit.
    """
    single = Bins(Frequency(frequency.unit, 1, frequency.anchor), calendar)
    numbers = single.holding(np.array([first, last], dtype=np.int64))
    start, end = single.start(numbers + np.array([0, frequency.count]))
    return int(start), int(end)
