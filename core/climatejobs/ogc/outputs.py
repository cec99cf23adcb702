"""The outputs of a job as OGC API - Processes writes them: plain values, qualified values, links. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue, ValidationError

from climatejobs.datasets import DatasetOutput, StoredValue, TableOutput
from climatejobs.model import ClimateJob
from climatejobs.ogc.links import CSV, JSON, PARQUET, ZARR, Links
from climatejobs.processes import PROCESSES


@dataclass(frozen=True)
class Wanted:
    """One output that was asked for."""

    name: str
    value: JsonValue
    by_reference: bool


def list_declared(job: ClimateJob) -> Sequence[str]:
    """The outputs that the job's process has, in declared order: the cluster does not keep the order of members."""
    process = PROCESSES.get(job.spec.process)
    return list(process.outputs.model_fields) if process else sorted(job.status.results or {})


def list_wanted(job: ClimateJob) -> Sequence[Wanted]:
    """Outputs asked for that have a value, in declared order."""
    results = job.status.results or {}
    asked = job.spec.outputs
    return [
        Wanted(name, results[name], by_reference=bool(asked) and asked[name].transmission_mode == "reference")
        for name in list_declared(job)
        if name in results and (not asked or name in asked)
    ]


def read_stored(value: JsonValue) -> StoredValue | None:
    """What a value says that is kept as a file; None for any other."""
    if not isinstance(value, dict) or value.get("kind") != "stored-value":
        return None
    try:
        return StoredValue.model_validate(value)
    except ValidationError:
        return None


def describe_reference(job: ClimateJob, wanted: Wanted, links: Links) -> dict[str, JsonValue]:
    """The link to an output."""
    dataset = _read_dataset(wanted.value)
    table = _read_table(wanted.value)
    if dataset is not None:
        href, media_type = links.version_zarr(dataset.id, dataset.version), ZARR
    elif table is not None:
        href, media_type = links.version_table(table.id, table.version, "parquet"), PARQUET
    else:
        stored = read_stored(wanted.value)
        href, media_type = links.output(job.metadata.name, wanted.name), stored.media_type if stored else JSON
    return {"href": href, "rel": "item", "type": media_type, "title": wanted.name}


def describe_member(job: ClimateJob, wanted: Wanted, links: Links, content: bytes | None = None) -> JsonValue:
    """An output as a member of a document: a plain value, a qualified value, or a link.

    `content` is that of a value kept as a file; where it is not at hand, a link stands for it.
    """
    stored = read_stored(wanted.value)
    if wanted.by_reference or (stored is not None and content is None):
        return describe_reference(job, wanted, links)
    value = describe_value(wanted.value, links)
    if stored is not None and content is not None:
        value = cast(JsonValue, json.loads(content)) if stored.media_type == JSON else content.decode()
    if isinstance(value, dict) and not value.keys() & {"value", "href", "bbox"}:
        return {"value": value}
    return value


def describe_value(value: JsonValue, links: Links) -> JsonValue:
    """The value, where it is a data set or a table with the addresses at which it is found."""
    table = _read_table(value)
    if table is not None and isinstance(value, dict):
        return {**value, **_describe_table(table, links)}
    dataset = _read_dataset(value)
    if dataset is None or not isinstance(value, dict):
        return value
    found = links.of_dataset(dataset.id, dataset.version)
    return {
        **value,
        "href": links.version_zarr(dataset.id, dataset.version),
        "type": ZARR,
        "links": [link.model_dump(exclude_none=True) for link in found],
    }


def _describe_table(table: TableOutput, links: Links) -> dict[str, JsonValue]:
    parquet, csv = (links.version_table(table.id, table.version, suffix) for suffix in ("parquet", "csv"))
    also: JsonValue = [{"href": csv, "rel": "alternate", "type": CSV, "title": "The same as CSV"}]
    return {"href": parquet, "type": PARQUET, "links": also}


def _read_table(value: JsonValue) -> TableOutput | None:
    if not isinstance(value, dict) or value.get("kind") != "table":
        return None
    try:
        return TableOutput.model_validate(value)
    except ValidationError:
        return None


def _read_dataset(value: JsonValue) -> DatasetOutput | None:
    try:
        return DatasetOutput.model_validate(value)
    except ValidationError:
        return None
