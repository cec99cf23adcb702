"""Data sets: what `dataset.json` says, and where things lie below the data root.

Ids and versions are checked here before any path is made of them.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from climatejobs.errors import InvalidInput
from climatejobs.faults import quote

MAX_ID_LENGTH = 128
DATASET_ID = rf"^[a-z0-9][a-z0-9_-]{{0,{MAX_ID_LENGTH - 1}}}$"
VERSION = r"^[0-9a-z-]{8,80}$"
ABANDONED_SECONDS = 24 * 3600
"""When nobody has been at work for so long in what is under construction, whoever comes across it may remove it."""

DatasetId = Annotated[str, Field(pattern=DATASET_ID)]
Version = Annotated[str, Field(pattern=VERSION)]
Label = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]
"""A time label in the calendar of the data, ``YYYY-MM-DDTHH:MM:SSZ``."""


class DataModel(BaseModel):
    """Base of what is stored below the data root: snake_case, unknown members ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class Coverage(DataModel):
    """First and last time label, both included."""

    start: Label
    end: Label


class Variable(DataModel):
    """A variable that depends on time."""

    name: str
    units: str | None = None
    dtype: str
    accumulated: bool = False
    """Whether its values are running totals, so that neither their sum nor their mean means anything."""
    coverage: Coverage | None = None
    """The steps it has values for, where those are fewer than the data set's; a period beyond is not covered."""


class Dataset(DataModel):
    """The pointer `dataset.json`: a data set and its current version."""

    id: DatasetId
    title: str
    variables: list[Variable]
    frequency: str
    """Canonical frequency of the time steps, such as ``1h`` or ``MS``."""
    period_type: str
    calendar: str = "proleptic_gregorian"
    shape: dict[str, int]
    """Length of each dimension, by name, in the order time, y, x."""
    chunks: dict[str, int]
    """Chunk length of each dimension."""
    coverage: Coverage
    bbox: tuple[float, float, float, float] | None = None
    """West, south, east, north, in the units of the coordinates."""
    version: Version
    provenance: dict[str, JsonValue] = Field(default_factory=dict)


class DatasetOutput(DataModel):
    """What a process says of the data set it has published."""

    id: DatasetId
    version: Version
    store: str
    """Path of the store relative to the data root."""
    variables: list[str]
    coverage: Coverage
    reused: bool
    """Whether an equal result was there already, so that nothing was computed."""

    @classmethod
    def describing(cls, dataset: Dataset, *, reused: bool) -> Self:
        """What is said of a data set that was published, or found."""
        return cls(
            id=dataset.id,
            version=dataset.version,
            store=str(store_path(dataset.id, dataset.version)),
            variables=[variable.name for variable in dataset.variables],
            coverage=dataset.coverage,
            reused=reused,
        )


class TableOutput(DataModel):
    """What a process says of the tables it has written beside a version."""

    kind: Literal["table"]
    """Without a default: outputs travel without what is not set, and this is what a table is recognised by."""
    id: DatasetId
    version: Version
    parquet: str
    """Path relative to the data root."""
    csv: str
    """Path relative to the data root."""
    rows: int


class StoredValue(DataModel):
    """An output too large to travel in a status: a file below the data root."""

    kind: Literal["stored-value"] = "stored-value"
    file: str
    """Path relative to the data root, ``results/<job uid>/<output>``."""
    media_type: str
    size: int
    """Length in bytes."""


def check_dataset_id(text: str) -> str:
    """Return a well-formed data set id unchanged; raises `InvalidInput` for any other text."""
    if re.fullmatch(DATASET_ID[1:-1], text) is None:
        raise InvalidInput(
            f"{quote(text)} is not a data set id",
            hint="An id has up to 128 lower-case letters, digits, '_' and '-', and starts with a letter or digit.",
        )
    return text


def check_version(text: str) -> str:
    """Return a well-formed version unchanged; raises `InvalidInput` for any other text."""
    if re.fullmatch(VERSION[1:-1], text) is None:
        raise InvalidInput(
            f"{quote(text)} is not a version", hint="A version has 8 to 80 lower-case letters, digits and '-'."
        )
    return text


def derived_id(source: str, slug: str, method: str) -> str:
    """Id of the data set that resampling `source` gives."""
    return _result_id(source, f"_{slug}_{method}")


def part_id(source: str, word: str, facts: Mapping[str, JsonValue]) -> str:
    """Id of a data set that a process makes of a part of `source`: the same for the same facts."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return _result_id(source, f"_{word}_{hashlib.sha256(text.encode()).hexdigest()[:8]}")


def _result_id(source: str, ending: str) -> str:
    if len(source) + len(ending) > MAX_ID_LENGTH:
        room = MAX_ID_LENGTH - len(ending)
        raise InvalidInput(
            f"the result would be called as its source is, with {ending} at the end, and have {len(source + ending)} "
            f"characters; an id has at most {MAX_ID_LENGTH}",
            hint=f"Take the data from a data set whose id has at most {room} characters.",
        )
    return check_dataset_id(f"{source}{ending}")


def pointer_path(dataset_id: str) -> PurePosixPath:
    """Path of `dataset.json`, relative to the data root."""
    return PurePosixPath("datasets", check_dataset_id(dataset_id), "dataset.json")


def versions_path(dataset_id: str) -> PurePosixPath:
    """Path of the folder that holds the versions, relative to the data root."""
    return PurePosixPath("datasets", check_dataset_id(dataset_id), "versions")


def store_path(dataset_id: str, version: str) -> PurePosixPath:
    """Path of one version's Zarr store, relative to the data root."""
    return versions_path(dataset_id) / f"{check_version(version)}.zarr"


def table_path(dataset_id: str, version: str, suffix: Literal["parquet", "csv"]) -> PurePosixPath:
    """Path of a table beside a version, relative to the data root."""
    return versions_path(dataset_id) / f"{check_version(version)}.{suffix}"


def zones_path(zones_id: str) -> PurePosixPath:
    """Path of stored zones, relative to the data root."""
    return PurePosixPath("zones", f"{check_dataset_id(zones_id)}.geojson")


def value_path(job_uid: str, output: str) -> PurePosixPath:
    """Path of an output that is kept as a file, relative to the data root."""
    for part in (job_uid, output):
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", part) is None:
            raise InvalidInput(f"{part!r} is not a name that a result can be kept under")
    return PurePosixPath("results", job_uid, output)
