"""Bringing a source into the data root, a block of time steps at a time.

The version is made of the source's contents and the options, so importing the same again finds it there.
"""

import hashlib
import json
from contextlib import closing
from dataclasses import dataclass
from math import prod
from pathlib import Path

from pydantic import JsonValue

from climatejobs import __version__, datasets
from climatejobs.datasets import Coverage, Dataset, DatasetOutput
from climatejobs.errors import InvalidInput
from climatejobs.footprints import chunk_steps, item_bytes
from climatejobs.frequencies import Frequency, parse_frequency
from climatejobs_runner import publication, timeaxis
from climatejobs_runner.accumulation import Accumulation
from climatejobs_runner.arrangement import Arrangement, Choices, arrange
from climatejobs_runner.arrays import ArraySpec, StepWriter, time_field
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.grids import bounding_box
from climatejobs_runner.machine import limit_to_machine
from climatejobs_runner.sources.opening import Origin, recognise
from climatejobs_runner.sources.source import Source
from climatejobs_runner.stores import StoreReader, StoreWriter

LAYOUT_VERSION = 2
"""Goes up when the same source would be stored in another way."""
MAX_CHUNK_CELLS = 512
"""Cells of a chunk along each dimension of the grid."""


@dataclass(frozen=True)
class ImportRequest:
    """What to bring in, and as what."""

    path: Path
    dataset_id: str
    variables: tuple[str, ...]
    title: str | None = None
    frequency: str | None = None
    """Where absent, inferred from the time axis."""
    chunk_steps: int | None = None
    """Where absent, as many as make a chunk of good size."""
    accumulated: tuple[str, ...] = ()
    """Variables that are known to be running totals."""
    not_accumulated: tuple[str, ...] = ()
    """Variables that are known not to be, whatever their description says."""


def import_source(request: ImportRequest, attempt: Attempt) -> DatasetOutput:
    """Store variables of a file or store as the current version of a data set."""
    limit_to_machine()
    datasets.check_dataset_id(request.dataset_id)
    wanted = parse_frequency(request.frequency) if request.frequency else None
    _check_choices(request)
    origin = recognise(request.path, attempt.stop.checkpoint)
    with closing(origin.open(request.variables)) as source:
        frequency = wanted or timeaxis.infer_frequency(source.axis)
        version = _version(request, origin, frequency)
        if version in attempt.data.versions(request.dataset_id):
            return _found(request, version, attempt)
        _tell(source, frequency, attempt)
        arrangement = arrange(source, frequency, attempt, Choices(request.accumulated, request.not_accumulated))
        dataset = _describe(request, origin, arrangement, version)
        _write(dataset, origin, arrangement, attempt)
    return DatasetOutput.describing(dataset, reused=False)


def _check_choices(request: ImportRequest) -> None:
    for option, names in (("--accumulated", request.accumulated), ("--not-accumulated", request.not_accumulated)):
        if unknown := [name for name in names if name not in request.variables]:
            raise InvalidInput(
                f"{option} names {', '.join(unknown)}, which is not imported",
                hint=f"Add --variable {unknown[0]}, or leave it out.",
            )
    if both := set(request.accumulated) & set(request.not_accumulated):
        raise InvalidInput(f"{', '.join(sorted(both))} cannot be both accumulated and not")


def _found(request: ImportRequest, version: str, attempt: Attempt) -> DatasetOutput:
    """The version that is there already, made the current one."""
    store = attempt.data.place(datasets.store_path(request.dataset_id, version))
    record = StoreReader(store).record
    if request.title:
        record = record.model_copy(update={"title": request.title})
    publication.point_to(attempt, record)
    return DatasetOutput.describing(record, reused=True)


def _version(request: ImportRequest, origin: Origin, frequency: Frequency) -> str:
    identity = {
        "id": request.dataset_id,
        "source": {key: value for key, value in origin.identity.items() if key not in ("file", "store")},
        "variables": list(request.variables),
        "frequency": str(frequency),
        "chunk_steps": request.chunk_steps,
        "accumulated": [sorted(request.accumulated), sorted(request.not_accumulated)],
        "layout": LAYOUT_VERSION,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]


def _tell(source: Source, frequency: Frequency, attempt: Attempt) -> None:
    """Say what whoever imports will want to know of the source."""
    if source.left_out:
        attempt.progress.note(f"Left out, as they cannot be aggregated: {', '.join(source.left_out)}")
    hole = timeaxis.first_hole(source.axis, frequency)
    if hole is not None:
        number, label = hole
        attempt.progress.note(
            f"The time axis has {number} holes, the first after {label}; the steps in them are missing"
        )


def _describe(request: ImportRequest, origin: Origin, arrangement: Arrangement, version: str) -> Dataset:
    """What `dataset.json` will say."""
    source, axis, frequency = arrangement.source, arrangement.axis, arrangement.frequency
    shape = {**source.shape, next(iter(source.shape)): len(axis.seconds)}
    variables = [arrangement.describe(name) for name in source.variables]
    cells = [min(length, MAX_CHUNK_CELLS) for length in list(shape.values())[1:]]
    widest = max((variable.dtype for variable in variables), key=item_bytes)
    steps = request.chunk_steps or chunk_steps(frequency, prod(cells) * item_bytes(widest))
    taken_apart = [name for name, kind in arrangement.kinds.items() if kind is Accumulation.TOTALS]
    provenance: dict[str, JsonValue] = {
        "process": "import",
        "source": {**origin.identity, "format": source.kind},
        "code": {"climatejobs": __version__},
    }
    if taken_apart:
        provenance["deaccumulated"] = [*taken_apart]
    return Dataset(
        id=request.dataset_id,
        title=request.title or str(source.attributes.get("title") or request.dataset_id),
        variables=variables,
        frequency=str(frequency),
        period_type=frequency.period_type,
        calendar=axis.calendar.name,
        shape=shape,
        chunks=dict(zip(shape, (min(steps, len(axis.seconds)), *cells), strict=True)),
        coverage=Coverage(start=axis.label(0), end=axis.label(-1)),
        bbox=bounding_box({held.name: (held.values, held.attributes) for held in source.fields}),
        version=version,
        provenance=provenance,
    )


def _write(dataset: Dataset, origin: Origin, arrangement: Arrangement, attempt: Attempt) -> None:
    source, axis = arrangement.source, arrangement.axis
    with publication.staging(attempt, dataset.id) as place:
        writer = StoreWriter(place.store, {"Conventions": "CF-1.11", **source.attributes, "title": dataset.title})
        writer.add(time_field(next(iter(dataset.shape)), axis.seconds, axis.calendar, source.time_attributes))
        for held in source.fields:
            writer.add(held)
        names = [variable.name for variable in dataset.variables]
        attempt.progress.begin(f"Importing {', '.join(names)}", total=len(axis.seconds) * len(names), unit="steps")
        for variable in dataset.variables:
            array = writer.create(
                ArraySpec(
                    name=variable.name,
                    dimensions=tuple(dataset.shape),
                    shape=tuple(dataset.shape.values()),
                    chunks=tuple(dataset.chunks.values()),
                    dtype=variable.dtype,
                    attributes=arrangement.attributes(variable.name),
                )
            )
            steps = StepWriter(array)
            for block in arrangement.blocks(variable.name, array.spec.chunks[0]):
                steps.append(block)
                place.beat()
                attempt.progress.advance(len(block))
            steps.flush()
        origin.check_unchanged()
        writer.finish(dataset)
        publication.publish(place, dataset)
