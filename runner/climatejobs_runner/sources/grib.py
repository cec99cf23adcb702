"""GRIB files of edition 1 and 2: one message a time step, in any order.

The messages are indexed by their headers once; values are decoded message by message as they are asked for.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import JsonValue

from climatejobs.errors import InvalidInput
from climatejobs.footprints import BLOCK_BYTES
from climatejobs_runner.accumulation import Accumulation
from climatejobs_runner.arrays import Field, Values
from climatejobs_runner.calendars import DAY_SECONDS, find_calendar
from climatejobs_runner.selection import Window
from climatejobs_runner.sources.messages import GridFacts, Message, index_messages, read_grid, read_values
from climatejobs_runner.timeaxis import TimeAxis, check_order

_CALENDAR = "proleptic_gregorian"
_TIME = "valid_time"
_SINGLE_BITS = 24
"""Bits of a packed value that a 32-bit number holds exactly."""


@dataclass(frozen=True)
class _Variable:
    messages: tuple[Message, ...]
    """By valid time."""

    @property
    def facts(self) -> Message:
        return self.messages[0]


class GribFile:
    """An open file, seen through the variables that are wanted of it."""

    kind = "GRIB"

    def __init__(self, path: Path, name: str, variables: Sequence[str]) -> None:
        self.variables = tuple(dict.fromkeys(variables))
        self._file: BufferedReader = path.open("rb")
        try:
            self._found = _choose(index_messages(self._file, name), self.variables)
            first = self._found[self.variables[0]]
            self._grid = self._one_grid(name)
            moments = [message.moment for message in first.messages]
            self.axis = TimeAxis(np.array(moments, dtype=np.int64), find_calendar(_CALENDAR))
            check_order(self.axis)
            for wanted, variable in self._found.items():
                if [message.moment for message in variable.messages] != moments:
                    raise InvalidInput(
                        f"{wanted} and {self.variables[0]} are at different times", hint="Import them as two data sets."
                    )
        except BaseException:
            self._file.close()
            raise
        self.attributes: dict[str, JsonValue] = {"institution": first.facts.centre}
        self.time_attributes: dict[str, JsonValue] = {"long_name": "time"}
        self._cells: tuple[slice | np.ndarray, ...] = (slice(None), slice(None))
        self.fields = (
            _coordinate("latitude", self._grid.latitudes, "degrees_north", "Y"),
            _coordinate("longitude", self._grid.longitudes, "degrees_east", "X"),
        )
        self.left_out: tuple[str, ...] = ()

    @property
    def shape(self) -> dict[str, int]:
        """Length of each dimension, time first."""
        return {_TIME: len(self.axis.seconds), **{held.name: len(held.values) for held in self.fields}}

    def dtype(self, name: str) -> str:
        """Type of a variable's values once decoded: the smaller one that holds them exactly."""
        bits = max(message.bits for message in self._found[name].messages)
        return "float32" if bits <= _SINGLE_BITS else "float64"

    def units(self, name: str) -> str | None:
        """Units of a variable, as ecCodes knows them."""
        return self._found[name].facts.units

    def accumulation(self, name: str) -> Accumulation:
        """What the steps of the messages say: totals begin with the day's first hour, amounts with their own."""
        messages = self._found[name].messages
        if any(message.step_type != "accum" for message in messages):
            return Accumulation.NONE
        if all(message.start_step == 0 and message.base % DAY_SECONDS == 0 for message in messages):
            ends = {message.end_step for message in messages}
            if len(ends) > 1 and max(ends) <= DAY_SECONDS:
                return Accumulation.TOTALS
        if len({message.step_length for message in messages}) == 1:
            return Accumulation.NONE
        return Accumulation.SUSPECTED

    def variable_attributes(self, name: str) -> dict[str, JsonValue]:
        """Attributes of a variable, under the names that CF and cfgrib use."""
        facts = self._found[name].facts
        attributes: dict[str, JsonValue] = {
            "long_name": facts.long_name,
            "units": facts.units,
            "GRIB_paramId": facts.parameter,
            "GRIB_shortName": facts.short_name,
            "GRIB_stepType": facts.step_type,
        }
        if facts.standard_name not in ("", "unknown"):
            attributes["standard_name"] = facts.standard_name
        return attributes

    def stride(self, name: str) -> int:
        """As many messages as make a block."""
        return max(1, BLOCK_BYTES // (len(self.fields[0].values) * len(self.fields[1].values) * 8))

    def blocks(self, name: str, run: slice) -> Iterator[Values]:
        """A variable's values in a run of time steps, a block at a time."""
        messages, dtype, stride = self._found[name].messages[run], self.dtype(name), self.stride(name)
        for start in range(0, len(messages), stride):
            part = messages[start : start + stride]
            taken = [read_values(self._file, message, self._grid)[self._cells] for message in part]
            yield np.stack(taken).astype(dtype)

    def cut(self, window: Window) -> Self:
        """The same file, seen through a window: of each message that is decoded, its cells are kept."""
        part = copy.copy(self)
        part._found = {name: _Variable(variable.messages[window.steps]) for name, variable in self._found.items()}
        rows, columns = (np.r_[window.parts[held.name]] for held in self.fields)
        part._cells = np.ix_(rows, columns)
        part.axis = replace(self.axis, seconds=self.axis.seconds[window.steps])
        north, east = window.fields
        part.fields = (north, east)
        return part

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _one_grid(self, name: str) -> GridFacts:
        used = [message for variable in self._found.values() for message in variable.messages]
        if len({message.grid for message in used}) > 1:
            raise InvalidInput(
                f"the messages of {', '.join(self.variables)} in {name} are on different grids",
                hint="Import them as several data sets.",
            )
        return read_grid(self._file, used[0])


def _choose(messages: Sequence[Message], names: Sequence[str]) -> dict[str, _Variable]:
    found: dict[str, _Variable] = {}
    for name in names:
        chosen = [message for message in messages if name in (message.name, message.short_name)]
        if not chosen:
            known = sorted({message.name for message in messages})
            raise InvalidInput(
                f"the GRIB source has no variable {name!r} that could be imported",
                hint=f"Its variables are: {', '.join(known)}.",
            )
        for what, values in (
            ("levels", sorted({message.level for message in chosen})),
            ("ensemble members", sorted({message.member for message in chosen})),
        ):
            if len(values) > 1:
                raise InvalidInput(
                    f"{name} comes at several {what}: {', '.join(map(str, values))}",
                    hint=f"Pick one with grib_copy -w first, such as {_pick(what, values[0])}.",
                )
        found[name] = _Variable(tuple(sorted(chosen, key=lambda message: message.moment)))
    return found


def _pick(what: str, value: str | int) -> str:
    if what == "levels":
        kind, level = str(value).rsplit(" ", 1)
        return f"typeOfLevel={kind},level={level}"
    return f"number={value}"


def _coordinate(name: str, values: np.ndarray, units: str, axis: str) -> Field:
    attributes: dict[str, JsonValue] = {"standard_name": name, "units": units, "axis": axis}
    return Field(name, (name,), values, attributes)
