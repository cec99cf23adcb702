"""Frequencies: the lengths of time that data come in and are resampled to.

The spelling is pandas' (``h D W-MON MS QS YS`` and multiples), plus ``dekad`` for the agronomic thirds of a
month. One frequency has one canonical spelling, and so one data set id, however it was asked for.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from climatejobs.errors import InvalidInput
from climatejobs.faults import quote

POSSIBLE = "h, D, W-MON to W-SUN, MS, QS or QS-FEB, YS or YS-JUL, multiples such as 6h, 10D or 2MS, and dekad"

_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
PATTERN = (
    r"^([1-9][0-9]{0,3})?(h|[Dd]|W(-(MON|TUE|WED|THU|FRI|SAT|SUN))?|w(-(mon|tue|wed|thu|fri|sat|sun))?|ME?|MS"
    r"|(Q|QS|QE|Y|YS|YE|A|AS)"
    r"(-(JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC))?)$|^dekad$"
)
"""What a frequency looks like, for schemas; `parse_frequency` takes just that, and says of anything else why not."""
_PATTERN = re.compile(r"(?P<sign>[+-]?)(?P<count>[0-9]*)(?P<alias>[A-Za-z]+)(?:-(?P<anchor>[A-Za-z]{3}))?")


class Unit(StrEnum):
    """What a frequency counts."""

    HOUR = "h"
    DAY = "D"
    WEEK = "W"
    DEKAD = "dekad"
    MONTH = "MS"
    QUARTER = "QS"
    YEAR = "YS"


_PERIOD_TYPES = {
    Unit.HOUR: "hourly",
    Unit.DAY: "daily",
    Unit.WEEK: "weekly",
    Unit.DEKAD: "dekadal",
    Unit.MONTH: "monthly",
    Unit.QUARTER: "quarterly",
    Unit.YEAR: "yearly",
}
_LONGEST_HOURS = {
    Unit.HOUR: 1,
    Unit.DAY: 24,
    Unit.WEEK: 7 * 24,
    Unit.DEKAD: 11 * 24,
    Unit.MONTH: 31 * 24,
    Unit.QUARTER: 92 * 24,
    Unit.YEAR: 366 * 24,
}
_ALIASES = {
    "h": Unit.HOUR,
    "D": Unit.DAY,
    "d": Unit.DAY,
    "W": Unit.WEEK,
    "w": Unit.WEEK,
    "dekad": Unit.DEKAD,
    "MS": Unit.MONTH,
    "M": Unit.MONTH,
    "ME": Unit.MONTH,
    "QS": Unit.QUARTER,
    "Q": Unit.QUARTER,
    "QE": Unit.QUARTER,
    "YS": Unit.YEAR,
    "Y": Unit.YEAR,
    "YE": Unit.YEAR,
    "A": Unit.YEAR,
    "AS": Unit.YEAR,
}
_END_ANCHORED = frozenset({"Q", "QE", "Y", "YE", "A"})
"""Aliases whose anchor names the last month of the period; ours name the first."""


@dataclass(frozen=True, order=True)
class Frequency:
    """A canonical frequency: `count` units, weeks from weekday `anchor` (0 = Monday), years from month `anchor`."""

    unit: Unit
    count: int = 1
    anchor: int = 0
    """First weekday of a week (0 = Monday); first month of a quarter or year (0 = January); else 0."""

    def __str__(self) -> str:
        anchor = ""
        if self.unit is Unit.WEEK:
            anchor = f"-{_WEEKDAYS[self.anchor]}"
        elif self.anchor:
            anchor = f"-{_MONTHS[self.anchor]}"
        count = str(self.count) if self.count > 1 or self.unit in (Unit.HOUR, Unit.DAY) else ""
        return f"{count}{self.unit}{anchor}"

    @property
    def slug(self) -> str:
        """The form used in ids: ``1d``, ``6h``, ``w_mon``, ``ms``."""
        return re.sub(r"[^a-z0-9]+", "_", str(self).lower()).strip("_")

    @property
    def period_type(self) -> str:
        """The kind of period in one word, such as ``daily``."""
        return _PERIOD_TYPES[self.unit]

    @property
    def longest_hours(self) -> int:
        """Length in hours of the longest period this frequency can have."""
        return self.count * _LONGEST_HOURS[self.unit]


def parse_frequency(text: str) -> Frequency:
    """Read a frequency as pandas spells it.

    End-anchored spellings (``ME``, ``QE-DEC``, ``YE``) mean the period that starts where theirs does.
    Raises `InvalidInput` that says what is possible.
    """
    match = _PATTERN.fullmatch(text.strip())
    if match is None or match["alias"] not in _ALIASES:
        raise _refusal(text, f"{quote(text)} is not a frequency")
    count = int(match["count"] or 1)
    if match["sign"] == "-" or count == 0:
        raise _refusal(text, f"{quote(text)} does not go forward in time")
    if count > 9_999:
        raise _refusal(text, f"{quote(text)} is longer than this service counts")
    unit = _ALIASES[match["alias"]]
    anchor = _anchor(text, unit, match["alias"], match["anchor"], count)
    if unit is Unit.HOUR and count % 24 == 0:
        unit, count = Unit.DAY, count // 24
    if unit is Unit.DEKAD and count > 1:
        raise _refusal(text, "dekads cannot be multiplied: three of them are a month")
    found = Frequency(unit, count, anchor)
    if re.fullmatch(PATTERN, text) is None:
        # Nothing but blanks, a plus, leading zeros or mixed cases: what it means is clear, but one spelling is enough.
        detail = f"{quote(text)} is not how a frequency is written"
        raise InvalidInput(detail, hint=f"Write {str(found)!r}. Possible are {POSSIBLE}.")
    return found


def _anchor(text: str, unit: Unit, alias: str, anchor: str | None, count: int) -> int:
    if unit is Unit.WEEK:
        # A bare W is W-MON here; pandas takes it as weeks that end on Sunday, which are the same weeks.
        weekday = (anchor or "MON").upper()
        if weekday not in _WEEKDAYS:
            raise _refusal(text, f"{anchor!r} is not a day of the week")
        return _WEEKDAYS.index(weekday)
    if unit in (Unit.QUARTER, Unit.YEAR):
        ends = alias in _END_ANCHORED
        month = anchor or ("DEC" if ends else "JAN")
        if month not in _MONTHS:
            raise _refusal(text, f"{anchor!r} is not a month")
        first = _MONTHS.index(month)
        if unit is Unit.YEAR:
            return (first + 1) % 12 if ends else first
        first = (first + 1) % 12 if ends else first
        # Quarters that start in November also start in February: one spelling for one set of bins.
        return first % 3 if count == 1 else first
    if anchor:
        raise _refusal(text, f"{alias!r} takes no anchor")
    return 0


def _refusal(text: str, detail: str) -> InvalidInput:
    hint = f"Possible are {POSSIBLE}."
    lowered = text.strip().lstrip("0123456789")
    if lowered == "H":
        hint = f"Write {text.replace('H', 'h')!r}. {hint}"
    elif lowered not in _ALIASES and lowered.upper() in _ALIASES:
        # Not taken for what it resembles: to pandas, ms is milliseconds.
        hint = f"Write {text.strip().upper()!r}. {hint}"
    return InvalidInput(detail, hint=hint)
