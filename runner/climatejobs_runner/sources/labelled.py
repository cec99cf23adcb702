"""What xarray has opened, as this project reads it.

Packed numbers are unpacked and fill values become NaN, as the attributes say. Time is left to `timeaxis`, so that
it is understood in one way.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import Self

import numpy as np
import xarray as xr
from pydantic import JsonValue

from climatejobs.errors import DataError, InvalidInput
from climatejobs.footprints import BLOCK_BYTES
from climatejobs_runner import timeaxis
from climatejobs_runner.accumulation import Accumulation
from climatejobs_runner.arrays import Field, Values
from climatejobs_runner.grids import is_time
from climatejobs_runner.selection import Window
from climatejobs_runner.sources.source import DAILY_TOTALS
from climatejobs_runner.stores import plain_attributes

_DECODED = frozenset(
    {"_FillValue", "missing_value", "scale_factor", "add_offset", "coordinates", "bounds", "grid_mapping"}
)
"""Attributes that spoke of the file's encoding, or of variables that are not taken over."""


class LabelledSource:
    """An xarray data set, seen through the variables that are wanted of it."""

    def __init__(self, data: xr.Dataset, variables: Sequence[str], *, kind: str) -> None:
        self._data = data
        self._first = 0
        self.kind = kind
        try:
            self._check(variables)
        except BaseException:
            self._data.close()
            raise

    def _check(self, variables: Sequence[str]) -> None:
        available = sorted(name for name in map(str, self._data.data_vars) if self._data[name].dtype.kind in "iuf")
        for name in variables:
            if name not in available:
                raise InvalidInput(
                    f"the {self.kind} source has no variable {name!r} that could be imported",
                    hint=f"Its variables are: {', '.join(available) or 'none'}.",
                )
        self.variables = tuple(dict.fromkeys(variables))
        first = self._data[self.variables[0]]
        time = self._time_dimension(first)
        self.dimensions = (time, *(str(name) for name in first.dims if name != time))
        for name in self.variables[1:]:
            if set(self._data[name].dims) != set(first.dims):
                raise InvalidInput(
                    f"{name} and {self.variables[0]} are on different grids", hint="Import them as two data sets."
                )
        coordinate = self._data[time]
        self.axis = timeaxis.decode(np.asarray(coordinate.values), coordinate.attrs)
        kept = {key: value for key, value in coordinate.attrs.items() if key not in ("units", "calendar")}
        self.time_attributes = _attributes(kept)
        self.attributes = plain_attributes(self._data.attrs)
        self.fields, self.left_out = self._sort_coordinates()

    @property
    def shape(self) -> dict[str, int]:
        """Length of each dimension, time first."""
        return {name: int(self._data.sizes[name]) for name in self.dimensions}

    def dtype(self, name: str) -> str:
        """Type of a variable's values once decoded."""
        return str(self._data[name].dtype.newbyteorder("="))

    def units(self, name: str) -> str | None:
        """Units of a variable, where the file gives them."""
        units = self._data[name].attrs.get("units")
        return None if units is None else str(units)

    def accumulation(self, name: str) -> Accumulation:
        """Suspected where ecCodes' step type says so, or the name is that of a running total of ERA5-Land."""
        described = self._data[name].attrs.get("GRIB_stepType")
        suspected = described == "accum" or (described is None and name in DAILY_TOTALS)
        return Accumulation.SUSPECTED if suspected else Accumulation.NONE

    def variable_attributes(self, name: str) -> dict[str, JsonValue]:
        """Attributes of a variable, without those that decoding has used up."""
        attributes = _attributes(self._data[name].attrs)
        held = {field.name for field in self.fields}
        if mapping := self._grid_mapping(name):
            attributes["grid_mapping"] = mapping
        auxiliary = sorted(held - set(self.dimensions) - {mapping})
        if auxiliary:
            attributes["coordinates"] = " ".join(auxiliary)
        return attributes

    def stride(self, name: str) -> int:
        """Whole chunks of the source, because each is decoded anew by every read that touches it."""
        variable = self._data[name]
        encoding = variable.encoding
        # Of a sharded array the shard is what is best read whole.
        lengths = encoding.get("shards") or encoding.get("chunks") or encoding.get("chunksizes") or ()
        stored = dict(zip(map(str, variable.dims), lengths, strict=False))
        shape = self.shape
        time = self.dimensions[0]
        chunk = min(shape[time], stored.get(time, 1) or 1)
        step_bytes = max(1, prod(shape.values()) // shape[time] * variable.dtype.itemsize)
        return max(chunk, BLOCK_BYTES // step_bytes // chunk * chunk)

    def blocks(self, name: str, run: slice) -> Iterator[Values]:
        """A variable's values in a run of time steps, some at a time, in runs that end where chunks do."""
        variable = self._data[name].transpose(*self.dimensions)
        stride, start = self.stride(name), run.start
        while start < run.stop:
            stop = min(run.stop, ((start + self._first) // stride + 1) * stride - self._first)
            try:
                yield np.asarray(variable.isel({self.dimensions[0]: slice(start, stop)}).values)
            except (OSError, ValueError, RuntimeError) as error:
                raise DataError(
                    f"values of {name} cannot be read, the source is damaged: {error}", hint="Fetch it again."
                ) from error
            start = stop

    def cut(self, window: Window) -> Self:
        """The same source, seen through a window: xarray reads no more than that."""
        indexers: dict[str, slice | np.ndarray] = {self.dimensions[0]: window.steps}
        for name, runs in window.parts.items():
            indexers[name] = runs[0] if len(runs) == 1 else np.r_[runs]
        part = copy.copy(self)
        part._data = self._data.isel(indexers)
        part._first = self._first + window.steps.start
        part.axis = replace(self.axis, seconds=self.axis.seconds[window.steps])
        part.fields = list(window.fields)
        return part

    def close(self) -> None:
        """Close the file."""
        self._data.close()

    def _time_dimension(self, variable: xr.DataArray) -> str:
        for name in map(str, variable.dims):
            if name in self._data.variables and is_time(name, self._data[name].attrs):
                return name
        raise InvalidInput(
            f"{variable.name} has no time dimension; its dimensions are {', '.join(map(str, variable.dims)) or 'none'}",
            hint="Time is a dimension called time, valid_time or t, or one whose coordinate CF describes as time.",
        )

    def _sort_coordinates(self) -> tuple[list[Field], list[str]]:
        """Coordinates that are taken over, and names of those that are not."""
        fields: list[Field] = []
        left_out: list[str] = []
        mappings = {self._grid_mapping(name) for name in self.variables}
        space = set(self.dimensions[1:])
        for name in map(str, self._data.variables):
            coordinate = self._data[name]
            dims = {str(dim) for dim in coordinate.dims}
            wanted = name in mappings or (name in self._data.coords and dims and dims <= space)
            if name == self.dimensions[0] or (name not in self._data.coords and not wanted):
                continue
            if wanted and coordinate.dtype.kind in "iufb":
                held = _attributes(coordinate.attrs)
                fields.append(Field(name, tuple(map(str, coordinate.dims)), _native(coordinate.values), held))
            elif dims <= set(self.dimensions):
                left_out.append(name)
        return fields, left_out

    def _grid_mapping(self, name: str) -> str | None:
        variable = self._data[name]
        mapping = variable.attrs.get("grid_mapping") or variable.encoding.get("grid_mapping")
        return str(mapping) if mapping is not None and str(mapping) in self._data.variables else None


def _attributes(given: dict[str, object]) -> dict[str, JsonValue]:
    kept = {name: value for name, value in plain_attributes(given).items() if name not in _DECODED}
    # What converters from GRIB write where CF has no name; it is none of CF's.
    if kept.get("standard_name") == "unknown":
        del kept["standard_name"]
    return kept


def _native(values: np.ndarray) -> Values:
    return np.asarray(values, dtype=values.dtype.newbyteorder("="))
