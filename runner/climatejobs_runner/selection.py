"""What a request takes of a data set: its variables, its time steps, and the rows and columns of its grid."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from pydantic import JsonValue

from climatejobs import __version__
from climatejobs.datasets import Coverage, Dataset, Variable
from climatejobs.errors import DataError, InvalidInput, NoData
from climatejobs.processes.base import Process
from climatejobs.times import Moment
from climatejobs_runner import timeaxis
from climatejobs_runner.arrays import Field
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.grids import axis_of, bounding_box
from climatejobs_runner.stores import StoreReader
from climatejobs_runner.timeaxis import TimeAxis

_TURN = 360.0


@dataclass(frozen=True)
class OpenDataset:
    """A version of a data set, open for reading."""

    dataset: Dataset
    store: StoreReader
    axis: TimeAxis

    @classmethod
    def of(cls, dataset: Dataset, attempt: Attempt) -> Self:
        """Open a data set at the version that its description names."""
        store = StoreReader(attempt.data.store(dataset))
        time = store.array(next(iter(dataset.shape)))
        return cls(dataset, store, timeaxis.decode(time.read(), time.spec.attributes))

    @property
    def time(self) -> str:
        """Name of the time dimension."""
        return next(iter(self.dataset.shape))

    @property
    def variable_names(self) -> frozenset[str]:
        """Names of the variables, which depend on time."""
        return frozenset(variable.name for variable in self.dataset.variables)

    def fields(self) -> dict[str, Field]:
        """Arrays that do not depend on time, by name."""
        arrays = map(self.store.array, self.store.names())
        return {array.spec.name: array.held() for array in arrays if self.time not in array.spec.dimensions}

    def grid(self) -> tuple[Field, Field]:
        """The axes to the north and to the east; raises `DataError` where the grid has no such axes."""
        return find_grid(self.dataset.id, tuple(self.dataset.shape), self.fields())


def choose_variables(dataset: Dataset, names: Sequence[str] | None) -> list[Variable]:
    """The variables of those names, in the data set's order; raises `InvalidInput` naming those there are."""
    known = [variable.name for variable in dataset.variables]
    if unknown := [name for name in names or () if name not in known]:
        raise InvalidInput(
            f"{dataset.id} has no variable {unknown[0]!r}", hint=f"Its variables are {', '.join(known)}."
        )
    return [variable for variable in dataset.variables if names is None or variable.name in names]


def choose_steps(source: OpenDataset, first: Moment | None, last: Moment | None) -> slice:
    """The time steps from one moment to another, both included; raises `NoData` where there is none."""
    given = source.dataset
    return find_steps(given.id, source.axis, given.coverage, first, last, kind=f" of {given.frequency}")


def find_steps(
    name: str, axis: TimeAxis, coverage: Coverage, first: Moment | None, last: Moment | None, *, kind: str = ""
) -> slice:
    """The steps of a time axis from one moment to another; `name`, `coverage` and `kind` are for the refusal."""
    start = int(np.searchsorted(axis.seconds, axis.calendar.seconds_of(first))) if first else 0
    stop = len(axis.seconds)
    if last:
        stop = int(np.searchsorted(axis.seconds, axis.calendar.seconds_of(last), side="right"))
    if start >= stop:
        raise NoData(
            f"{name} has no time step from {first or 'its first'} to {last or 'its last'}; "
            f"its steps{kind} run from {coverage.start} to {coverage.end}",
            hint="Choose start and end within that time.",
        )
    return slice(start, stop)


def clip(variable: Variable, coverage: Coverage) -> Variable:
    """A variable as it is in a part of its data set's time."""
    own = variable.coverage
    if own is None:
        return variable
    start, end = max(own.start, coverage.start), min(own.end, coverage.end)
    whole = (start, end) == (coverage.start, coverage.end) or start > end
    return variable.model_copy(update={"coverage": None if whole else Coverage(start=start, end=end)})


def choose_rows(centres: np.ndarray, south: float, north: float) -> slice:
    """Rows whose centres lie between two latitudes, whichever way they run; empty where there is none."""
    return _run(np.flatnonzero((centres >= south) & (centres <= north)))


@dataclass(frozen=True)
class Columns:
    """Columns from west to east: one run, or two where the box goes beyond the grid's seam."""

    runs: tuple[slice, ...]
    centres: np.ndarray
    """Their coordinates, rising or falling as the grid's do, continued over the seam."""


def choose_columns(centres: np.ndarray, west: float, east: float, *, around: bool) -> Columns:
    """Columns whose centres lie between two eastings; `around` if 360 degrees further is the same place.

    A box may count from -180 or from 0, and cross the date line (west greater than east) or the grid's seam.
    """
    if not around:
        run = _run(np.flatnonzero((centres >= west) & (centres <= east)))
        return Columns((run,) if run.stop > run.start else (), centres[run])
    if east < west:
        east += _TURN
    if east - west >= _TURN:
        return Columns((slice(0, len(centres)),), centres)
    # Coordinates are as exact as what they were computed from.
    behind = np.mod(centres - west + 1e-9, _TURN)
    chosen = np.flatnonzero(behind <= east - west + 2e-9)
    if not chosen.size:
        return Columns((), centres[:0])
    breaks = np.flatnonzero(np.diff(chosen) > 1) + 1
    runs = [_run(part) for part in np.split(chosen, breaks)]
    rising = len(centres) < 2 or centres[-1] > centres[0]
    runs.sort(key=lambda run: behind[run.start], reverse=not rising)
    places = np.concatenate([west + behind[run] - 1e-9 for run in runs])
    # Where nothing has to be moved, the coordinates stay what they are to the last bit.
    own = np.concatenate([centres[run] for run in runs])
    shifts = np.round((places - own) / _TURN) * _TURN
    return Columns(tuple(runs), own if np.ptp(shifts) == 0 else own + shifts)


def find_grid(name: str, dimensions: Sequence[str], fields: Mapping[str, Field]) -> tuple[Field, Field]:
    """The axes of a grid to the north and to the east; raises `DataError` where `name` has no such axes."""
    found = {
        axis_of(dimension, fields[dimension].attributes): fields[dimension]
        for dimension in dimensions
        if dimension in fields and fields[dimension].values.ndim == 1
    }
    north, east = found.get("Y"), found.get("X")
    if north is None or east is None:
        raise DataError(
            f"{name} is not on a grid of rows and columns with one coordinate each",
            hint=f"Its dimensions are {', '.join(dimensions)}.",
        )
    return north, east


type Parts = Mapping[str, tuple[slice, ...]]
"""Of each dimension after time, the runs that are taken, one after the other."""


@dataclass(frozen=True)
class Window:
    """A part of what lies on a grid: the time steps and cells that are taken."""

    steps: slice
    parts: Parts
    fields: tuple[Field, ...]
    """Coordinates and other arrays without time, cut already."""


def choose_cells(
    name: str, shape: Mapping[str, int], fields: Mapping[str, Field], box: Sequence[float] | None
) -> tuple[Parts, tuple[Field, ...]]:
    """The cells of a grid whose centres lie in a box (west, south, east, north) or on its edge, and the fields there.

    `shape` is without time. Raises `NoData` where there is no such cell, calling the grid's owner by `name`.
    """
    parts = {dimension: (slice(0, length),) for dimension, length in shape.items()}
    if box is None:
        return parts, tuple(fields.values())
    north, east = find_grid(name, tuple(shape), fields)
    west, south, right, top = box
    rows = choose_rows(north.values, south, top)
    columns = choose_columns(east.values, west, right, around=is_geographic(north, east))
    if rows.stop == rows.start or not columns.runs:
        extent = bounding_box({held.name: (held.values, held.attributes) for held in fields.values()})
        raise NoData(
            f"no cell of {name} has its centre in the box {west:g}, {south:g}, {right:g}, {top:g}; "
            f"its grid spans {', '.join(format(edge, 'g') for edge in extent or ())}",
            hint="Write west, south, east, north, and take a box that is larger than a cell.",
        )
    parts |= {north.name: (rows,), east.name: columns.runs}
    return parts, tuple(
        replace(east, values=columns.centres) if held.name == east.name else _cut(held, parts)
        for held in fields.values()
    )


def _cut(held: Field, parts: Parts) -> Field:
    """A field, cut as the grid is."""
    values = held.values
    for axis, name in enumerate(held.dimensions):
        if name in parts:
            before = (slice(None),) * axis
            values = np.concatenate([values[(*before, run)] for run in parts[name]], axis=axis)
    return replace(held, values=values)


def is_geographic(north: Field, east: Field) -> bool:
    """Whether a grid is one of latitudes and longitudes in degrees."""
    units = [str(axis.attributes.get("units", "degrees")).lower() for axis in (north, east)]
    return (
        all(each.startswith("degree") for each in units)
        and bool(np.abs(north.values).max() <= 90)
        and bool(np.abs(east.values).max() <= _TURN)
    )


def cell_edges(axis: Field) -> np.ndarray:
    """Edges of the cells along an axis, half-way between its centres, which need not be evenly spaced."""
    centres = axis.values.astype(np.float64)
    if len(centres) < 2:
        raise DataError(f"{axis.name} has a single cell, which does not tell its size")
    steps = np.diff(centres)
    if not ((steps > 0).all() or (steps < 0).all()):
        raise DataError(f"{axis.name} does not run one way: its cells have no edges")
    inner = centres[:-1] + steps / 2
    return np.concatenate([[centres[0] - steps[0] / 2], inner, [centres[-1] + steps[-1] / 2]])


def _run(indices: np.ndarray) -> slice:
    return slice(int(indices[0]), int(indices[-1]) + 1) if indices.size else slice(0, 0)


def run_of(result: Dataset, steps: slice, chunks: range) -> slice:
    """Steps of the source that chunks along time are made of, where `steps` of it make the whole result."""
    length = next(iter(result.chunks.values()))
    return slice(
        min(steps.start + chunks.start * length, steps.stop), min(steps.start + chunks.stop * length, steps.stop)
    )


def identify(
    process: Process, layout: int, request: dict[str, JsonValue], source: Dataset, *, attempt: Attempt, overwrite: bool
) -> tuple[str, dict[str, JsonValue]]:
    """Version and provenance of what a process makes of a version of a data set."""
    identity = {"source": source.version, "request": request, "code": [process.id, process.version, layout]}
    version = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]
    provenance: dict[str, JsonValue] = {
        "process": process.id,
        "request": request,
        "source": {"id": source.id, "version": source.version},
        "code": {"climatejobs": __version__, process.id: process.version},
    }
    if attempt.image:
        provenance["image"] = attempt.image
    return f"{version}-{attempt.short_uid}" if overwrite else version, provenance
