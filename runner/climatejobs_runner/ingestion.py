"""Bringing a netCDF file into the data root, a block of time steps at a time.

The version is made of the file's contents and the options, so importing the same again finds it there.
"""

import hashlib
import json
from dataclasses import dataclass
from math import prod
from pathlib import Path

from climatejobs import __version__, datasets
from climatejobs.datasets import Coverage, Dataset, DatasetOutput, Variable
from climatejobs.footprints import chunk_steps, item_bytes
from climatejobs.frequencies import Frequency, parse_frequency
from climatejobs_runner import publication, timeaxis
from climatejobs_runner.arrays import ArraySpec, StepWriter, time_field
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.grids import bounding_box
from climatejobs_runner.machine import limit_to_machine
from climatejobs_runner.netcdf import NetcdfFile
from climatejobs_runner.stores import StoreWriter

LAYOUT_VERSION = 1
"""Goes up when the same file would be stored in another way."""
MAX_CHUNK_CELLS = 512
"""Cells of a chunk along each dimension of the grid."""
_HASH_BYTES = 1024 * 1024


@dataclass(frozen=True)
class ImportRequest:
    """What to bring in, and as what."""

    file: Path
    dataset_id: str
    variables: tuple[str, ...]
    title: str | None = None
    frequency: str | None = None
    """Where absent, inferred from the time axis."""
    chunk_steps: int | None = None
    """Where absent, as many as make a chunk of good size."""


def import_file(request: ImportRequest, attempt: Attempt) -> DatasetOutput:
    """Store variables of a netCDF file as the current version of a data set."""
    limit_to_machine()
    datasets.check_dataset_id(request.dataset_id)
    wanted = parse_frequency(request.frequency) if request.frequency else None
    with NetcdfFile(request.file, request.variables) as file:
        axis = file.axis
        frequency = wanted or timeaxis.infer_frequency(axis)
        checksum = _checksum(request.file, attempt)
        dataset = _describe(request, file, frequency, checksum)
        if dataset.version in attempt.data.versions(dataset.id):
            publication.point_to(attempt, dataset)
            return DatasetOutput.describing(dataset, reused=True)
        if file.left_out:
            attempt.progress.note(f"Left out, as they cannot be aggregated: {', '.join(file.left_out)}")
        with publication.staging(attempt, dataset.id) as place:
            writer = StoreWriter(place.store, {"Conventions": "CF-1.11", **file.attributes, "title": dataset.title})
            writer.add(time_field(file.dimensions[0], axis.seconds, axis.calendar, file.time_attributes))
            for held in file.fields:
                writer.add(held)
            total = len(axis.seconds) * len(request.variables)
            attempt.progress.begin(f"Importing {', '.join(request.variables)}", total=total, unit="steps")
            for name in request.variables:
                array = writer.create(_spec(file, name, dataset))
                steps = StepWriter(array)
                for block in file.blocks(name, array.spec.chunks[0]):
                    steps.append(block)
                    place.beat()
                    attempt.progress.advance(len(block))
                steps.flush()
            writer.finish(dataset)
            publication.publish(place, dataset)
    return DatasetOutput.describing(dataset, reused=False)


def _describe(request: ImportRequest, file: NetcdfFile, frequency: Frequency, checksum: str) -> Dataset:
    """What `dataset.json` will say."""
    shape = file.shape
    variables = [Variable(name=name, units=file.units(name), dtype=file.dtype(name)) for name in request.variables]
    cells = [min(length, MAX_CHUNK_CELLS) for length in list(shape.values())[1:]]
    widest = max((variable.dtype for variable in variables), key=item_bytes)
    steps = request.chunk_steps or chunk_steps(frequency, prod(cells) * item_bytes(widest))
    chunks = dict(zip(shape, (min(steps, len(file.axis.seconds)), *cells), strict=True))
    identity = {
        "id": request.dataset_id,
        "file": checksum,
        "variables": list(request.variables),
        "frequency": str(frequency),
        "chunks": chunks,
        "layout": LAYOUT_VERSION,
    }
    return Dataset(
        id=request.dataset_id,
        title=request.title or str(file.attributes.get("title") or request.dataset_id),
        variables=variables,
        frequency=str(frequency),
        period_type=frequency.period_type,
        calendar=file.axis.calendar.name,
        shape=shape,
        chunks=chunks,
        coverage=Coverage(start=file.axis.label(0), end=file.axis.label(-1)),
        bbox=bounding_box({held.name: (held.values, held.attributes) for held in file.fields}),
        version=hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32],
        provenance={
            "process": "import",
            "source": {"file": request.file.name, "sha256": checksum},
            "code": {"climatejobs": __version__},
        },
    )


def _spec(file: NetcdfFile, name: str, dataset: Dataset) -> ArraySpec:
    return ArraySpec(
        name=name,
        dimensions=file.dimensions,
        shape=tuple(dataset.shape.values()),
        chunks=tuple(dataset.chunks.values()),
        dtype=file.dtype(name),
        attributes=file.variable_attributes(name),
    )


def _checksum(path: Path, attempt: Attempt) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_HASH_BYTES):
            attempt.stop.checkpoint()
            digest.update(piece)
    return digest.hexdigest()
