"""Variables that count up over the day, such as ERA5-Land's precipitation: told from others, and taken apart.

A running total restarts at 00 UTC: the value of an hour is what has come together since then, and the value at
00:00 that of the whole day before. Taken apart, each increment is labelled with the start of its step.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from climatejobs.errors import InvalidInput
from climatejobs.frequencies import Frequency, Unit
from climatejobs_runner.arrays import Values
from climatejobs_runner.calendars import DAY_SECONDS, Counts

type Floats = NDArray[np.floating]

_NOISE = 0.05
"""Share of all rises that falls within days may make up in a running total: packing rounds values up and down."""


class Accumulation(StrEnum):
    """What is known of the way in which a variable's values come together."""

    NONE = "none"
    """Each value stands for itself."""
    SUSPECTED = "suspected"
    """Described as accumulated, or called like something that often is; the values have to tell."""
    TOTALS = "totals"
    """Running totals since 00 UTC."""
    UNCLEAR = "unclear"
    """Described as accumulated, but the values do not tell from when on."""


@dataclass
class Evidence:
    """How a variable's values go up and down, summed over all cells while they are read in order of time."""

    seconds: Counts
    rises: float = field(default=0.0, init=False)
    """Within days, in absolute value: away from zero."""
    falls: float = field(default=0.0, init=False)
    restarts: float = field(default=0.0, init=False)
    """Towards zero, from 00:00 to the step after it."""
    positive: bool = field(default=False, init=False)
    negative: bool = field(default=False, init=False)
    _taken: int = field(default=0, init=False)
    _last: NDArray[np.float64] | None = field(default=None, init=False)

    def add(self, steps: Values) -> None:
        """Take more steps, in order."""
        for step in steps:
            values = np.abs(step.astype(np.float64))
            self.positive, self.negative = (
                self.positive or bool((step > 0).any()),
                self.negative or bool((step < 0).any()),
            )
            if self._last is not None:
                change = np.nan_to_num(values - self._last)
                rise, fall = float(change[change > 0].sum()), float(-change[change < 0].sum())
                if self.seconds[self._taken - 1] % DAY_SECONDS == 0:
                    self.restarts += fall
                else:
                    self.rises, self.falls = self.rises + rise, self.falls + fall
            self._last = values
            self._taken += 1

    def judge(self, *, described: bool) -> Accumulation:
        """Running totals go one way all day and back at its start; amounts go up and down at any time."""
        mixed = self.positive and self.negative
        one_way = not mixed and self.falls <= _NOISE * self.rises
        if one_way and self.rises and self.restarts > _NOISE * self.rises:
            return Accumulation.TOTALS
        if described and (one_way or mixed):
            return Accumulation.UNCLEAR
        return Accumulation.NONE


def step_seconds(frequency: Frequency) -> int | None:
    """Length of the steps in which totals can be taken apart: what divides a day; None for any other."""
    if frequency.unit is Unit.HOUR and 24 % frequency.count == 0:
        return 3600 * frequency.count
    return DAY_SECONDS if frequency == Frequency(Unit.DAY) else None


def check_steps(name: str, seconds: Counts, step: int | None) -> int:
    """The length of the steps; raises `InvalidInput` where totals since 00 UTC cannot be taken apart."""
    if step is None or (seconds % step).any():
        raise InvalidInput(
            f"{name} cannot be taken apart into increments: its steps do not divide the day from 00 UTC on",
            hint="Running totals need steps of 1, 2, 3, 4, 6, 8, 12 or 24 hours, on the hour.",
        )
    return step


def increment_labels(seconds: Counts, step: int) -> Counts:
    """Start of each step whose increment can be told; the first total says nothing unless it opens a day."""
    labels = seconds - step
    return labels if labels[0] % DAY_SECONDS == 0 else labels[1:]


def steps_behind(seconds: Counts, step: int, axis: Counts) -> slice:
    """Steps of running totals that the increments on an axis are made of.

    They begin where a day does, because increments make up for the rounding of those before them in their day.
    """
    labels = seconds - step
    opens = np.logical_and(labels % DAY_SECONDS == 0, labels <= int(axis[0]))
    openings = np.flatnonzero(opens)
    start = int(openings[-1]) if openings.size else 0
    return slice(start, max(start, int(np.searchsorted(labels, int(axis[-1]), side="right"))))


def increments(blocks: Iterable[Values], seconds: Counts, step: int, dtype: str) -> Iterator[tuple[int, Floats]]:
    """Take running totals apart: labels and the increments from there to the next step, in a type of that name.

    An increment is missing where the total before it is, unless it opens a day. Each makes up for how the ones before
    it were rounded: added up in 64 bits and rounded once, the increments from the day's start give its total, but for
    the last bit at most.
    """
    before: NDArray[np.float64] | None = None
    moment = 0
    for block in blocks:
        for given in block:
            total = given.astype(np.float64)
            at = int(seconds[moment])
            label = at - step
            if label % DAY_SECONDS == 0:
                before = np.zeros(total.shape)
            elif before is None or int(seconds[moment - 1]) != label:
                before = np.full(total.shape, np.nan)
            increment: Floats = np.asarray(total - before, dtype=dtype)
            before = np.where(np.isnan(increment), total, before + increment)
            yield label, increment
            moment += 1


def align(labelled: Iterable[tuple[int, Floats]], axis: Counts) -> Iterator[Floats]:
    """Put what is labelled in order of time on an axis, one step after the other; missing where there is nothing."""
    position = 0
    missing: Floats | None = None
    for label, values in labelled:
        if missing is None:
            missing = np.full((1, *values.shape), np.nan, dtype=values.dtype)
        while position < len(axis) and axis[position] < label:
            yield missing
            position += 1
        if position < len(axis) and axis[position] == label:
            yield values[np.newaxis]
            position += 1
    while missing is not None and position < len(axis):
        yield missing
        position += 1
