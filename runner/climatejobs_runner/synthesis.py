"""A synthetic data set to try things with: shaped like ERA5's 2 m temperature, and labelled as made up.

The same request always gives the same values, however they are cut into chunks: the noise of a day comes
from a random number generator of its own.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from climatejobs import __version__, datasets
from climatejobs.datasets import Coverage, Dataset, DatasetOutput, Variable
from climatejobs.footprints import chunk_steps
from climatejobs.frequencies import Frequency, Unit
from climatejobs_runner import publication
from climatejobs_runner.arrays import ArraySpec, Field, StepWriter, time_field
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.calendars import DAY_SECONDS, find_calendar
from climatejobs_runner.machine import limit_to_machine
from climatejobs_runner.stores import StoreWriter
from climatejobs_runner.timeaxis import TimeAxis

VARIABLE = "t2m"
_TIME = "valid_time"
_TITLE = "Synthetic hourly 2 m temperature (made up, not a measurement)"
_NORTH, _WEST, _STEP = 14.0, -17.0, 0.25
_COARSE = 6
"""Points along each side at which the day's weather is drawn; it is interpolated between them."""
_SEED = 20250101


@dataclass(frozen=True)
class SyntheticField:
    """What is to be made."""

    start: date
    days: int
    size: int
    """Cells along each side."""

    @property
    def first_day(self) -> int:
        """Days from 1970-01-01 to the first."""
        return (self.start - date(1970, 1, 1)).days

    def latitudes(self) -> NDArray[np.float64]:
        """Cell centres from north to south, in degrees."""
        return _NORTH - _STEP * np.arange(self.size, dtype=np.float64)

    def longitudes(self) -> NDArray[np.float64]:
        """Cell centres from west to east, in degrees."""
        return _WEST + _STEP * np.arange(self.size, dtype=np.float64)

    def sea(self) -> NDArray[np.bool_]:
        """Cells without values: a sea in the south-west with a winding coast."""
        along = np.linspace(0, 1, self.size)
        coast = 0.35 + 0.08 * np.sin(9 * along)
        return along[np.newaxis, :] + 0.35 * (1 - along[:, np.newaxis]) < coast[:, np.newaxis]

    def day(self, index: int) -> NDArray[np.float32]:
        """Values in kelvin of the 24 hours of one day, counted from 0."""
        number = self.first_day + index
        latitudes = self.latitudes()[np.newaxis, :, np.newaxis]
        season = 3.0 * np.cos(2 * np.pi * (number - 105) / 365.25)
        # Local noon is at 12:00 UTC on the Greenwich meridian; the warmest hour follows three hours later.
        local_hours = np.arange(24)[:, np.newaxis, np.newaxis] + self.longitudes()[np.newaxis, np.newaxis, :] / 15
        daily = 4.5 * np.cos(2 * np.pi * (local_hours - 15) / 24)
        share = (np.arange(24) / 24)[:, np.newaxis, np.newaxis]
        weather = (1 - share) * self._weather(number) + share * self._weather(number + 1)
        values = 302.0 - 0.3 * np.abs(latitudes - 8) + season + daily + weather
        values[:, self.sea()] = np.nan
        return values.astype(np.float32)

    def _weather(self, number: int) -> NDArray[np.float64]:
        """Smooth departures from the usual at the start of a day."""
        drawn = np.random.default_rng([_SEED, number + 1_000_000]).normal(scale=1.2, size=(_COARSE, _COARSE))
        positions = np.linspace(0, _COARSE - 1, self.size)
        lower = np.minimum(positions.astype(int), _COARSE - 2)
        weight = positions - lower
        rows = drawn[lower] * (1 - weight)[:, np.newaxis] + drawn[lower + 1] * weight[:, np.newaxis]
        return rows[:, lower] * (1 - weight) + rows[:, lower + 1] * weight


def synthesize(field: SyntheticField, dataset_id: str, attempt: Attempt) -> DatasetOutput:
    """Make a synthetic field the current version of a data set."""
    limit_to_machine()
    datasets.check_dataset_id(dataset_id)
    dataset = _describe(field, dataset_id)
    if dataset.version in attempt.data.versions(dataset_id):
        publication.point_to(attempt, dataset)
        return DatasetOutput.describing(dataset, reused=True)
    with publication.staging(attempt, dataset_id) as place:
        writer = StoreWriter(place.store, {"title": _TITLE, "source": "synthetic"})
        for held in _coordinates(field):
            writer.add(held)
        array = writer.create(
            ArraySpec(
                VARIABLE,
                tuple(dataset.shape),
                tuple(dataset.shape.values()),
                tuple(dataset.chunks.values()),
                "float32",
                _ATTRIBUTES,
            )
        )
        steps = StepWriter(array)
        attempt.progress.begin("Making synthetic data", total=field.days, unit="days")
        for index in range(field.days):
            steps.append(field.day(index))
            place.beat()
            attempt.progress.advance(1)
        steps.flush()
        writer.finish(dataset)
        publication.publish(place, dataset)
    return DatasetOutput.describing(dataset, reused=False)


_ATTRIBUTES: dict[str, JsonValue] = {
    "long_name": "synthetic 2 metre temperature",
    "standard_name": "air_temperature",
    "units": "K",
    "cell_methods": f"{_TIME}: point",
    "comment": "Synthetic: made up by climatejobs to try things with. Not a measurement, and not a model's.",
}


def _describe(field: SyntheticField, dataset_id: str) -> Dataset:
    axis = _axis(field)
    frequency = Frequency(Unit.HOUR)
    shape = {_TIME: 24 * field.days, "latitude": field.size, "longitude": field.size}
    steps = min(shape[_TIME], chunk_steps(frequency, field.size * field.size * 4))
    south, east = float(field.latitudes()[-1]), float(field.longitudes()[-1])
    made = {"start": str(field.start), "days": field.days, "size": field.size}
    identity = {**made, "id": dataset_id, "code": [__version__, _SEED]}
    return Dataset(
        id=dataset_id,
        title=_TITLE,
        variables=[Variable(name=VARIABLE, units="K", dtype="float32")],
        frequency=str(frequency),
        period_type=frequency.period_type,
        calendar=axis.calendar.name,
        shape=shape,
        chunks={**shape, _TIME: steps},
        coverage=Coverage(start=axis.label(0), end=axis.label(-1)),
        bbox=(_WEST, south, east, _NORTH),
        version=hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32],
        provenance={"process": "synthesize", "request": dict(made), "code": {"climatejobs": __version__}},
    )


def _axis(field: SyntheticField) -> TimeAxis:
    seconds = field.first_day * DAY_SECONDS + 3600 * np.arange(24 * field.days, dtype=np.int64)
    return TimeAxis(seconds, find_calendar("proleptic_gregorian"))


def _coordinates(field: SyntheticField) -> tuple[Field, ...]:
    latitude: dict[str, JsonValue] = {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"}
    longitude: dict[str, JsonValue] = {"standard_name": "longitude", "units": "degrees_east", "axis": "X"}
    axis = _axis(field)
    return (
        time_field(_TIME, axis.seconds, axis.calendar, {"long_name": "time"}),
        Field("latitude", ("latitude",), field.latitudes(), latitude),
        Field("longitude", ("longitude",), field.longitudes(), longitude),
    )
