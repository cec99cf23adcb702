"""A data set by time and zone as a table beside its version, as Parquet and as CSV. The one place for pyarrow."""

# pyarrow carries no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from climatejobs import datasets
from climatejobs.datasets import Dataset, TableOutput
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.blocks import blocks
from climatejobs_runner.calendars import find_calendar
from climatejobs_runner.selection import OpenDataset

MAX_ROWS = 10_000_000
"""What a table may have: CSV of a gigabyte or so."""
ROWS_AT_ONCE = 100_000
"""Rows that are put together in memory, and that a row group has."""
_REAL = frozenset({"standard", "proleptic_gregorian"})
"""Calendars whose dates Parquet has too; others are written as text."""


def write_tables(dataset: Dataset, attempt: Attempt) -> TableOutput:
    """Write the tables of a published version, unless they are there: a row for each step and zone, in that order."""
    storage = attempt.data.storage
    paths = {suffix: datasets.table_path(dataset.id, dataset.version, suffix) for suffix in ("parquet", "csv")}
    if not all(storage.exists(path) for path in paths.values()):
        opened = OpenDataset.of(dataset, attempt)
        for suffix, encode in (("parquet", _encode_parquet), ("csv", _encode_csv)):
            pieces = _interruptible(encode(opened), attempt)
            storage.replace_by(paths[suffix], pieces, attempt.pod_uid)
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


def _interruptible(pieces: Iterator[bytes], attempt: Attempt) -> Iterator[bytes]:
    for piece in pieces:
        attempt.stop.checkpoint()
        yield piece


def _encode_parquet(opened: OpenDataset) -> Iterator[bytes]:
    real = find_calendar(opened.dataset.calendar).name in _REAL
    schema = _schema(opened, pa.timestamp("ms", tz="UTC") if real else pa.string())
    outbox = _Outbox()
    with parquet.ParquetWriter(outbox, schema, compression="zstd") as writer:
        for steps, columns in _parts(opened):
            seconds = opened.axis.seconds[steps.start : steps.stop]
            moments = pa.array(seconds * 1000, type=schema.field(0).type) if real else _labels(opened, steps)
            writer.write_table(_table(opened, schema, moments, columns))
            yield outbox.take()
    yield outbox.take()


def _encode_csv(opened: OpenDataset) -> Iterator[bytes]:
    schema = _schema(opened, pa.string())
    outbox = _Outbox()
    with csv.CSVWriter(outbox, schema, write_options=csv.WriteOptions(quoting_style="needed")) as writer:
        for steps, columns in _parts(opened):
            writer.write_table(_table(opened, schema, _labels(opened, steps), columns))
            yield outbox.take()
    yield outbox.take()


class _Outbox(io.RawIOBase):
    """A file whose content is taken away as it comes."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any, /) -> int:
        piece = bytes(content)
        self._held.append(piece)
        self._written += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._written

    def take(self) -> bytes:
        """What has come since it was last taken."""
        pieces, self._held = self._held, []
        return b"".join(pieces)


def _labels(opened: OpenDataset, steps: range) -> pa.Array:
    return pa.array([opened.axis.label(index) for index in steps], type=pa.string())


def _schema(opened: OpenDataset, moments: pa.DataType) -> pa.Schema:
    time, zone = opened.dataset.shape
    variables = [(each.name, pa.from_numpy_dtype(np.dtype(each.dtype))) for each in opened.dataset.variables]
    return pa.schema([(time, moments), (zone, pa.string()), *variables])


def _table(opened: OpenDataset, schema: pa.Schema, moments: pa.Array, columns: Mapping[str, np.ndarray]) -> pa.Table:
    _, zone = opened.dataset.shape
    zones = opened.dataset.shape[zone]
    names = pa.array([str(name) for name in opened.store.array(zone).read()], type=pa.string())
    return pa.table(
        [
            moments.take(pa.array(np.repeat(np.arange(len(moments)), zones))),
            names.take(pa.array(np.tile(np.arange(zones), len(moments)))),
            *(pa.array(values.ravel(), from_pandas=True) for values in columns.values()),
        ],
        schema=schema,
    )


def _parts(opened: OpenDataset) -> Iterator[tuple[range, dict[str, np.ndarray]]]:
    """Time steps and the values of all variables there: whole chunks, cut where they have too many rows."""
    time, zone = opened.dataset.shape
    length, zones = opened.dataset.shape[time], opened.dataset.shape[zone]
    at_once = max(1, ROWS_AT_ONCE // zones)
    for chunk in blocks(0, length, opened.dataset.chunks[time]):
        values = {
            variable.name: opened.store.array(variable.name).read((chunk,)) for variable in opened.dataset.variables
        }
        for start in range(chunk.start, chunk.stop, at_once):
            stop = min(start + at_once, chunk.stop)
            part = slice(start - chunk.start, stop - chunk.start)
            yield range(start, stop), {name: each[part] for name, each in values.items()}
