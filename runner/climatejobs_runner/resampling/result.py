"""The data set that a plan gives: what will be said of it, and its store."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from pydantic import JsonValue

from climatejobs import __version__
from climatejobs.datasets import Coverage, Dataset, Variable
from climatejobs.errors import DataError
from climatejobs.footprints import lay_out, output_steps
from climatejobs.frequencies import Frequency, Unit, parse_frequency
from climatejobs.processes.resample import RESAMPLE
from climatejobs_runner.arrays import ArraySpec, Field, StoredArray, time_field
from climatejobs_runner.publication import Staging
from climatejobs_runner.resampling.engine import aggregate, count_work
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


def write(plan: Plan, source: StoreReader, result: Dataset, place: Staging) -> None:
    """Build the result's store: metadata and coordinates first, then the values."""
    progress = place.attempt.progress
    kept = {name: value for name, value in source.attributes.items() if name != RECORD}
    writer = StoreWriter(place.store, {"Conventions": "CF-1.11", **kept, "title": result.title})
    time = next(iter(result.shape))
    for held in _time_fields(plan, source.array(time)):
        writer.add(held)
    for array in map(source.array, source.names()):
        if time not in array.spec.dimensions:
            writer.add(array.held())

    arrays = [source.array(variable.name) for variable in result.variables]
    targets = [writer.create(_spec(array.spec, plan, result)) for array in arrays]
    progress.begin(
        f"Aggregating {', '.join(array.spec.name for array in arrays)} to {plan.frequency} {plan.method}",
        total=sum(count_work(array.spec, plan) for array in arrays),
        unit="steps",
    )

    def advance(steps: int) -> None:
        place.beat()
        progress.advance(steps)

    for array, target in zip(arrays, targets, strict=True):
        aggregate(array, target, plan, advance)
    writer.finish(result)


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
