"""Data for the benchmark: hourly temperature and daily precipitation, packed about as well as real ones are."""

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from climatejobs.datasets import Coverage, Dataset, Variable
from climatejobs.frequencies import parse_frequency
from climatejobs_runner import publication
from climatejobs_runner.arrays import ArraySpec, Field, StepWriter, time_field
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.calendars import DAY_SECONDS, find_calendar
from climatejobs_runner.data_root import DataRoot
from climatejobs_runner.reports import Tracker
from climatejobs_runner.stopping import Stop
from climatejobs_runner.stores import StoreWriter
from climatejobs_runner.timeaxis import TimeAxis

_FIRST_DAY = 20089
"""2025-01-01, in days from 1970-01-01."""
_BLOCK = 24


@dataclass(frozen=True)
class Source:
    """One data set to be made."""

    kind: Literal["temperature", "precipitation"]
    steps: int
    side: int
    chunk: int

    @property
    def id(self) -> str:
        """Id of the data set."""
        return f"{self.kind}-{self.steps}x{self.side}-{self.chunk}"

    @property
    def frequency(self) -> str:
        """Hours of temperature, days of precipitation."""
        return "1h" if self.kind == "temperature" else "1D"

    @property
    def raw_bytes(self) -> int:
        """Bytes of the values."""
        return self.steps * self.side * self.side * 4

    def blocks(self) -> Iterator[np.ndarray]:
        """Values in float32, some steps at a time; always the same. 30 % of the cells are sea, without values."""
        generator = np.random.default_rng(self.side)
        along = np.linspace(0, 1, self.side)
        sea = along[np.newaxis, :] + 0.2 * np.sin(6 * along)[:, np.newaxis] < 0.32
        for start in range(0, self.steps, _BLOCK):
            shape = (min(_BLOCK, self.steps - start), self.side, self.side)
            if self.kind == "temperature":
                hours = np.arange(start, start + shape[0])[:, np.newaxis, np.newaxis]
                noise = generator.standard_normal(shape, dtype=np.float32)
                daily = 5 * np.cos(2 * np.pi * (hours - 14) / 24) + 3 * along[np.newaxis, :, np.newaxis]
                # Whole 512ths of a kelvin, as GRIB packs them.
                values = np.round((295 + daily + 2 * noise) * 512) / 512
            else:
                wet = generator.random(shape, dtype=np.float32) < 0.12
                amounts = np.round(generator.exponential(8, size=shape) * 16) / 16
                values = np.where(wet, amounts, 0)
            values = values.astype(np.float32)
            values[:, sea] = np.nan
            yield values


def make(source: Source, root: Path) -> Dataset:
    """Make a data set below a data root, if it is not there; its description."""
    data = DataRoot(root)
    if source.id in data.dataset_ids():
        return data.read_dataset(source.id)
    frequency = parse_frequency(source.frequency)
    step = DAY_SECONDS if source.frequency == "1D" else 3600
    seconds = _FIRST_DAY * DAY_SECONDS + step * np.arange(source.steps, dtype=np.int64)
    axis = TimeAxis(seconds, find_calendar("standard"))
    dataset = Dataset(
        id=source.id,
        title=source.id,
        variables=[Variable(name="value", units="K" if source.kind == "temperature" else "mm/day", dtype="float32")],
        frequency=str(frequency),
        period_type=frequency.period_type,
        calendar="standard",
        shape={"time": source.steps, "lat": source.side, "lon": source.side},
        chunks={"time": source.chunk, "lat": source.side, "lon": source.side},
        coverage=Coverage(start=axis.label(0), end=axis.label(-1)),
        version="0123456789abcdef",
    )
    attempt = Attempt(data, str(uuid.uuid4()), str(uuid.uuid4()), Stop(), Tracker([]))
    degrees = 0.1 * np.arange(source.side)
    with publication.staging(attempt, dataset.id) as place:
        writer = StoreWriter(place.store, {"Conventions": "CF-1.11"})
        writer.add(time_field("time", axis.seconds, axis.calendar, {}))
        writer.add(Field("lat", ("lat",), 20 - degrees, {"units": "degrees_north", "standard_name": "latitude"}))
        writer.add(Field("lon", ("lon",), degrees, {"units": "degrees_east", "standard_name": "longitude"}))
        shape, chunks = tuple(dataset.shape.values()), tuple(dataset.chunks.values())
        units = {"units": dataset.variables[0].units}
        array = writer.create(ArraySpec("value", tuple(dataset.shape), shape, chunks, "float32", units))
        steps = StepWriter(array)
        for block in source.blocks():
            steps.append(block)
        steps.flush()
        writer.finish(dataset)
        publication.publish(place, dataset)
    os.sync()
    return dataset
