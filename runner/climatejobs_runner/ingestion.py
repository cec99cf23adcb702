"""Bringing a source into the data root, a block of time steps at a time.

The version is made of the source's contents and the options, so importing the same again finds it there, or goes on
with what an import that was killed has done of it.
"""

import hashlib
import json
from contextlib import closing
from dataclasses import dataclass, field, replace
from math import prod
from typing import Self

from pydantic import JsonValue

from climatejobs import __version__, datasets
from climatejobs.datasets import Coverage, Dataset, DatasetOutput
from climatejobs.errors import InvalidInput
from climatejobs.footprints import MIB, chunk_steps, decoded_bytes, item_bytes
from climatejobs.frequencies import Frequency, parse_frequency
from climatejobs.processes.subset import SubsetInputs
from climatejobs_runner import publication, timeaxis
from climatejobs_runner.accumulation import Accumulation
from climatejobs_runner.arrangement import Arrangement, Choices, arrange
from climatejobs_runner.arrays import ArraySpec, StepWriter, time_field
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.grids import bounding_box
from climatejobs_runner.machine import limit_to_machine
from climatejobs_runner.resampling.engine import Advance
from climatejobs_runner.resuming import build_resumably, forget
from climatejobs_runner.selection import Window, choose_cells, find_steps
from climatejobs_runner.sources.addresses import Access
from climatejobs_runner.sources.opening import recognise
from climatejobs_runner.sources.source import PLACES, Origin, Source
from climatejobs_runner.storage import Place
from climatejobs_runner.stores import StoreReader, StoreWriter

LAYOUT_VERSION = 4
"""Goes up when the same source would be stored in another way."""
MAX_CHUNK_CELLS = 512
"""Cells of a chunk along each dimension of the grid."""
PART_BYTES = 64 * MIB
"""Decoded bytes that are written before it is recorded that they are."""
LEAST_STRIDES = 4
"""Chunks of the source that a part has at least: where one part ends and another begins one may be decoded twice."""


@dataclass(frozen=True)
class ImportRequest:
    """What to bring in, and as what."""

    source: str
    """A path, or an address."""
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
    part: SubsetInputs | None = None
    """What of it is brought in, where that is not all: a box, a span of time, or both."""
    access: Access = field(default_factory=Access)
    """How a bucket is got at."""


def import_source(request: ImportRequest, attempt: Attempt) -> DatasetOutput:
    """Store variables of a file or store as the current version of a data set."""
    limit_to_machine()
    datasets.check_dataset_id(request.dataset_id)
    wanted = parse_frequency(request.frequency) if request.frequency else None
    _check_choices(request)
    with (
        closing(recognise(request.source, request.access, attempt)) as origin,
        closing(origin.open(request.variables)) as whole,
    ):
        window = _window(whole, request.part)
        source = whole if request.part is None else whole.cut(window)
        frequency = wanted or timeaxis.infer_frequency(source.axis)
        identity = origin.identify(whole, window)
        version = _version(request, identity, source, frequency)
        name = _draft_name(request, version)
        if version in attempt.data.versions(request.dataset_id):
            return _found(request, version, name, attempt)
        _tell(source, frequency, attempt)
        arrangement = arrange(source, frequency, attempt, Choices(request.accumulated, request.not_accumulated))
        recipe = Ingestion(_describe(request, identity, arrangement, version), origin, arrangement)
        build_resumably(recipe, name, recipe.parts, attempt)
    return DatasetOutput.describing(recipe.dataset, reused=False)


def _check_choices(request: ImportRequest) -> None:
    for option, names in (("--accumulated", request.accumulated), ("--not-accumulated", request.not_accumulated)):
        if unknown := [name for name in names if name not in request.variables]:
            raise InvalidInput(
                f"{option} names {', '.join(unknown)}, which is not imported",
                hint=f"Add --variable {unknown[0]}, or leave it out.",
            )
    if both := set(request.accumulated) & set(request.not_accumulated):
        raise InvalidInput(f"{', '.join(sorted(both))} cannot be both accumulated and not")


def _window(whole: Source, part: SubsetInputs | None) -> Window:
    """What is wanted of a source; raises `NoData` where that is nothing."""
    axis, fields = whole.axis, {held.name: held for held in whole.fields}
    cells = dict(list(whole.shape.items())[1:])
    if part is None:
        return Window(slice(0, len(axis.seconds)), *choose_cells("the source", cells, fields, None))
    coverage = Coverage(start=axis.label(0), end=axis.label(-1))
    steps = find_steps("the source", axis, coverage, part.first_moment, part.last_moment)
    return Window(steps, *choose_cells("the source", cells, fields, part.bbox))


def _selection(request: ImportRequest, source: Source) -> dict[str, JsonValue]:
    """What was selected, in the same words however it was asked for; nothing where all of it was."""
    part, selection = request.part, dict[str, JsonValue]()
    if part is not None and part.bbox is not None:
        selection["bbox"] = [*part.bbox]
    if part is not None and (part.start or part.end):
        selection |= {"start": source.axis.label(0), "end": source.axis.label(-1)}
    return selection


def _found(request: ImportRequest, version: str, name: str, attempt: Attempt) -> DatasetOutput:
    """The version that is there already, made the current one."""
    store = attempt.data.place(datasets.store_path(request.dataset_id, version))
    record = StoreReader(store).record
    if request.title:
        record = record.model_copy(update={"title": request.title})
    publication.point_to(attempt, record)
    forget(attempt, request.dataset_id, name)
    return DatasetOutput.describing(record, reused=True)


def _version(request: ImportRequest, origin: dict[str, JsonValue], source: Source, frequency: Frequency) -> str:
    identity = {
        **_selection(request, source),
        "id": request.dataset_id,
        "source": {key: value for key, value in origin.items() if key not in PLACES},
        "variables": list(request.variables),
        "frequency": str(frequency),
        "chunk_steps": request.chunk_steps,
        "accumulated": [sorted(request.accumulated), sorted(request.not_accumulated)],
        "layout": LAYOUT_VERSION,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]


def _draft_name(request: ImportRequest, version: str) -> str:
    """What the unfinished version is called, for the next import of the same by the same program to go on with."""
    return hashlib.sha256(json.dumps([version, request.title, __version__]).encode()).hexdigest()[:32]


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


def _describe(request: ImportRequest, origin: dict[str, JsonValue], arrangement: Arrangement, version: str) -> Dataset:
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
        "source": {**origin, "format": source.kind},
        "code": {"climatejobs": __version__},
    }
    if selection := _selection(request, source):
        provenance["request"] = selection
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


@dataclass(frozen=True)
class Ingestion:
    """The recipe of a data set that is brought in."""

    dataset: Dataset
    origin: Origin
    arrangement: Arrangement

    @property
    def words(self) -> str:
        """What is being done, for people."""
        return f"Importing {', '.join(variable.name for variable in self.dataset.variables)}"

    @property
    def chunks(self) -> int:
        """How many chunks along time there are."""
        return -(-len(self.arrangement.axis.seconds) // self._chunk_steps)

    @property
    def parts(self) -> int:
        """How many parts it is made in, each recorded when it is done."""
        source = self.arrangement.source
        steps = len(self.arrangement.axis.seconds)
        stride = max(source.stride(variable.name) for variable in self.dataset.variables)
        return max(1, min(self.chunks, decoded_bytes(self.dataset) // PART_BYTES, steps // (LEAST_STRIDES * stride)))

    def pinned(self, dataset: Dataset) -> Self:
        """The same, as it was described before."""
        return replace(self, dataset=dataset)

    def prepare(self, store: Place) -> None:
        """Create the store with metadata and coordinates."""
        source, axis = self.arrangement.source, self.arrangement.axis
        writer = StoreWriter(store, {**source.attributes, "title": self.dataset.title})
        writer.add(time_field(next(iter(self.dataset.shape)), axis.seconds, axis.calendar, source.time_attributes))
        for held in source.fields:
            writer.add(held)
        for variable in self.dataset.variables:
            writer.create(
                ArraySpec(
                    name=variable.name,
                    dimensions=tuple(self.dataset.shape),
                    shape=tuple(self.dataset.shape.values()),
                    chunks=tuple(self.dataset.chunks.values()),
                    dtype=variable.dtype,
                    attributes=self.arrangement.attributes(variable.name),
                )
            )
        writer.finish(self.dataset)

    def count(self, chunks: range) -> int:
        """Steps of the data set that make some chunks, of all variables."""
        run = self._run(chunks)
        return (run.stop - run.start) * len(self.dataset.variables)

    def compute(self, store: Place, chunks: range, advance: Advance) -> None:
        """Write the values of some chunks."""
        writer, run = StoreWriter(store), self._run(chunks)
        for variable in self.dataset.variables:
            steps = StepWriter(writer.array(variable.name), start=run.start)
            for block in self.arrangement.blocks(variable.name, run):
                steps.append(block)
                advance(len(block))
            steps.flush()
        # Before the part is recorded as done, or the whole published.
        self.origin.check_unchanged()

    @property
    def _chunk_steps(self) -> int:
        return next(iter(self.dataset.chunks.values()))

    def _run(self, chunks: range) -> slice:
        length, end = self._chunk_steps, len(self.arrangement.axis.seconds)
        return slice(min(chunks.start * length, end), min(chunks.stop * length, end))
