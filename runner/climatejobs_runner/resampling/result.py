"""The data set that a plan gives: what will be said of it, and its store."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from pydantic import JsonValue

from climatejobs import __version__
from climatejobs.datasets import Coverage, Dataset, Variable
from climatejobs.errors import DataError
from climatejobs.footprints import lay_out, output_steps
from climatejobs.processes.resample import RESAMPLE
from climatejobs_runner.arrays import ArraySpec, StoredArray
from climatejobs_runner.geozarr import root_attributes
from climatejobs_runner.machine import usable_cpus
from climatejobs_runner.resampling import attributes, engine
from climatejobs_runner.resampling.engine import Advance
from climatejobs_runner.resampling.methods import result_dtype
from climatejobs_runner.resampling.plan import Plan
from climatejobs_runner.storage import Place
from climatejobs_runner.stores import RECORD, StoreReader, StoreWriter


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
        Variable(
            name=variable.name,
            units=attributes.units(variable.units, plan),
            dtype=result_dtype(variable.dtype, plan.method),
            coverage=_coverage(plan, variable.name),
        )
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


def prepare(plan: Plan, source: StoreReader, result: Dataset, store: Place) -> None:
    """Create the result's store, with all that `compute` does not write: metadata and coordinates."""
    time, *space = result.shape
    fixed = {array.spec.name: array.held() for array in _without(time, source)}
    kept = {name: value for name, value in source.attributes.items() if name != RECORD}
    geozarr = root_attributes(fixed, (time, *space))
    writer = StoreWriter(store, {**kept, **geozarr, "title": result.title})
    for held in (*attributes.time_fields(plan, source.array(time).spec), *fixed.values()):
        writer.add(held)
    for variable in result.variables:
        writer.create(_spec(source.array(variable.name).spec, plan, result))


def count_work(plan: Plan, source: StoreReader, result: Dataset, chunks: range) -> int:
    """Steps that `compute` will report for some chunks."""
    periods, length = _periods_of(result, chunks), next(iter(result.chunks.values()))
    specs = [source.array(variable.name).spec for variable in result.variables]
    return sum(engine.count_work(spec, plan, length, periods) for spec in specs)


def compute(
    plan: Plan,
    source: StoreReader,
    result: Dataset,
    store: Place,
    *,
    chunks: range,
    advance: Advance,
    threads: int | None = None,
) -> None:
    """Write the values of some chunks along time, of `output_chunks` that there are, into a prepared store.

    Touches nothing else, and always writes the same bytes: any division of the chunks may be computed at the
    same time, repeatedly and in any order, each part by a process of its own. `threads` are as many as there
    are CPUs, unless given.
    """
    periods = _periods_of(result, chunks)
    writer = StoreWriter(store)
    for variable in result.variables:
        engine.aggregate(
            source.array(variable.name),
            writer.array(variable.name),
            plan,
            periods=periods,
            advance=advance,
            threads=threads or usable_cpus(),
        )


def finish(result: Dataset, store: Place) -> None:
    """Complete the store once all chunks are computed."""
    StoreWriter(store).finish(result)


def _coverage(plan: Plan, name: str) -> Coverage | None:
    """The periods that a variable has values for, where those are fewer than all: what is made of it next must know."""
    periods = plan.covered.get(name)
    if not periods or plan.method == "count":
        return None
    return Coverage(start=plan.label(periods.start), end=plan.label(periods.stop - 1))


def _periods_of(result: Dataset, chunks: range) -> range:
    """The periods that chunks along time hold."""
    time = next(iter(result.shape))
    length, limit = result.chunks[time], result.shape[time]
    return range(min(chunks.start * length, limit), min(chunks.stop * length, limit))


def _without(time: str, source: StoreReader) -> Iterator[StoredArray]:
    """Arrays that are passed through, because they do not depend on time."""
    for array in map(source.array, source.names()):
        if time not in array.spec.dimensions:
            yield array


def _spec(array: ArraySpec, plan: Plan, result: Dataset) -> ArraySpec:
    if array.dimensions != tuple(result.shape):
        raise DataError(f"{array.name} has the dimensions {', '.join(array.dimensions)}, not {', '.join(result.shape)}")
    return ArraySpec(
        name=array.name,
        dimensions=array.dimensions,
        shape=tuple(result.shape.values()),
        chunks=tuple(result.chunks.values()),
        dtype=result_dtype(array.dtype, plan.method),
        attributes=attributes.describe(array, plan),
    )
