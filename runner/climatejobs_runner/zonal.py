"""The recipe of zonal statistics: which cells lie in which zone, and what is written for each time step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from climatejobs.datasets import Coverage, Dataset, Variable
from climatejobs.errors import DataError, NoData, TooLarge
from climatejobs.footprints import output_steps
from climatejobs.processes.zonal_stats import STATISTICS, ZONAL_STATS, Statistic, ZonalStatsInputs
from climatejobs_runner.arrays import ArraySpec, Field, StepWriter, StoredArray, Values, time_field
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.blocks import BlockReader, Tile, layout_of, stream, tiles
from climatejobs_runner.coverage import Covered, cell_areas, cover, read_polygon
from climatejobs_runner.resampling.engine import Advance
from climatejobs_runner.selection import (
    OpenDataset,
    cell_edges,
    choose_steps,
    choose_variables,
    clip,
    identify,
    is_geographic,
    run_of,
)
from climatejobs_runner.statistics import Cells, Floats, Weights, gather, summarise
from climatejobs_runner.storage import Place
from climatejobs_runner.stores import StoreWriter
from climatejobs_runner.tables import MAX_ROWS
from climatejobs_runner.zones import ZoneSet

ZONE = "zone"
LAYOUT_VERSION = 2
"""Goes up when the same request would be stored in another way."""
VALUES_AT_ONCE = 1_000_000
"""Values of cells that statistics are made of at a time."""
_CELL_METHODS = {"mean": "mean", "sum": "sum", "min": "minimum", "max": "maximum"}
type Summaries = dict[Statistic, Floats]
"""Of each statistic the values by time step and zone."""
_CHUNK_BLOCKS = 8
"""Blocks of the source that go into a chunk of the result at least: more would be too few to share."""


@dataclass(frozen=True)
class Grid:
    """The grid of a source, by the edges of its cells."""

    north_edges: np.ndarray
    east_edges: np.ndarray
    dimensions: tuple[str, str]
    """Names of the rows and of the columns."""

    @classmethod
    def of(cls, source: OpenDataset) -> Self:
        """The grid of a data set; raises `DataError` where it is not one of latitudes and longitudes."""
        north, east = source.grid()
        if not is_geographic(north, east) or len(source.dataset.shape) != 3:
            raise DataError(
                f"{source.dataset.id} is not on a grid of latitudes and longitudes alone, which zones need",
                hint=f"Its dimensions are {', '.join(source.dataset.shape)}.",
            )
        return cls(cell_edges(north), cell_edges(east), (north.name, east.name))


@dataclass(frozen=True)
class ZonalStats:
    """The recipe of a result."""

    source: OpenDataset
    steps: slice
    variables: list[Variable]
    zones: ZoneSet
    covered: tuple[Covered, ...]
    grid: Grid
    statistics: tuple[Statistic, ...]
    dataset: Dataset
    threads: int

    @property
    def words(self) -> str:
        """What is being done, for people."""
        names = ", ".join(variable.name for variable in self.variables)
        return f"Summing {names} up over {len(self.zones.zones)} zones"

    @property
    def chunks(self) -> int:
        """How many chunks along time there are."""
        return -(-self.dataset.shape[self.source.time] // self.dataset.chunks[self.source.time])

    def pinned(self, dataset: Dataset) -> Self:
        """The same, for a result that others have described."""
        return replace(self, dataset=dataset)

    def prepare(self, store: Place) -> None:
        """Create the store with metadata and coordinates."""
        source, time = self.source, self.source.time
        writer = StoreWriter(store, {"title": self.dataset.title})
        given = source.store.array(time).spec.attributes
        kept = {name: value for name, value in given.items() if name not in ("units", "calendar", "bounds")}
        writer.add(time_field(time, source.axis.seconds[self.steps], source.axis.calendar, kept))
        names = np.array([zone.name for zone in self.zones.zones], dtype=np.dtypes.StringDType())
        writer.add(Field(ZONE, (ZONE,), names, {"long_name": "name of the zone"}))
        for variable in self.variables:
            attributes = source.store.array(variable.name).spec.attributes
            for statistic in self.statistics:
                writer.create(
                    ArraySpec(
                        name=f"{variable.name}_{statistic}",
                        dimensions=(time, ZONE),
                        shape=tuple(self.dataset.shape.values()),
                        chunks=tuple(self.dataset.chunks.values()),
                        dtype="float64",
                        attributes=_describe(attributes, statistic),
                    )
                )
        writer.finish(self.dataset)

    def count(self, chunks: range) -> int:
        """Steps of the source that make some chunks."""
        run = run_of(self.dataset, self.steps, chunks)
        return (run.stop - run.start) * len(self.variables)

    def compute(self, store: Place, chunks: range, advance: Advance) -> None:
        """Write the values of some chunks."""
        writer = StoreWriter(store)
        run = run_of(self.dataset, self.steps, chunks)
        for variable in self.variables:
            targets: dict[Statistic, StepWriter] = {
                statistic: StepWriter(writer.array(f"{variable.name}_{statistic}"), start=run.start - self.steps.start)
                for statistic in self.statistics
            }
            array = self.source.store.array(variable.name)
            reader = partial(_ZoneReader, array, self.grid, *self._weights, self.statistics)
            append = partial(_append, targets, advance)
            stream(reader, run, append, steps=layout_of(array.spec).steps, threads=self.threads)
            for target in targets.values():
                target.flush()

    @cached_property
    def _weights(self) -> tuple[Cells, list[Weights]]:
        return gather(self.covered, cell_areas(self.grid.north_edges, self.grid.east_edges))


def _append(targets: Mapping[Statistic, StepWriter], advance: Advance, block: slice, found: Summaries) -> None:
    for statistic, target in targets.items():
        target.append(found[statistic])
    advance(block.stop - block.start)


class _ZoneReader:
    """Reads the cells that lie in any zone, and sums each zone up."""

    def __init__(
        self,
        array: StoredArray,
        grid: Grid,
        cells: Cells,
        zones: Sequence[Weights],
        statistics: Sequence[Statistic],
    ) -> None:
        self._array = array
        self._layout = layout_of(array.spec)
        self._turned = array.spec.dimensions[1:] != grid.dimensions
        self._zones = zones
        self._statistics = statistics
        self._rows, self._columns = np.divmod(cells, len(grid.east_edges) - 1)
        parts = [(tile, self._inside(tile)) for tile in tiles(array.spec.shape, self._layout.tile)]
        self._parts = [(tile, inside) for tile, inside in parts if inside.size]
        # Keeping a buffer for every tile would keep the whole grid.
        self._only = BlockReader(array, self._parts[0][0], self._layout.steps) if len(self._parts) == 1 else None

    def read(self, run: slice) -> Summaries:
        """Statistics of all zones at every time step of a run."""
        values = self._gather(run)
        at_once = max(1, VALUES_AT_ONCE // values.shape[1])
        found: Summaries = {each: np.empty((len(values), len(self._zones))) for each in self._statistics}
        for start in range(0, len(values), at_once):
            part = slice(start, start + at_once)
            for number, weights in enumerate(self._zones):
                for statistic, summed in summarise(values[part], weights, self._statistics).items():
                    found[statistic][part, number] = summed
        return found

    def _gather(self, run: slice) -> Values:
        """Values of the cells, in the order of the grid."""
        gathered = np.empty((run.stop - run.start, len(self._rows)), dtype=self._array.spec.dtype)
        for tile, inside in self._parts:
            down, across = self._turn(tile)
            values = (self._only or BlockReader(self._array, tile, self._layout.steps)).read(run)
            values = values.swapaxes(1, 2) if self._turned else values
            gathered[:, inside] = values[:, self._rows[inside] - down.start, self._columns[inside] - across.start]
        return gathered

    def _inside(self, tile: Tile) -> NDArray[np.intp]:
        """Which of the cells lie in a tile."""
        down, across = self._turn(tile)
        rows, columns = self._rows, self._columns
        return np.flatnonzero(
            (rows >= down.start) & (rows < down.stop) & (columns >= across.start) & (columns < across.stop)
        )

    def _turn(self, tile: Tile) -> Tile:
        """Rows and columns of a tile."""
        return tile[::-1] if self._turned else tile


def plan_zonal_stats(
    inputs: ZonalStatsInputs, zones: ZoneSet, source: OpenDataset, result_id: str, attempt: Attempt, *, threads: int
) -> ZonalStats:
    """Decide what a request comes to for a version of its source; raises `NoData` where no zone lies on the grid."""
    variables = choose_variables(source.dataset, inputs.variables)
    steps = choose_steps(source, inputs.first_moment, inputs.last_moment)
    rows = (steps.stop - steps.start) * len(zones.zones)
    if rows > MAX_ROWS:
        raise TooLarge(
            f"{steps.stop - steps.start} time steps of {len(zones.zones)} zones make {rows} rows; "
            f"at most {MAX_ROWS} are computed at once",
            hint="Choose a shorter time or fewer zones, or aggregate the data in time first.",
        )
    grid = Grid.of(source)
    covered = tuple(cover(read_polygon(zone.geometry), grid.north_edges, grid.east_edges) for zone in zones.zones)
    beside = [zone.name for zone, cells in zip(zones.zones, covered, strict=True) if not len(cells.cells)]
    if len(beside) == len(covered):
        raise NoData(
            f"no zone lies on the grid of {source.dataset.id}, which spans {source.dataset.bbox}",
            hint="Zones are in longitude and latitude, in that order.",
        )
    if beside:
        attempt.progress.note(f"Beside the grid, so without values: {', '.join(beside)}")
    statistics: tuple[Statistic, ...] = tuple(each for each in STATISTICS if each in inputs.statistics)
    dataset = _dataset(
        inputs,
        zones,
        source,
        steps=steps,
        variables=variables,
        statistics=statistics,
        result_id=result_id,
        attempt=attempt,
    )
    return ZonalStats(source, steps, variables, zones, covered, grid, statistics, dataset, threads)


def _dataset(
    inputs: ZonalStatsInputs,
    zones: ZoneSet,
    source: OpenDataset,
    *,
    steps: slice,
    variables: list[Variable],
    statistics: tuple[Statistic, ...],
    result_id: str,
    attempt: Attempt,
) -> Dataset:
    coverage = Coverage(start=source.axis.label(steps.start), end=source.axis.label(steps.stop - 1))
    count = len(zones.zones)
    shape = {source.time: steps.stop - steps.start, ZONE: count}
    blocks_length = max(layout_of(source.store.array(variable.name).spec).steps for variable in variables)
    length = min(shape[source.time], max(blocks_length, output_steps(count, "float64", _CHUNK_BLOCKS * blocks_length)))
    request: dict[str, JsonValue] = {
        "source_dataset_id": source.dataset.id,
        "variables": [variable.name for variable in variables],
        "statistics": [*statistics],
        "zones": zones.provenance,
        "name_property": inputs.name_property,
        "start": coverage.start,
        "end": coverage.end,
    }
    version, provenance = identify(
        ZONAL_STATS, LAYOUT_VERSION, request, source.dataset, attempt=attempt, overwrite=inputs.overwrite
    )
    return Dataset(
        id=result_id,
        title=f"{source.dataset.title}, over {count} zones",
        variables=[
            _variable(clip(variable, coverage), statistic) for variable in variables for statistic in statistics
        ],
        frequency=source.dataset.frequency,
        period_type=source.dataset.period_type,
        calendar=source.dataset.calendar,
        shape=shape,
        chunks={source.time: length, ZONE: count},
        coverage=coverage,
        bbox=source.dataset.bbox,
        version=version,
        provenance=provenance,
    )


def _variable(variable: Variable, statistic: Statistic) -> Variable:
    units = "1" if statistic == "count" else variable.units
    accumulated = variable.accumulated and statistic != "count"
    changes = {"name": f"{variable.name}_{statistic}", "units": units, "dtype": "float64", "accumulated": accumulated}
    return variable.model_copy(update=changes)


def _describe(attributes: Mapping[str, JsonValue], statistic: Statistic) -> dict[str, JsonValue]:
    """Attributes of a statistic of a variable."""
    dropped = ("grid_mapping", "coordinates")
    kept = {name: value for name, value in attributes.items() if name not in dropped and not name.startswith("GRIB_")}
    if statistic == "count":
        long_name = f"number of cells with a value of {kept.get('long_name', 'the variable')}, by their fractions"
        return {"units": "1", "long_name": long_name}
    methods = f"{kept.get('cell_methods', '')} area: {_CELL_METHODS[statistic]}".strip()
    return {**kept, "cell_methods": methods}
