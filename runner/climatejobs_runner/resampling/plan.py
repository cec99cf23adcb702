"""What a request for resampling comes to, decided from metadata alone.

Two runs with the same source version and request make the same plan; nothing here reads values or clocks.
"""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from pydantic import JsonValue

from climatejobs.datasets import Dataset
from climatejobs.errors import InvalidInput, NoData
from climatejobs.frequencies import POSSIBLE, Frequency, parse_frequency
from climatejobs.processes.resample import RESAMPLE, Method
from climatejobs.times import Moment
from climatejobs_runner.bins import Bins, covered
from climatejobs_runner.calendars import Calendar, Counts
from climatejobs_runner.timeaxis import TimeAxis

LAYOUT_VERSION = 1
"""Goes up when the same request would be stored in another way."""


@dataclass(frozen=True)
class Request:
    """What is asked for, without what does not change the result."""

    frequency: Frequency
    method: Method
    start: Moment
    end: Moment | None = None


@dataclass(frozen=True)
class Plan:
    """Which steps of the source go into which period of the result."""

    source: Dataset
    frequency: Frequency
    method: Method
    edges: Counts
    """Where each period starts, and where the last one ends, in seconds from 1970-01-01."""
    offsets: Counts
    """Index of the first step of each period, and the one after the last step of all."""

    calendar: Calendar

    @property
    def periods(self) -> int:
        """Number of periods."""
        return len(self.edges) - 1

    @property
    def steps(self) -> int:
        """Number of steps of the source that are used."""
        return int(self.offsets[-1] - self.offsets[0])

    def label(self, period: int) -> str:
        """First moment of a period as ``YYYY-MM-DDTHH:MM:SSZ``."""
        return str(self.calendar.moment_at(int(self.edges[period])))

    @property
    def request(self) -> dict[str, JsonValue]:
        """The request in its canonical form, naming the periods there are."""
        return {
            "source_dataset_id": self.source.id,
            "frequency": str(self.frequency),
            "method": self.method,
            "start": self.label(0),
            "end": self.label(self.periods - 1),
        }

    @property
    def version(self) -> str:
        """Identity of the result: the same for the same computation on the same data."""
        identity = {
            "source": self.source.version,
            "request": self.request,
            "periods": [int(self.edges[0]), int(self.edges[-1]), self.periods],
            "code": [RESAMPLE.version, LAYOUT_VERSION],
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]


def make_plan(source: Dataset, axis: TimeAxis, request: Request) -> Plan:
    """Choose the periods that a request asks for and the data cover whole.

    Raises `InvalidInput` where the frequency does not suit the data, and `NoData` where no period is left.
    """
    target, source_frequency = request.frequency, parse_frequency(source.frequency)
    if target.longest_hours < source_frequency.longest_hours:
        raise InvalidInput(
            f"frequency {target} is finer than the data of {source.id}, which come in steps of {source_frequency}",
            hint=f"Ask for {source_frequency} or longer periods; spellings are {POSSIBLE}.",
        )
    bins = Bins(target, axis.calendar)
    data_start, data_end = covered(source_frequency, axis.calendar, int(axis.seconds[0]), int(axis.seconds[-1]))
    first = bins.first_from(max(data_start, axis.calendar.seconds_of(request.start)))
    last = bins.last_within(data_end)
    if request.end is not None:
        end = np.array(axis.calendar.seconds_of(request.end), dtype=np.int64)
        last = min(last, int(bins.holding(end)))
    if last < first:
        raise _nothing(source, request)
    edges = bins.start(np.arange(first, last + 2, dtype=np.int64))
    offsets = np.searchsorted(axis.seconds, edges).astype(np.int64)
    if offsets[0] == offsets[-1]:
        raise _nothing(source, request)
    return Plan(source, target, request.method, edges, offsets, axis.calendar)


def _nothing(source: Dataset, request: Request) -> NoData:
    until = f" and ending with the one that holds {request.end}" if request.end else ""
    return NoData(
        f"{source.id} covers no complete period of {request.frequency} starting from {request.start}{until}; "
        f"its steps of {source.frequency} run from {source.coverage.start} to {source.coverage.end}",
        hint="Choose start and end so that at least one whole period lies within the data.",
    )
