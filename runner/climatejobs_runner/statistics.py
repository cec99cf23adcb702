"""The arithmetic of statistics over zones: sums over cells in 64 bits, always in the order of the grid."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from climatejobs.processes.zonal_stats import Statistic
from climatejobs_runner.coverage import Covered

type Floats = NDArray[np.float64]
type Cells = NDArray[np.int64]
"""Numbers of cells, row after row."""


@dataclass(frozen=True)
class Weights:
    """The cells of one zone among those that are read, and how much each of them counts."""

    places: NDArray[np.intp]
    """Where its cells are among the cells of all zones."""
    fractions: Floats
    areas: Floats
    """Areas of what lies in the zone."""


def gather(zones: Sequence[Covered], areas: Floats) -> tuple[Cells, list[Weights]]:
    """The cells of all zones, each once and in the order of the grid, and the weights of each zone."""
    cells = np.unique(np.concatenate([zone.cells for zone in zones]))
    weights = [
        Weights(np.searchsorted(cells, zone.cells), zone.fractions, zone.fractions * areas[zone.cells])
        for zone in zones
    ]
    return cells, weights


def summarise(steps: np.ndarray, weights: Weights, statistics: Sequence[Statistic]) -> dict[Statistic, Floats]:
    """Statistics of one zone at several time steps; `steps` are the values of the cells of all zones, time first.

    NaN is left out; where nothing is left every statistic is NaN, but for the count, which is 0.
    """
    values = np.ascontiguousarray(steps[:, weights.places], dtype=np.float64)
    valid = ~np.isnan(values)
    some = valid.any(axis=1)
    there = np.where(valid, values, 0.0)
    found: dict[Statistic, Floats] = {}
    for statistic in statistics:
        match statistic:
            case "count":
                found[statistic] = (valid * weights.fractions).sum(axis=1)
                continue
            case "sum":
                result = (there * weights.fractions).sum(axis=1)
            case "mean":
                area = (valid * weights.areas).sum(axis=1)
                result = (there * weights.areas).sum(axis=1) / np.where(some, area, 1.0)
            case "min":
                result = np.where(valid, values, np.inf).min(axis=1, initial=np.inf)
            case "max":
                result = np.where(valid, values, -np.inf).max(axis=1, initial=-np.inf)
        found[statistic] = np.where(some, result, np.nan)
    return found
