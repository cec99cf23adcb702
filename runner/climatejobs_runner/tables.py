"""A data set by time and zone as a table beside its version, as Parquet and as CSV. The one place for pyarrow."""

# pyarrow carries no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

import io
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from climatejobs import datasets
from climatejobs.datasets import Dataset, TableOutput
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.calendars import find_calendar
from climatejobs_runner.selection import OpenDataset

MAX_ROWS = 2_000_000
"""What is put together in memory."""
_REAL = frozenset({"standard", "proleptic_gregorian"})
"""Calendars whose dates Parquet has too; others are written as text."""


def write_tables(dataset: Dataset, attempt: Attempt) -> TableOutput:
    """Write the tables of a published version, unless they are there: a row for each step and zone, in that order."""
    storage = attempt.data.storage
    paths = {suffix: datasets.table_path(dataset.id, dataset.version, suffix) for suffix in ("parquet", "csv")}
    if not all(storage.exists(path) for path in paths.values()):
        opened = OpenDataset.of(dataset, attempt)
        for suffix, encode in (("parquet", _encode_parquet), ("csv", _encode_csv)):
            attempt.stop.checkpoint()
            storage.replace(paths[suffix], encode(opened), attempt.pod_uid)
    rows = 1
    for length in dataset.shape.values():
        rows *= length
    return TableOutput(
        kind="table",
        id=dataset.id,
        version=dataset.version,
        parquet=str(paths["parquet"]),
        csv=str(paths["csv"]),
        rows=rows,
    )


def _encode_parquet(opened: OpenDataset) -> bytes:
    buffer = io.BytesIO()
    if find_calendar(opened.dataset.calendar).name in _REAL:
        moments = pa.array(opened.axis.seconds * 1000, type=pa.timestamp("ms", tz="UTC"))
    else:
        moments = _labels(opened)
    parquet.write_table(_table(opened, moments), buffer, compression="zstd")
    return buffer.getvalue()


def _encode_csv(opened: OpenDataset) -> bytes:
    buffer = io.BytesIO()
    options = csv.WriteOptions(quoting_style="needed")
    csv.write_csv(_table(opened, _labels(opened)), buffer, options)
    return buffer.getvalue()


def _labels(opened: OpenDataset) -> pa.Array:
    return pa.array([opened.axis.label(index) for index in range(len(opened.axis.seconds))], type=pa.string())


def _table(opened: OpenDataset, moments: pa.Array) -> pa.Table:
    time, zone = opened.dataset.shape
    steps, zones = opened.dataset.shape.values()
    names = pa.array([str(name) for name in opened.store.array(zone).read()], type=pa.string())
    columns = {
        time: moments.take(pa.array(np.repeat(np.arange(steps), zones))),
        zone: names.take(pa.array(np.tile(np.arange(zones), steps))),
    }
    for name, values in _columns(opened):
        columns[name] = pa.array(values, from_pandas=True)
    return pa.table(columns)


def _columns(opened: OpenDataset) -> Iterator[tuple[str, np.ndarray]]:
    for variable in opened.dataset.variables:
        yield variable.name, opened.store.array(variable.name).read().ravel()
