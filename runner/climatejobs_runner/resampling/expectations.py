"""What the steps of a source stand for: how many a period should have, and for how many days each counts."""

from fractions import Fraction

import numpy as np

from climatejobs.frequencies import Frequency, Unit
from climatejobs_runner.bins import Bins
from climatejobs_runner.calendars import DAY_SECONDS, Counts
from climatejobs_runner.resampling.methods import Exact
from climatejobs_runner.timeaxis import TimeAxis

_FIXED_SECONDS = {Unit.HOUR: 3600, Unit.DAY: DAY_SECONDS, Unit.WEEK: 7 * DAY_SECONDS}


def expected_steps(axis: TimeAxis, frequency: Frequency, edges: Counts) -> Counts:
    """Number of steps that each period would have if none were missing; `edges` as in a plan.

    Steps are counted on from the first one there is, holes or not.
    """
    first, last = int(axis.seconds[0]), int(edges[-1])
    if frequency.unit in _FIXED_SECONDS:
        step = frequency.count * _FIXED_SECONDS[frequency.unit]
        before = np.array([-(-(int(edge) - first) // step) for edge in edges], dtype=np.int64)
        return np.diff(before)
    single = Bins(Frequency(frequency.unit, 1, frequency.anchor), axis.calendar)
    start = int(single.holding(np.array(first, dtype=np.int64)))
    stop = int(single.holding(np.array(last, dtype=np.int64))) + 1
    starts = single.start(np.arange(start, stop + frequency.count, frequency.count, dtype=np.int64))
    return np.diff(np.searchsorted(starts, edges)).astype(np.int64)


def least_steps(expected: Counts, share: float) -> Counts:
    """The fewest steps that are at least a share of those expected; one at the least."""
    # As the decimal number that was written: 0.7 of 10 are 7, though 0.7 * 10 in binary is more than that.
    exact = Fraction(str(share))
    return np.maximum(1, -(-expected * exact.numerator // exact.denominator))


def day_weights(axis: TimeAxis, frequency: Frequency) -> Exact:
    """Days of the period that each step stands for."""
    if frequency.unit in _FIXED_SECONDS:
        return np.full(len(axis.seconds), frequency.count * _FIXED_SECONDS[frequency.unit] / DAY_SECONDS)
    single = Bins(Frequency(frequency.unit, 1, frequency.anchor), axis.calendar)
    numbers = single.holding(axis.seconds)
    return (single.start(numbers + frequency.count) - single.start(numbers)) / DAY_SECONDS
