"""Time as CF writes it: numbers with ``units since reference`` in a calendar, read and written exactly.

Read into whole seconds from 1970-01-01 in the axis's own calendar; no date library comes between.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from climatejobs.errors import DataError, InvalidInput
from climatejobs.frequencies import Frequency, Unit
from climatejobs.times import Moment
from climatejobs_runner.calendars import DAY_SECONDS, Calendar, Counts, find_calendar

DEFAULT_CALENDAR = "standard"
_GREGORIAN_REFORM = Moment(1582, 10, 15)
_UNITS = re.compile(
    r"\s*(?P<unit>[a-z]+)\s+since\s+(?P<year>-?\d{1,4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
    r"(?:[T\s]+(?P<hour>\d{1,2})(?::(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:\.0*)?)?)?)?"
    r"\s*(?:Z|UTC|GMT|[+-]00:?00|\+?0)?\s*",
    re.IGNORECASE,
)
_UNIT_NAMES = {
    "days": DAY_SECONDS,
    "day": DAY_SECONDS,
    "d": DAY_SECONDS,
    "hours": 3600,
    "hour": 3600,
    "hrs": 3600,
    "hr": 3600,
    "h": 3600,
    "minutes": 60,
    "minute": 60,
    "min": 60,
    "mins": 60,
    "seconds": 1,
    "second": 1,
    "secs": 1,
    "sec": 1,
    "s": 1,
}


@dataclass(frozen=True)
class TimeAxis:
    """The time steps of a data set, in order."""

    seconds: Counts
    """Moment of each step, in seconds from 1970-01-01."""
    calendar: Calendar

    def label(self, index: int) -> str:
        """The step's moment as ``YYYY-MM-DDTHH:MM:SSZ``."""
        return str(self.calendar.moment_at(int(self.seconds[index])))


def decode(values: np.ndarray, attributes: Mapping[str, object]) -> TimeAxis:
    """Read a time coordinate from its numbers and attributes.

    Raises `DataError` where the units cannot be read, where a step is missing, and where the steps are not
    in order, each later than the one before.
    """
    calendar = find_calendar(str(attributes.get("calendar", DEFAULT_CALENDAR)))
    units = str(attributes.get("units", ""))
    match = _UNITS.fullmatch(units)
    scale = _UNIT_NAMES.get(match["unit"].lower()) if match else None
    if match is None or scale is None:
        raise DataError(
            f"the time axis has units {units!r}, which cannot be read",
            hint="Units such as 'hours since 1970-01-01' are understood.",
        )
    if values.ndim != 1 or values.size == 0 or values.dtype.kind not in "iuf":
        raise DataError("the time axis is not a line of numbers with at least one step")
    reference = Moment(*(int(match[part] or 0) for part in ("year", "month", "day", "hour", "minute", "second")))
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise DataError("the time axis has steps without a time", hint="Leave those steps out of the file.")
        offsets = np.rint(values.astype(np.float64) * scale).astype(np.int64)
    else:
        offsets = values.astype(np.int64) * scale
    axis = TimeAxis(offsets + _reference_seconds(reference, calendar), calendar)
    check_order(axis)
    if calendar.name == "standard" and axis.seconds[0] < calendar.seconds_of(_GREGORIAN_REFORM):
        raise DataError(
            "the data begin before 15 October 1582 in the mixed Julian and Gregorian calendar",
            hint="Convert the time axis to proleptic_gregorian.",
        )
    return axis


def encode(seconds: Counts, calendar: Calendar) -> tuple[Counts, dict[str, str]]:
    """Whole numbers and attributes for a time coordinate, in the coarsest unit that is exact."""
    for unit, scale in (("days", DAY_SECONDS), ("hours", 3600), ("seconds", 1)):
        if not (seconds % scale).any():
            return seconds // scale, {"units": f"{unit} since 1970-01-01", "calendar": calendar.name}
    raise AssertionError("whole seconds are always exact in seconds")


def check_order(axis: TimeAxis) -> None:
    """Raise `DataError` naming the first step that is not later than the one before."""
    wrong = np.flatnonzero(np.diff(axis.seconds) <= 0)
    if not wrong.size:
        return
    index = int(wrong[0])
    earlier, later = axis.label(index), axis.label(index + 1)
    if earlier == later:
        raise DataError(
            f"the time {earlier} occurs twice, at steps {index + 1} and {index + 2}",
            hint="Remove the repeated steps.",
        )
    raise DataError(
        f"the time steps are not in order: {later} follows {earlier} at step {index + 2}",
        hint="Sort the data by time.",
    )


def infer_frequency(axis: TimeAxis) -> Frequency:
    """The frequency that the most common distance between steps stands for; holes do not disturb it.

    Raises `InvalidInput` where there is none, asking for it.
    """
    ask = "Give the frequency of the data, such as --frequency 1D."
    if len(axis.seconds) < 2:
        raise InvalidInput("one time step does not tell how long it stands for", hint=ask)
    distances, counts = np.unique(np.diff(axis.seconds), return_counts=True)
    step = int(distances[counts.argmax()])
    if step < 3600:
        raise InvalidInput(
            f"the time steps are {step} s apart; the shortest that is supported is an hour",
            hint="Aggregate the data to hours first.",
        )
    days = axis.seconds // DAY_SECONDS
    months = axis.calendar.month_of(days)
    if frequency := _monthly(months, step):
        return frequency
    day_of_month = days - axis.calendar.month_start(months)
    if set(np.unique(day_of_month).tolist()) == {0, 10, 20} and axis.calendar.name != "360_day":
        return Frequency(Unit.DEKAD)
    if counts.max() * 2 <= counts.sum() or step % 3600:
        raise InvalidInput("the time steps have no regular distance from each other", hint=ask)
    if step % (7 * DAY_SECONDS) == 0 and axis.calendar.has_weeks:
        return Frequency(Unit.WEEK, step // (7 * DAY_SECONDS), int(days[0] + 3) % 7)
    if step % DAY_SECONDS == 0:
        return Frequency(Unit.DAY, step // DAY_SECONDS)
    return Frequency(Unit.HOUR, step // 3600)


def first_hole(axis: TimeAxis, frequency: Frequency) -> tuple[int, str] | None:
    """How many holes a time axis has, and the label of the step before the first; None where it has none."""
    distances = np.diff(axis.seconds)
    if not distances.size:
        return None
    # Months differ in length, by less than a quarter of the shortest.
    usual = np.median(distances)
    holes = np.flatnonzero(distances > usual * (1.25 if frequency.longest_hours > 24 * 7 else 1))
    return (int(holes.size), axis.label(int(holes[0]))) if holes.size else None


def _monthly(months: Counts, step: int) -> Frequency | None:
    """The frequency of steps a month or more apart, at most one in each month."""
    distances, counts = np.unique(np.diff(months), return_counts=True)
    distance = int(distances[counts.argmax()])
    if step < 28 * DAY_SECONDS or int(distances[0]) < 1 or counts.max() * 2 <= counts.sum():
        return None
    if step % (7 * DAY_SECONDS) == 0 and len(months) > 2 and step != 28 * DAY_SECONDS:
        return None
    first = int(months[0]) % 12
    if distance % 12 == 0:
        return Frequency(Unit.YEAR, distance // 12, first)
    if distance == 3:
        return Frequency(Unit.QUARTER, 1, first % 3)
    return Frequency(Unit.MONTH, distance)


def _reference_seconds(reference: Moment, calendar: Calendar) -> int:
    if calendar.name == "standard" and reference < _GREGORIAN_REFORM:
        days = _julian_day(reference.year, reference.month, reference.day)
        return days * DAY_SECONDS + reference.hour * 3600 + reference.minute * 60 + reference.second
    try:
        return calendar.seconds_of(reference)
    except InvalidInput as error:
        raise DataError(f"the time axis counts from a day that does not exist: {error.detail}") from None


def _julian_day(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a date of the Julian calendar; years are taken to begin in March."""
    shifted = year - (month <= 2)
    return 365 * shifted + shifted // 4 + (153 * ((month + 9) % 12) + 2) // 5 + day - 1 - 719470
