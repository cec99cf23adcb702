"""Arrays as this project stores them: time first, and named dimensions.

Written whole chunk by whole chunk, so that no chunk is ever read back to change it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from pydantic import JsonValue

from climatejobs.errors import DataError
from climatejobs_runner import packing, timeaxis
from climatejobs_runner.calendars import Calendar, Counts
from climatejobs_runner.chunks import Chunks
from climatejobs_runner.packing import Packing, Values

TEXT = "text"
"""The type of values that are texts of any length."""


@dataclass(frozen=True)
class ArraySpec:
    """What an array is, before it holds values."""

    name: str
    dimensions: tuple[str, ...]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: str
    attributes: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])


@dataclass(frozen=True)
class Field:
    """An array held in memory: a coordinate, or something that does not depend on time."""

    name: str
    dimensions: tuple[str, ...]
    values: Values
    attributes: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    @property
    def spec(self) -> ArraySpec:
        """The same as a specification: one chunk."""
        shape = self.values.shape
        chunks = tuple(max(1, length) for length in shape)
        return ArraySpec(self.name, self.dimensions, shape, chunks, _type_name(self.values.dtype), self.attributes)


class StoredArray:
    """An array of a store, seen as the values it stands for: what is packed is unpacked, what is missing is NaN."""

    def __init__(self, stored: ArraySpec, chunks: Chunks) -> None:
        self.chunks = chunks
        self.stored_dtype = stored.dtype
        self._packing = None if stored.dtype == TEXT else Packing.of(stored.dtype, stored.attributes)
        self.spec = replace(
            stored,
            dtype=self._packing.dtype(stored.dtype) if self._packing else stored.dtype,
            attributes={key: value for key, value in stored.attributes.items() if key not in packing.ATTRIBUTES},
        )

    def unpack(self, stored: Values) -> Values:
        """The values that stored numbers stand for."""
        return self._packing.unpack(stored) if self._packing else stored

    def read(self, selection: tuple[slice, ...] = ()) -> Values:
        """Values, all or those selected along the first dimensions; raises `DataError` where a chunk is damaged."""
        try:
            return self.unpack(self.chunks.read(self._box(selection)))
        except (ValueError, RuntimeError) as error:
            raise self.damaged(error) from error

    def damaged(self, error: Exception) -> DataError:
        """What to say where a chunk cannot be decoded."""
        return DataError(
            f"values of {self.spec.name} cannot be read, a chunk is damaged: {error}",
            hint="Import or compute the data set again.",
        )

    def write(self, selection: tuple[slice, ...], values: Values) -> None:
        """Write values to whole chunks."""
        self.chunks.write(self._box(selection), values)

    def held(self) -> Field:
        """The array with all its values."""
        return Field(self.spec.name, self.spec.dimensions, self.read(), self.spec.attributes)

    def _box(self, selection: tuple[slice, ...]) -> list[slice]:
        shape = self.spec.shape
        wanted = (*selection, *(slice(None) for _ in shape[len(selection) :]))
        return [slice(*part.indices(length)[:2]) for part, length in zip(wanted, shape, strict=True)]


class StepWriter:
    """Takes time steps of one tile in order, and writes them whole chunk by whole chunk.

    `start` is the first step that comes; it begins a chunk.
    """

    def __init__(self, array: StoredArray, tile: tuple[slice, ...] = (), start: int = 0) -> None:
        shape = array.spec.shape
        self._array = array
        self._tile = tile or tuple(slice(0, length) for length in shape[1:])
        cells = tuple(part.stop - part.start for part in self._tile)
        self._buffer = np.empty((min(array.spec.chunks[0], shape[0]), *cells), dtype=array.spec.dtype)
        self._held = 0
        self._written = start

    def append(self, steps: Values) -> None:
        """Take more steps, the first dimension being time."""
        taken = 0
        while taken < len(steps):
            count = min(len(steps) - taken, len(self._buffer) - self._held)
            self._buffer[self._held : self._held + count] = steps[taken : taken + count]
            self._held += count
            taken += count
            if self._held == len(self._buffer):
                self.flush()

    def flush(self) -> None:
        """Write the steps that are held; to be called after the last one."""
        if self._held:
            run = slice(self._written, self._written + self._held)
            self._array.write((run, *self._tile), self._buffer[: self._held])
            self._written += self._held
            self._held = 0


def time_field(name: str, seconds: Counts, calendar: Calendar, kept: Mapping[str, JsonValue]) -> Field:
    """A time coordinate as it is stored, in the coarsest unit that is exact, beside attributes that are kept."""
    numbers, units = timeaxis.encode(seconds, calendar)
    return Field(name, (name,), numbers, {**kept, **units, "standard_name": "time", "axis": "T"})


def _type_name(dtype: np.dtype[np.generic]) -> str:
    return TEXT if dtype.kind == "T" else str(dtype)
