"""How the variables of a source come to lie in a data set: as they are, or taken apart where they count up."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from pydantic import JsonValue

from climatejobs.datasets import Coverage, Variable
from climatejobs.errors import InvalidInput
from climatejobs.frequencies import Frequency, Unit
from climatejobs_runner.accumulation import (
    Accumulation,
    Evidence,
    align,
    check_steps,
    increment_labels,
    increments,
    step_seconds,
    steps_behind,
)
from climatejobs_runner.arrays import Values
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.sources.source import Source
from climatejobs_runner.timeaxis import TimeAxis


@dataclass(frozen=True)
class Choices:
    """What whoever imports says of running totals, whatever the source says."""

    accumulated: tuple[str, ...] = ()
    not_accumulated: tuple[str, ...] = ()


@dataclass(frozen=True)
class Arrangement:
    """How the variables of a source come to lie in the data set."""

    source: Source
    frequency: Frequency
    axis: TimeAxis
    """The time axis of the data set."""
    kinds: dict[str, Accumulation]
    """What each variable is."""

    def dtype(self, name: str) -> str:
        """Type of a variable's values as they are stored."""
        given = self.source.dtype(name)
        takes_apart = self.kinds[name] is Accumulation.TOTALS and np.dtype(given).kind != "f"
        return "float64" if takes_apart else given

    def describe(self, name: str) -> Variable:
        """What `dataset.json` will say of a variable."""
        coverage = None
        if self.kinds[name] is Accumulation.TOTALS:
            step = check_steps(name, self.source.axis.seconds, step_seconds(self.frequency))
            known = np.isin(self.axis.seconds, increment_labels(self.source.axis.seconds, step)).nonzero()[0]
            if not known.size:
                raise InvalidInput(f"{name} holds no running total whose increment could be told")
            if known[0] or known[-1] + 1 < len(self.axis.seconds):
                coverage = Coverage(start=self.axis.label(int(known[0])), end=self.axis.label(int(known[-1])))
        return Variable(
            name=name,
            units=self.source.units(name),
            dtype=self.dtype(name),
            accumulated=self.kinds[name] is Accumulation.UNCLEAR,
            coverage=coverage,
        )

    def attributes(self, name: str) -> dict[str, JsonValue]:
        """What is said of a variable; of one that was taken apart, what it is now."""
        given = self.source.variable_attributes(name)
        if self.kinds[name] is not Accumulation.TOTALS:
            return given
        time = next(iter(self.source.shape))
        return {
            **{key: value for key, value in given.items() if key != "GRIB_stepType"},
            "cell_methods": f"{time}: sum",
        }

    def blocks(self, name: str, run: slice) -> Iterator[Values]:
        """A variable's values in a run of steps of the data set's time axis."""
        if self.kinds[name] is not Accumulation.TOTALS:
            return self.source.blocks(name, run)
        seconds, axis = self.source.axis.seconds, self.axis.seconds[run]
        step = check_steps(name, seconds, step_seconds(self.frequency))
        behind = steps_behind(seconds, step, axis)
        given = self.source.blocks(name, behind)
        return align(increments(given, seconds[behind], step, self.dtype(name)), axis)


def arrange(source: Source, frequency: Frequency, attempt: Attempt, choices: Choices) -> Arrangement:
    """Find out which variables hold running totals, and lay all of them on one time axis.

    Where all do it is that of their increments; beside others it is the source's, and the last increment is missing.
    """
    kinds = {name: _kind(choices, name, source, frequency, attempt) for name in source.variables}
    totals = [name for name, kind in kinds.items() if kind is Accumulation.TOTALS]
    axis = source.axis
    if len(totals) == len(kinds):
        step = check_steps(totals[0], axis.seconds, step_seconds(frequency))
        labels = increment_labels(axis.seconds, step)
        if not len(labels):
            raise InvalidInput(f"{totals[0]} holds no running total whose increment could be told")
        axis = replace(axis, seconds=labels)
    return Arrangement(source, frequency, axis, kinds)


def _kind(choices: Choices, name: str, source: Source, frequency: Frequency, attempt: Attempt) -> Accumulation:
    """Find out whether a variable holds running totals."""
    if name in choices.not_accumulated:
        return Accumulation.NONE
    if name in choices.accumulated:
        check_steps(name, source.axis.seconds, step_seconds(frequency))
        return Accumulation.TOTALS
    kind = source.accumulation(name)
    step = step_seconds(frequency)
    within_days = frequency.unit is Unit.HOUR
    if kind is Accumulation.NONE or not within_days:
        return Accumulation.NONE
    if kind is Accumulation.SUSPECTED:
        attempt.progress.begin(f"Looking whether {name} counts up", total=len(source.axis.seconds), unit="steps")
        evidence = Evidence(source.axis.seconds)
        for block in source.blocks(name, slice(0, len(source.axis.seconds))):
            attempt.stop.checkpoint()
            evidence.add(block)
            attempt.progress.advance(len(block))
        described = "GRIB_stepType" in source.variable_attributes(name)
        kind = evidence.judge(described=described)
    if kind is Accumulation.TOTALS and (step is None or (source.axis.seconds % step).any()):
        kind = Accumulation.UNCLEAR
    if kind is Accumulation.TOTALS:
        attempt.progress.note(f"{name} counts up from 00 UTC on; taken apart into increments of {frequency}")
    elif kind is Accumulation.UNCLEAR:
        attempt.progress.note(
            f"{name} is described as accumulated, and its values do not tell from when on: kept as it is, not to be "
            f"summed or averaged. Import it with --accumulated {name} or --not-accumulated {name} if you know."
        )
    return kind
