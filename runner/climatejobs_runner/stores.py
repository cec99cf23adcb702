"""Zarr stores as this project writes and reads them: version 3, zstd with checksums, all metadata in one place."""

import math
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from pydantic import JsonValue, ValidationError

from climatejobs.datasets import Dataset
from climatejobs.errors import DataError
from climatejobs_runner.arrays import TEXT, ArraySpec, Field, StoredArray
from climatejobs_runner.chunks import Chunks
from climatejobs_runner.files import Files, open_files
from climatejobs_runner.metadata import (
    DOCUMENT,
    ArrayMetadata,
    GroupMetadata,
    Json,
    parse_document,
    write_document,
)
from climatejobs_runner.storage import Place

RECORD = "climatejobs"
"""Attribute of the root group that holds what `dataset.json` said when the version was published."""
CONVENTIONS = "CF-1.11"
"""What metadata are written by, whatever those of the source were."""


class StoreWriter:
    """A store under construction: a new one, or with no attributes given one that has been begun."""

    def __init__(self, place: Place, attributes: Mapping[str, JsonValue] | None = None) -> None:
        self._files = open_files(place)
        if attributes is None:
            self._attributes = _read_group(self._files).attributes
        else:
            self._attributes: Json = {**attributes, "Conventions": CONVENTIONS}
            self._files.write(DOCUMENT, write_document(GroupMetadata(self._attributes).document()))

    def array(self, name: str) -> StoredArray:
        """An array that was created before; raises `DataError` where there is none."""
        return _open_array(self._files, ArrayMetadata.parse(name, _read_array(self._files, name)))

    def create(self, spec: ArraySpec) -> StoredArray:
        """Add an array without values; where none is written it reads as NaN, or as 0 if it holds whole numbers."""
        metadata = ArrayMetadata.of(spec)
        self._files.write(f"{spec.name}/{DOCUMENT}", write_document(metadata.document()))
        return _open_array(self._files, metadata)

    def add(self, held: Field) -> None:
        """Add an array with its values."""
        self.create(held.spec).write((), held.values)

    def finish(self, record: Dataset) -> None:
        """Write what the store is, and all metadata in one place."""
        self._attributes[RECORD] = record.model_dump(mode="json")
        arrays = {name: _read_array(self._files, name) for name in self._files.folders()}
        self._files.write(DOCUMENT, write_document(GroupMetadata(self._attributes, arrays).document()))


class StoreReader:
    """A published store, read only."""

    def __init__(self, place: Place) -> None:
        self._files = open_files(place)
        try:
            group = _read_group(self._files)
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:
            raise DataError(
                f"{place.name} cannot be opened as a Zarr store: {error}", hint="Import or compute the data set again."
            ) from None
        self.attributes = group.attributes
        self._arrays = group.arrays or {}

    @property
    def record(self) -> Dataset:
        """What `dataset.json` said when this version was published."""
        try:
            return Dataset.model_validate(self.attributes.get(RECORD))
        except ValidationError as error:
            raise DataError(f"the store does not say what it holds: {error}") from None

    def names(self) -> list[str]:
        """Names of the arrays, in order."""
        return sorted(self._arrays)

    def array(self, name: str) -> StoredArray:
        """One array; raises `DataError` where there is none."""
        if name not in self._arrays:
            raise _no_array(name, self.names())
        return _open_array(self._files, ArrayMetadata.parse(name, self._arrays[name]))


def _read_group(files: Files) -> GroupMetadata:
    return GroupMetadata.parse(bytes(files.read(DOCUMENT, bytearray())))


def _read_array(files: Files, name: str) -> Json:
    try:
        return parse_document(bytes(files.read(f"{name}/{DOCUMENT}", bytearray())))
    except FileNotFoundError:
        raise _no_array(name, files.folders()) from None


def _open_array(files: Files, metadata: ArrayMetadata) -> StoredArray:
    spec = metadata.spec
    dtype = np.dtypes.StringDType() if spec.dtype == TEXT else np.dtype(spec.dtype)
    return StoredArray(spec, Chunks(files, spec.name, spec.shape, spec.chunks, dtype, metadata.fill_value))


def _no_array(name: str, names: Sequence[str]) -> DataError:
    return DataError(f"the store has no array {name!r}", hint=f"Arrays are: {', '.join(names)}.")


def plain_attributes(given: Mapping[str, object]) -> dict[str, JsonValue]:
    """Attributes as JSON can hold them: numpy's numbers become plain ones, numbers that are not finite become text."""
    return {str(name): _plain(value) for name, value in given.items()}


def _plain(value: object) -> JsonValue:
    if isinstance(value, np.ndarray | np.generic):
        return _plain(cast(object, value.tolist()))
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in cast(Sequence[object], value)]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)
