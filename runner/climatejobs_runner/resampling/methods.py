"""How the values of a period become one.

Whatever could depend on how the data are cut into pieces is done one time step after the other, in float64. NaN is
left out; a cell without any value is NaN, also for a sum. Cells are in one line: shapes do not matter here.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from climatejobs.processes.resample import QUANTILES, Method

type Numbers = np.ndarray[tuple[int, ...], np.dtype[np.floating | np.integer]]
"""Values of time steps: one row a step, one column a cell."""
type Exact = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
"""A value for each cell, before it is rounded to the type it is stored in; or a weight for each step."""

type Counts = np.ndarray[tuple[int, ...], np.dtype[np.int32]]
"""A number of steps for each cell."""

BAND_CELLS = 32768
"""Cells whose running totals stay in a processor's cache."""


class Aggregation(ABC):
    """The running state of one period."""

    @abstractmethod
    def add(self, steps: Numbers, weights: Exact) -> None:
        """Take more time steps of the period, in order; most methods have no use for weights."""

    @abstractmethod
    def finish(self) -> Exact:
        """The period's values, valid until more steps are added; the next period starts afresh."""


class Total(Aggregation):
    """Sum or mean.

    Plain additions, which the processor does several at a time, for as many cells as its cache holds. Where a NaN has
    spoilt a cell they are repeated without it; that is rare, or all values of the cell are missing, which shows at a
    glance.
    """

    def __init__(self, cells: int, *, divide: bool) -> None:
        self._divide = divide
        self._total = np.zeros(cells)
        self._missing = np.zeros(cells, dtype=np.int32)
        self._values = np.zeros(cells)
        self._steps = 0
        self._spoilt = False

    def add(self, steps: Numbers, weights: Exact) -> None:
        """Take more time steps of the period, in order."""
        with np.errstate(invalid="ignore", over="ignore"):
            for start in range(0, len(self._total), BAND_CELLS):
                self._add_band(steps, slice(start, start + BAND_CELLS))
        self._steps += len(steps)

    def _add_band(self, steps: Numbers, band: slice) -> None:
        steps, total, missing = steps[:, band], self._total[band], self._missing[band]
        # A period begins with 0.0, so that a sum is never -0.0, and it does not matter whether there was a NaN before.
        before = total.copy() if self._steps else None
        if before is None and len(total) > 1:
            # Row by row, so in the order of time; of a single column numpy would make a tree.
            np.add.reduce(steps, axis=0, dtype=np.float64, out=total, initial=0.0)
        else:
            np.add(steps[0], 0.0 if before is None else before, out=total)
            for step in steps[1:]:
                np.add(total, step, out=total)
        spoilt = np.isnan(total)
        if not spoilt.any():
            return
        self._spoilt = True
        empty = np.isnan(np.fmax.reduce(steps, axis=0))
        np.copyto(total, 0.0 if before is None else before, where=empty)
        np.add(missing, len(steps), out=missing, where=empty)
        cells = np.flatnonzero(spoilt & ~empty)
        if cells.size:
            start = np.zeros(len(cells)) if before is None else before[cells]
            total[cells], missing[cells] = _add_valid(steps, cells, start, missing[cells])

    def finish(self) -> Exact:
        """The period's values; the next period starts afresh."""
        values = self._values if self._divide else self._total
        if not self._steps:
            values.fill(np.nan)
        elif self._divide:
            count = self._steps - self._missing if self._spoilt else self._steps
            with np.errstate(invalid="ignore"):
                np.divide(self._total, count, out=values)
        elif self._spoilt:
            np.copyto(values, np.nan, where=self._missing == self._steps)
        if self._spoilt:
            self._missing.fill(0)
        self._steps, self._spoilt = 0, False
        return values


def _add_valid(
    steps: Numbers, cells: np.ndarray[tuple[int], np.dtype[np.intp]], total: Exact, missing: Counts
) -> tuple[Exact, Counts]:
    """Totals of some cells after the values that are not NaN, and how many were."""
    for step in steps:
        values = step[cells]
        gone = np.isnan(values)
        np.add(total, values, out=total, where=~gone)
        missing += gone
    return total, missing


class WeightedMean(Aggregation):
    """Mean of steps that do not all count the same."""

    def __init__(self, cells: int) -> None:
        self._total = np.zeros(cells)
        self._weight = np.zeros(cells)

    def add(self, steps: Numbers, weights: Exact) -> None:
        """Take more time steps of the period, in order."""
        with np.errstate(invalid="ignore", over="ignore"):
            for step, weight in zip(steps, weights, strict=True):
                valid = ~np.isnan(step)
                np.add(self._total, np.multiply(step, weight, dtype=np.float64), out=self._total, where=valid)
                np.add(self._weight, weight, out=self._weight, where=valid)

    def finish(self) -> Exact:
        """The period's values; the next period starts afresh."""
        values = np.full(len(self._total), np.nan)
        np.divide(self._total, self._weight, out=values, where=self._weight > 0)
        self._total.fill(0)
        self._weight.fill(0)
        return values


class Extreme(Aggregation):
    """Minimum or maximum."""

    def __init__(self, cells: int, *, largest: bool) -> None:
        self._choose = np.fmax if largest else np.fmin
        self._values = np.full(cells, np.nan)

    def add(self, steps: Numbers, weights: Exact) -> None:
        """Take more time steps of the period, in order."""
        self._choose(self._values, self._choose.reduce(steps, axis=0), out=self._values)

    def finish(self) -> Exact:
        """The period's values; the next period starts afresh."""
        # Of zeros with different signs any may have been chosen.
        values = self._values + 0.0
        self._values.fill(np.nan)
        return values


class Deviation(Aggregation):
    """Standard deviation of the period's values (divided by their number), by Welford's recurrence."""

    def __init__(self, cells: int) -> None:
        self._count = np.zeros(cells)
        self._mean = np.zeros(cells)
        self._squares = np.zeros(cells)

    def add(self, steps: Numbers, weights: Exact) -> None:
        """Take more time steps of the period, in order."""
        with np.errstate(invalid="ignore", over="ignore"):
            for step in steps:
                valid = ~np.isnan(step)
                self._count += valid
                distance = step - self._mean
                np.add(self._mean, distance / np.maximum(self._count, 1), out=self._mean, where=valid)
                np.add(self._squares, distance * (step - self._mean), out=self._squares, where=valid)

    def finish(self) -> Exact:
        """The period's values; the next period starts afresh."""
        values = np.full(len(self._count), np.nan)
        np.divide(self._squares, self._count, out=values, where=self._count > 0)
        np.sqrt(values, out=values)
        for state in (self._count, self._mean, self._squares):
            state.fill(0)
        return values


class Count(Aggregation):
    """Number of values that are not missing."""

    def __init__(self, cells: int) -> None:
        self._count = np.zeros(cells)

    def add(self, steps: Numbers, weights: Exact) -> None:
        """Take more time steps of the period, in order."""
        for step in steps:
            self._count += ~np.isnan(step)

    def finish(self) -> Exact:
        """The period's values; the next period starts afresh."""
        values = self._count.copy()
        self._count.fill(0)
        return values


class End(Aggregation):
    """The first or last value that is not missing."""

    def __init__(self, cells: int, *, last: bool) -> None:
        self._last = last
        self._values = np.full(cells, np.nan)

    def add(self, steps: Numbers, weights: Exact) -> None:
        """Take more time steps of the period, in order."""
        for step in steps:
            wanted = ~np.isnan(step)
            if not self._last:
                wanted &= np.isnan(self._values)
            np.copyto(self._values, step, where=wanted)

    def finish(self) -> Exact:
        """The period's values; the next period starts afresh."""
        values = self._values.copy()
        self._values.fill(np.nan)
        return values


class Quantile(Aggregation):
    """An exact quantile: all values of the period are kept and sorted.

    Between two values it is interpolated linearly, by the same operations as in `numpy.nanquantile`.
    """

    def __init__(self, cells: int, share: float, steps: int) -> None:
        self._share = share
        self._values = np.empty((cells, steps))
        self._steps = 0

    def add(self, steps: Numbers, weights: Exact) -> None:
        """Take more time steps of the period, in order; not more in all than were announced."""
        self._values[:, self._steps : self._steps + len(steps)] = steps.T
        self._steps += len(steps)

    def finish(self) -> Exact:
        """The period's values; the next period starts afresh."""
        held = self._values[:, : self._steps]
        self._steps = 0
        if not held.shape[1]:
            return np.full(len(held), np.nan)
        held.sort(axis=1)
        count = held.shape[1] - np.isnan(held).sum(axis=1)
        place = self._share * np.maximum(count - 1, 0)
        lower = np.floor(place).astype(np.intp)
        upper = np.minimum(lower + 1, np.maximum(count - 1, 0))
        part = place - lower
        cells = np.arange(len(held))
        low, high = held[cells, lower], held[cells, upper]
        with np.errstate(invalid="ignore", over="ignore"):
            gap = high - low
            values = low + gap * part
            np.subtract(high, gap * (1 - part), out=values, where=part >= 0.5)
        # Between two equal infinities there is no gap; of zeros with different signs either may come first.
        np.copyto(values, low, where=(low == high) | (count == 0))
        return values + 0.0


def begin(method: Method, cells: int, *, steps: int = 0, weighted: bool = False) -> Aggregation:
    """A state of that method for so many cells; `steps` is the most that a period has."""
    if method in QUANTILES:
        return Quantile(cells, QUANTILES[method], steps)
    if method == "mean" and weighted:
        return WeightedMean(cells)
    return _RUNNING[method](cells)


_RUNNING: Mapping[Method, Callable[[int], Aggregation]] = {
    "mean": partial(Total, divide=True),
    "sum": partial(Total, divide=False),
    "min": partial(Extreme, largest=False),
    "max": partial(Extreme, largest=True),
    "std": Deviation,
    "count": Count,
    "first": partial(End, last=False),
    "last": partial(End, last=True),
}


def result_dtype(source: str, method: Method) -> str:
    """The type that results are rounded to, once: the source's own where that is a float, else float64."""
    if method == "count":
        return "int32"
    return source if np.dtype(source).kind == "f" else "float64"
