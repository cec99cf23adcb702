"""The data set that a plan gives: what will be said of it, and its store."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from climatejobs import __version__
from climatejobs.datasets import Coverage, Dataset, Variable
from climatejobs.errors import DataError
from climatejobs.footprints import lay_out, output_steps
from climatejobs.frequencies import Frequency, Unit, parse_frequency
from climatejobs.processes.resample import RESAMPLE
from climatejobs_runner.arrays import ArraySpec, Field, StoredArray, time_field
from climatejobs_runner.resampling import engine
from climatejobs_runner.resampling.engine import Advance
from climatejobs_runner.resampling.methods import result_dtype
from climatejobs_runner.resampling.plan import Plan
from climatejobs_runner.stores import RECORD, StoreReader, StoreWriter

BOUNDS = "time_bnds"
_CELL_METHODS = {"mean": "mean", "sum": "sum", "min": "minimum", "max": "maximum"}
_UNIT_WORDS = {Unit.HOUR: "hour", Unit.DAY: "day", Unit.MONTH: "month", Unit.YEAR: "year"}
_LENGTHS = {Unit.WEEK: (7, Unit.DAY), Unit.DEKAD: (10, Unit.DAY), Unit.QUARTER: (3, Unit.MONTH)}


@dataclass(frozen=True)
class Identity:
    """What a result is called, and who computed it."""

    dataset_id: str
    version: str
    image: str | None


def describe(plan: Plan, identity: Identity) -> Dataset:
    """What `dataset.json` will say of the result."""
    source = plan.source
    variables = [
        Variable(name=variable.name, units=variable.units, dtype=result_dtype(variable.dtype))
        for variable in source.variables
    ]
    lengths = [source.chunks[name] for name in source.shape]
    layouts = [lay_out(tuple(source.shape.values()), lengths, variable.dtype) for variable in source.variables]
    # One chunking for all variables: the smallest tile divides none of the others' chunks.
    tile = min((layout.tile for layout in layouts), key=prod)
    steps = min(output_steps(prod(tile), variable.dtype, plan.periods) for variable in variables)
    provenance: dict[str, JsonValue] = {
        "process": RESAMPLE.id,
        "request": plan.request,
        "source": {"id": source.id, "version": source.version},
        "code": {"climatejobs": __version__, RESAMPLE.id: RESAMPLE.version},
    }
    if identity.image:
        provenance["image"] = identity.image
    time = next(iter(source.shape))
    return Dataset(
        id=identity.dataset_id,
        title=f"{source.title}, {plan.method} per {plan.frequency}",
        variables=variables,
        frequency=str(plan.frequency),
        period_type=plan.frequency.period_type,
        calendar=plan.calendar.name,
        shape={**source.shape, time: plan.periods},
        chunks=dict(zip(source.shape, (steps, *tile), strict=True)),
        coverage=Coverage(start=plan.label(0), end=plan.label(plan.periods - 1)),
        bbox=source.bbox,
        version=identity.version,
        provenance=provenance,
    )


def output_chunks(result: Dataset) -> int:
    """Number of chunks along time that the result has: what can be computed on its own, and counted from 0."""
    time = next(iter(result.shape))
    return -(-result.shape[time] // result.chunks[time])


def prepare(plan: Plan, source: StoreReader, result: Dataset, store: Path) -> None:
    """Create the result's store, with all that `compute` does not write: metadata and coordinates."""
    kept = {name: value for name, value in source.attributes.items() if name != RECORD}
    writer = StoreWriter(store, {"Conventions": "CF-1.11", **kept, "title": result.title})
    time = next(iter(result.shape))
    for held in _time_fields(plan, source.array(time)):
        writer.add(held)
    for array in map(source.array, source.names()):
        if time not in array.spec.dimensions:
            writer.add(array.held())
    for variable in result.variables:
        writer.create(_spec(source.array(variable.name).spec, plan, result))


def count_work(plan: Plan, source: StoreReader, result: Dataset, chunks: range) -> int:
    """Steps that `compute` will report for some chunks."""
    periods = _periods_of(result, chunks)
    return sum(engine.count_work(source.array(variable.name).spec, plan, periods) for variable in result.variables)


def compute(plan: Plan, source: StoreReader, result: Dataset, store: Path, *, chunks: range, advance: Advance) -> None:
    """Write the values of some chunks along time, of `output_chunks` that there are, into a prepared store.

    Touches nothing else, and always writes the same bytes: any division of the chunks may be computed at the
    same time, repeatedly and in any order, each part by a process of its own.
    """
    periods = _periods_of(result, chunks)
    writer = StoreWriter(store)
    for variable in result.variables:
        engine.aggregate(source.array(variable.name), writer.array(variable.name), plan, periods, advance)


def finish(result: Dataset, store: Path) -> None:
    """Complete the store once all chunks are computed."""
    StoreWriter(store).finish(result)


def _periods_of(result: Dataset, chunks: range) -> range:
    """The periods that chunks along time hold."""
    time = next(iter(result.shape))
    length, limit = result.chunks[time], result.shape[time]
    return range(min(chunks.start * length, limit), min(chunks.stop * length, limit))


def cell_methods(attributes: Mapping[str, JsonValue], time: str, method: str, frequency: Frequency) -> str:
    """CF's ``cell_methods`` after one more aggregation of steps of a frequency."""
    before = str(attributes.get("cell_methods", "")).replace(f"{time}: point", "").strip()
    return f"{before} {time}: {_CELL_METHODS[method]} (interval: {_interval(frequency)})".strip()


def _interval(frequency: Frequency) -> str:
    """A frequency in the words of CF, such as ``6 hours``; a week is 7 days."""
    length, unit = _LENGTHS.get(frequency.unit, (1, frequency.unit))
    count = length * frequency.count
    return f"{count} {_UNIT_WORDS[unit]}{'s' if count > 1 else ''}"


def _time_fields(plan: Plan, source: StoredArray) -> tuple[Field, Field]:
    """The result's time coordinate, labelled at the start of each period, and its bounds."""
    name = source.spec.name
    # Coordinate and bounds share their units: those in which every edge is exact.
    edges = time_field(name, plan.edges, plan.calendar, {**source.spec.attributes, "bounds": BOUNDS})
    bounds = np.stack([edges.values[:-1], edges.values[1:]], axis=1)
    return replace(edges, values=edges.values[:-1]), Field(BOUNDS, (name, "bnds"), bounds)


def _spec(array: ArraySpec, plan: Plan, result: Dataset) -> ArraySpec:
    if array.dimensions != tuple(result.shape):
        raise DataError(f"{array.name} has the dimensions {', '.join(array.dimensions)}, not {', '.join(result.shape)}")
    frequency = parse_frequency(plan.source.frequency)
    methods = cell_methods(array.attributes, array.dimensions[0], plan.method, frequency)
    return ArraySpec(
        name=array.name,
        dimensions=array.dimensions,
        shape=tuple(result.shape.values()),
        chunks=tuple(result.chunks.values()),
        dtype=result_dtype(array.dtype),
        attributes={**array.attributes, "cell_methods": methods},
    )
