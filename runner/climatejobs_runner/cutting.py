"""The recipe of a subset: which steps, rows and columns are taken, and how they are copied."""

from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from math import prod
from typing import Self

import numpy as np
from pydantic import JsonValue

from climatejobs.datasets import Coverage, Dataset, Variable
from climatejobs.footprints import BLOCK_BYTES, item_bytes, output_steps
from climatejobs.processes.subset import SUBSET, SubsetInputs
from climatejobs_runner.arrays import ArraySpec, Field, StepWriter, StoredArray, Values, time_field
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.blocks import BlockReader, Tile, stream, tiles
from climatejobs_runner.grids import bounding_box
from climatejobs_runner.resampling.engine import Advance
from climatejobs_runner.selection import (
    OpenDataset,
    Parts,
    choose_cells,
    choose_steps,
    choose_variables,
    clip,
    identify,
    run_of,
)
from climatejobs_runner.storage import Place
from climatejobs_runner.stores import RECORD, StoreWriter

LAYOUT_VERSION = 3
"""Goes up when the same request would be stored in another way."""
MAX_CHUNK_CELLS = 512
"""Cells of a chunk along each dimension of the grid."""


@dataclass(frozen=True)
class Subset:
    """The recipe of a result."""

    source: OpenDataset
    steps: slice
    parts: Parts
    fields: tuple[Field, ...]
    """Coordinates and other arrays without time, cut already."""
    dataset: Dataset
    threads: int

    @property
    def words(self) -> str:
        """What is being done, for people."""
        return f"Cutting {', '.join(variable.name for variable in self.dataset.variables)} out"

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
        kept = {name: value for name, value in source.store.attributes.items() if name != RECORD}
        writer = StoreWriter(store, {**kept, "title": self.dataset.title})
        for name in source.store.names():
            array = source.store.array(name)
            if name == time:
                attributes = {key: value for key, value in array.spec.attributes.items() if key != "calendar"}
                writer.add(time_field(time, source.axis.seconds[self.steps], source.axis.calendar, attributes))
            elif array.spec.dimensions[:1] == (time,) and name not in source.variable_names:
                values = array.read((self.steps, *(slice(None) for _ in array.spec.shape[1:])))
                writer.add(replace(array.held(), values=values))
        for held in self.fields:
            writer.add(held)
        for variable in self.dataset.variables:
            spec = source.store.array(variable.name).spec
            writer.create(
                ArraySpec(
                    name=variable.name,
                    dimensions=spec.dimensions,
                    shape=tuple(self.dataset.shape.values()),
                    chunks=tuple(self.dataset.chunks.values()),
                    dtype=spec.dtype,
                    attributes=spec.attributes,
                )
            )
        writer.finish(self.dataset)

    def count(self, chunks: range) -> int:
        """Steps of the source that make some chunks."""
        run = run_of(self.dataset, self.steps, chunks)
        return (run.stop - run.start) * len(self.dataset.variables) * len(self._tiles())

    def compute(self, store: Place, chunks: range, advance: Advance) -> None:
        """Write the values of some chunks."""
        writer = StoreWriter(store)
        run = run_of(self.dataset, self.steps, chunks)
        for variable in self.dataset.variables:
            array = self.source.store.array(variable.name)
            for tile in self._tiles():
                target = StepWriter(writer.array(variable.name), tile, start=run.start - self.steps.start)
                steps = _block_steps(array.spec, tile)
                reader = partial(_PartReader, array, self._pieces(array, tile), steps)
                stream(reader, run, partial(_append, target, advance), steps=steps, threads=self.threads)
                target.flush()

    def _tiles(self) -> list[Tile]:
        """Chunks of the result's grid: a block of one is all that is in memory."""
        return list(tiles(tuple(self.dataset.shape.values()), tuple(self.dataset.chunks.values())[1:]))

    def _pieces(self, array: StoredArray, tile: Tile) -> list[tuple[slice, ...]]:
        """Of each dimension after time, the runs of the source that a tile of the result is made of."""
        names = array.spec.dimensions[1:]
        return [_within(self.parts[name], wanted) for name, wanted in zip(names, tile, strict=True)]


class _PartReader:
    """Reads the cells of a tile, which lie in several places of the source, and puts them one after the other."""

    def __init__(self, array: StoredArray, pieces: list[tuple[slice, ...]], steps: int) -> None:
        self._pieces = pieces
        self._readers = {place: BlockReader(array, place, steps) for place in product(*pieces)}

    def read(self, run: slice) -> Values:
        """The values of a run of time steps; valid until the next one."""
        return self._join(run, ())

    def _join(self, run: slice, before: Tile) -> Values:
        if len(before) == len(self._pieces):
            return self._readers[before].read(run)
        axis = len(before)
        read = [self._join(run, (*before, piece)) for piece in self._pieces[axis]]
        return read[0] if len(read) == 1 else np.concatenate(read, axis=axis + 1)


def _append(target: StepWriter, advance: Advance, block: slice, values: Values) -> None:
    target.append(values)
    advance(block.stop - block.start)


def _block_steps(spec: ArraySpec, tile: Tile) -> int:
    """Steps that are read at once: whole chunks."""
    depth = min(spec.chunks[0], spec.shape[0])
    chunk = prod(part.stop - part.start for part in tile) * depth * item_bytes(spec.dtype)
    return max(1, BLOCK_BYTES // chunk) * depth


def _within(runs: tuple[slice, ...], wanted: slice) -> tuple[slice, ...]:
    """The parts of some runs that are wanted, where these are counted from the start of the first run on."""
    found: list[slice] = []
    passed = 0
    for run in runs:
        start, stop = max(run.start, run.start + wanted.start - passed), min(run.stop, run.start + wanted.stop - passed)
        if start < stop:
            found.append(slice(start, stop))
        passed += run.stop - run.start
    return tuple(found)


def plan_subset(inputs: SubsetInputs, source: OpenDataset, result_id: str, attempt: Attempt, *, threads: int) -> Subset:
    """Decide what a request comes to for a version of its source; raises `NoData` where nothing is selected."""
    variables = choose_variables(source.dataset, inputs.variables)
    steps = choose_steps(source, inputs.first_moment, inputs.last_moment)
    shape = {name: length for name, length in source.dataset.shape.items() if name != source.time}
    parts, fields = choose_cells(source.dataset.id, shape, source.fields(), inputs.bbox)
    dataset = _dataset(
        inputs,
        source,
        steps=steps,
        parts=parts,
        variables=variables,
        result_id=result_id,
        attempt=attempt,
        fields=fields,
    )
    return Subset(source, steps, parts, fields, dataset, threads)


def _dataset(
    inputs: SubsetInputs,
    source: OpenDataset,
    *,
    steps: slice,
    parts: Parts,
    variables: list[Variable],
    result_id: str,
    attempt: Attempt,
    fields: tuple[Field, ...],
) -> Dataset:
    coverage = Coverage(start=source.axis.label(steps.start), end=source.axis.label(steps.stop - 1))
    given = source.dataset
    sizes = {name: sum(run.stop - run.start for run in runs) for name, runs in parts.items()}
    shape = {source.time: steps.stop - steps.start, **sizes}
    cells = [min(length, MAX_CHUNK_CELLS) for length in sizes.values()]
    limit = min(shape[source.time], given.chunks[source.time])
    length = min(output_steps(prod(cells), variable.dtype, limit) for variable in variables)
    request: dict[str, JsonValue] = {
        "source_dataset_id": given.id,
        "variables": [variable.name for variable in variables],
        "bbox": [*inputs.bbox] if inputs.bbox else None,
        "start": coverage.start,
        "end": coverage.end,
    }
    version, provenance = identify(SUBSET, LAYOUT_VERSION, request, given, attempt=attempt, overwrite=inputs.overwrite)
    box = bounding_box({held.name: (held.values, held.attributes) for held in fields})
    return given.model_copy(
        update={
            "id": result_id,
            "title": f"{given.title}, a part",
            "variables": [clip(variable, coverage) for variable in variables],
            "shape": shape,
            "chunks": dict(zip(shape, (length, *cells), strict=True)),
            "coverage": coverage,
            "bbox": box if inputs.bbox else given.bbox,
            "version": version,
            "provenance": provenance,
        }
    )
