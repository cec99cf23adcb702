"""Zarr stores as this project writes and reads them: version 3, zstd with checksums, all metadata in one place."""

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import zarr
from pydantic import JsonValue, ValidationError
from zarr.abc.store import Store
from zarr.codecs import ZstdCodec
from zarr.storage import LocalStore, ObjectStore

from climatejobs.datasets import Dataset
from climatejobs.errors import DataError
from climatejobs_runner.arrays import TEXT, ArraySpec, Field, StoredArray
from climatejobs_runner.links import PlainStore
from climatejobs_runner.storage import Place

RECORD = "climatejobs"
"""Attribute of the root group that holds what `dataset.json` said when the version was published."""
CONVENTIONS = "CF-1.11"
"""What metadata are written by, whatever those of the source were."""
_ZSTD_LEVEL = 1


class StoreWriter:
    """A store under construction: a new one, or with no attributes given one that has been begun."""

    def __init__(self, place: Place, attributes: Mapping[str, JsonValue] | None = None) -> None:
        self._store = _open_store(place, read_only=False)
        self._group: zarr.Group
        if attributes is None:
            self._group = zarr.Group.open(  # pyright: ignore[reportUnknownMemberType] - names optional upath
                self._store
            )
        else:
            self._group = zarr.Group.from_store(  # pyright: ignore[reportUnknownMemberType] - names optional upath
                self._store, attributes={**attributes, "Conventions": CONVENTIONS}
            )

    def array(self, name: str) -> StoredArray:
        """An array that was created before; raises `DataError` where there is none."""
        return _array(self._group, name)

    def create(self, spec: ArraySpec) -> StoredArray:
        """Add an array without values; where none is written it reads as NaN, or as 0 if it holds whole numbers."""
        dtype = np.dtypes.StringDType() if spec.dtype == TEXT else np.dtype(spec.dtype)
        array = self._group.create_array(
            spec.name,
            shape=spec.shape,
            chunks=spec.chunks,
            dtype=dtype,
            compressors=ZstdCodec(level=_ZSTD_LEVEL, checksum=True),
            fill_value=np.nan if dtype.kind == "f" else "" if dtype.kind == "T" else 0,
            dimension_names=spec.dimensions,
            attributes=dict(spec.attributes),
        )
        return StoredArray(spec.name, array)

    def add(self, held: Field) -> None:
        """Add an array with its values."""
        self.create(held.spec).write((), held.values)

    def finish(self, record: Dataset) -> None:
        """Write what the store is, and all metadata in one place."""
        self._group.attrs[RECORD] = record.model_dump(mode="json")
        with warnings.catch_warnings():
            # Consolidated metadata is not in the Zarr 3 specification yet. Over HTTP, where folders cannot be
            # listed, it is the only way to find the arrays, and it makes opening one request.
            warnings.filterwarnings("ignore", message="Consolidated metadata", category=UserWarning)
            zarr.consolidate_metadata(  # pyright: ignore[reportUnknownMemberType] - names optional upath
                self._store, zarr_format=3
            )


class StoreReader:
    """A published store, read only."""

    def __init__(self, place: Place) -> None:
        try:
            self._group = zarr.Group.open(  # pyright: ignore[reportUnknownMemberType] - names optional upath
                _open_store(place, read_only=True)
            )
        except (FileNotFoundError, ValueError, KeyError) as error:
            raise DataError(
                f"{place.name} cannot be opened as a Zarr store: {error}", hint="Import or compute the data set again."
            ) from None
        self.attributes = cast(dict[str, JsonValue], dict(self._group.attrs))

    @property
    def record(self) -> Dataset:
        """What `dataset.json` said when this version was published."""
        try:
            return Dataset.model_validate(self.attributes.get(RECORD))
        except ValidationError as error:
            raise DataError(f"the store does not say what it holds: {error}") from None

    def names(self) -> list[str]:
        """Names of the arrays, in order."""
        return sorted(name for name, _ in self._group.arrays())

    def array(self, name: str) -> StoredArray:
        """One array; raises `DataError` where there is none."""
        return _array(self._group, name)


def _open_store(place: Place, *, read_only: bool) -> Store:
    if isinstance(place, Path):
        return PlainStore(place, read_only=True) if read_only else LocalStore(place)
    return ObjectStore(place.objects, read_only=read_only)


def _array(group: zarr.Group, name: str) -> StoredArray:
    found = group.get(name)
    if not isinstance(found, zarr.Array):
        names = ", ".join(sorted(name for name, _ in group.arrays()))
        raise DataError(f"the store has no array {name!r}", hint=f"Arrays are: {names}.")
    return StoredArray(name, found)


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
