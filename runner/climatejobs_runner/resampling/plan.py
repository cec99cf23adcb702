"""What a request for resampling comes to, decided from metadata alone.

Two runs with the same source version and request make the same plan; nothing here reads values or clocks.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from pydantic import JsonValue

from climatejobs.datasets import Dataset, Variable
from climatejobs.errors import InvalidInput, NoData
from climatejobs.frequencies import POSSIBLE, Frequency, parse_frequency
from climatejobs.processes.resample import RESAMPLE, Method, ResampleInputs
from climatejobs.times import Moment, parse_moment
from climatejobs_runner.bins import Bins, covered
from climatejobs_runner.calendars import Calendar, Counts
from climatejobs_runner.resampling.expectations import day_weights, expected_steps, least_steps
from climatejobs_runner.resampling.methods import Exact
from climatejobs_runner.timeaxis import TimeAxis

LAYOUT_VERSION = 5
"""Goes up when the same request would be stored in another way."""


@dataclass(frozen=True)
class Request:
    """What is asked for, without what does not change the result."""

    frequency: Frequency
    method: Method
    start: Moment
    end: Moment | None = None
    min_valid_fraction: float = 0.0
    day_weighting: bool = False

    @classmethod
    def of(cls, inputs: ResampleInputs) -> Self:
        """The request that inputs make."""
        return cls(
            frequency=inputs.target,
            method=inputs.method,
            start=inputs.first_moment,
            end=inputs.last_moment,
            min_valid_fraction=inputs.min_valid_fraction,
            day_weighting=inputs.day_weighting,
        )


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
    min_valid_fraction: float = 0.0
    """0 where it does not matter to the method."""
    least: Counts | None = None
    """The fewest valid steps that each period must have; None where one is enough."""
    covered: Mapping[str, range] = field(default_factory=dict[str, range])
    """The periods that a variable covers whole, where those are fewer than all."""
    weights: Exact | None = None
    """Weight of each step of the source; None where all weigh the same."""

    @property
    def longest(self) -> int:
        """Most steps that a period has."""
        return int(np.diff(self.offsets).max())

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
        """The request in its canonical form, naming the periods there are and nothing that does not matter."""
        request: dict[str, JsonValue] = {
            "source_dataset_id": self.source.id,
            "frequency": str(self.frequency),
            "method": self.method,
            "start": self.label(0),
            "end": self.label(self.periods - 1),
        }
        if self.least is not None:
            request["min_valid_fraction"] = self.min_valid_fraction
        if self.weights is not None:
            request["day_weighting"] = True
        return request

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

    Raises `InvalidInput` where frequency or method do not suit the data, and `NoData` where no period is left.
    """
    _check_method(source, request.method)
    target, source_frequency = request.frequency, parse_frequency(source.frequency)
    if target.longest_hours < source_frequency.longest_hours:
        raise InvalidInput(
            f"frequency {target} is finer than the data of {source.id}, which come in steps of {source_frequency}",
            hint=f"Ask for {source_frequency} or longer periods; spellings are {POSSIBLE}.",
        )
    bins = Bins(target, axis.calendar)
    complete = {variable.name: _complete(variable, axis, source_frequency, bins) for variable in source.variables}
    first = bins.first_from(axis.calendar.seconds_of(request.start))
    first = max(first, min(periods.start for periods in complete.values()))
    last = max(periods.stop for periods in complete.values()) - 1
    if request.end is not None:
        end = np.array(axis.calendar.seconds_of(request.end), dtype=np.int64)
        last = min(last, int(bins.holding(end)))
    if last < first:
        raise _nothing(source, request)
    edges = bins.start(np.arange(first, last + 2, dtype=np.int64))
    offsets = np.searchsorted(axis.seconds, edges).astype(np.int64)
    if offsets[0] == offsets[-1]:
        raise _nothing(source, request)
    least = None
    if request.min_valid_fraction > 0 and request.method != "count":
        least = least_steps(expected_steps(axis, source_frequency, edges), request.min_valid_fraction)
    weights = day_weights(axis, source_frequency) if request.day_weighting and request.method == "mean" else None
    if weights is not None and len(set(weights[offsets[0] : offsets[-1]].tolist())) == 1:
        weights = None
    return Plan(
        source,
        target,
        request.method,
        edges,
        offsets,
        axis.calendar,
        covered={
            name: range(max(0, periods.start - first), min(periods.stop, last + 1) - first)
            for name, periods in complete.items()
            if periods.start > first or periods.stop <= last
        },
        min_valid_fraction=0.0 if least is None else request.min_valid_fraction,
        least=least,
        weights=weights,
    )


def _complete(variable: Variable, axis: TimeAxis, frequency: Frequency, bins: Bins) -> range:
    """Numbers of the bins that a variable covers whole."""
    first, last = int(axis.seconds[0]), int(axis.seconds[-1])
    if variable.coverage is not None:
        first = axis.calendar.seconds_of(parse_moment(variable.coverage.start))
        last = axis.calendar.seconds_of(parse_moment(variable.coverage.end))
    start, end = covered(frequency, axis.calendar, first, last)
    return range(bins.first_from(start), bins.last_within(end) + 1)


def _check_method(source: Dataset, method: Method) -> None:
    accumulated = [variable.name for variable in source.variables if variable.accumulated]
    if accumulated and method in ("sum", "mean"):
        raise InvalidInput(
            f"{', '.join(accumulated)} of {source.id} is accumulated: each value is the total since the start of its "
            f"day, so their {method} counts the same amounts repeatedly",
            hint="Import it again with --accumulated, which takes the totals apart into amounts of each step; or with "
            "--not-accumulated if they are none.",
        )


def _nothing(source: Dataset, request: Request) -> NoData:
    until = f" and ending with the one that holds {request.end}" if request.end else ""
    return NoData(
        f"{source.id} covers no complete period of {request.frequency} starting from {request.start}{until}; "
        f"its steps of {source.frequency} run from {source.coverage.start} to {source.coverage.end}",
        hint="Choose start and end so that at least one whole period lies within the data.",
    )
