"""How the values of a period become one.

Values are added one time step after the other in float64, so a result does not depend on how the data were
cut into blocks. NaN is left out; a cell without any value is NaN, also for a sum.
"""

from abc import ABC, abstractmethod

import numpy as np

from climatejobs.processes.resample import Method

type Numbers = np.ndarray[tuple[int, ...], np.dtype[np.floating | np.integer]]
"""Values of the cells of a tile, or of several steps of it with time first."""
type Exact = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
"""Values of the cells of a tile before they are rounded to the type they are stored in."""


class Aggregation(ABC):
    """The running state of one period for the cells of one tile."""

    @abstractmethod
    def add(self, steps: Numbers) -> None:
        """Take more time steps of the period, in order."""

    @abstractmethod
    def finish(self) -> Exact:
        """The period's values; the next period starts afresh."""


class Total(Aggregation):
    """Sum or mean."""

    def __init__(self, shape: tuple[int, ...], *, divide: bool) -> None:
        self._divide = divide
        self._total = np.zeros(shape)
        self._count = np.zeros(shape, dtype=np.int64)

    def add(self, steps: Numbers) -> None:
        """Take more time steps of the period, in order."""
        with np.errstate(invalid="ignore", over="ignore"):
            for step in steps:
                valid = ~np.isnan(step)
                np.add(self._total, step, out=self._total, where=valid)
                self._count += valid

    def finish(self) -> Exact:
        """The period's values; the next period starts afresh."""
        values = np.full(self._total.shape, np.nan)
        np.divide(self._total, self._count if self._divide else 1, out=values, where=self._count > 0)
        self._total.fill(0)
        self._count.fill(0)
        return values


class Extreme(Aggregation):
    """Minimum or maximum."""

    def __init__(self, shape: tuple[int, ...], *, largest: bool) -> None:
        self._choose = np.fmax if largest else np.fmin
        self._values = np.full(shape, np.nan)

    def add(self, steps: Numbers) -> None:
        """Take more time steps of the period, in order."""
        for step in steps:
            self._choose(self._values, step, out=self._values)

    def finish(self) -> Exact:
        """The period's values; the next period starts afresh."""
        values = self._values.copy()
        self._values.fill(np.nan)
        return values


def begin(method: Method, shape: tuple[int, ...]) -> Aggregation:
    """A state of that method for cells of that shape."""
    if method in ("mean", "sum"):
        return Total(shape, divide=method == "mean")
    return Extreme(shape, largest=method == "max")


def result_dtype(source: str) -> str:
    """The type that results are rounded to, once: the source's own where that is a float, else float64."""
    return source if np.dtype(source).kind == "f" else "float64"
