"""The messages of a GRIB file: what their headers say, where they lie, and their values. The one place for ecCodes."""

# ecCodes carries no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportArgumentType=false

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader

import eccodes
import numpy as np
from numpy.typing import NDArray

from climatejobs.errors import DataError

_MISSING = 1e300
_RECTANGULAR = ("regular_ll", "regular_gg")
_DECIMALS = 6
"""Of coordinates: GRIB counts in thousandths or millionths of a degree."""


@dataclass(frozen=True)
class Message:
    """One field of a variable."""

    offset: int
    """Bytes from the start of the file."""
    name: str
    """What netCDF files call the variable, such as ``t2m``."""
    short_name: str
    """What ECMWF calls it, such as ``2t``."""
    long_name: str
    standard_name: str
    units: str
    parameter: int
    centre: str
    level: str
    member: int
    grid: str
    """The same for messages on one grid."""
    bits: int
    """Of each packed value."""
    moment: int
    """Time that the field is valid at, in seconds from 1970-01-01."""
    base: int
    """Time that its steps count from."""
    step_type: str
    start_step: int
    """In seconds from `base`."""
    end_step: int

    @property
    def step_length(self) -> int:
        """Seconds that the field stands for."""
        return self.end_step - self.start_step


@dataclass(frozen=True)
class GridFacts:
    """A rectangular grid, and how values come in its messages."""

    latitudes: NDArray[np.float64]
    longitudes: NDArray[np.float64]
    columns_first: bool


def index_messages(file: BufferedReader, name: str) -> list[Message]:
    """Read the headers of all messages; raises `DataError` where one cannot be read."""
    found: list[Message] = []
    file.seek(0)
    try:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            try:
                found.append(_message(handle))
            finally:
                eccodes.codes_release(handle)
    except eccodes.CodesInternalError as error:
        raise DataError(
            f"message {len(found) + 1} of {name} cannot be read: {error}", hint="Fetch the file again."
        ) from None
    if not found:
        raise DataError(f"{name} has no GRIB message", hint="Check that the file is complete.")
    return found


def read_grid(file: BufferedReader, message: Message) -> GridFacts:
    """The grid of a message; raises `DataError` where it is not rectangular in latitude and longitude."""
    with _opened(file, message) as handle:
        kind = str(eccodes.codes_get(handle, "gridType"))
        if kind not in _RECTANGULAR or _number(handle, "alternativeRowScanning"):
            raise DataError(
                f"the grid is of type {kind}, which is not read",
                hint="Interpolate to latitude and longitude first, such as with cdo -R -remapbil,r360x180.",
            )
        rows, columns = _number(handle, "Nj"), _number(handle, "Ni")
        columns_first = bool(_number(handle, "jPointsAreConsecutive"))
        latitudes, longitudes = (
            _arrange(np.asarray(eccodes.codes_get_array(handle, key)), rows, columns, columns_first)
            for key in ("latitudes", "longitudes")
        )
    east = np.unwrap(longitudes[0], period=360)
    if east.min() >= 180:
        east = east - 360
    return GridFacts(np.round(latitudes[:, 0], _DECIMALS), np.round(east, _DECIMALS), columns_first)


def read_values(file: BufferedReader, message: Message, grid: GridFacts) -> NDArray[np.float64]:
    """Values of a message by row and column, NaN where they are missing."""
    with _opened(file, message) as handle:
        eccodes.codes_set(handle, "missingValue", _MISSING)
        values = np.asarray(eccodes.codes_get_values(handle))
    values[values == _MISSING] = np.nan
    return _arrange(values, len(grid.latitudes), len(grid.longitudes), grid.columns_first)


def _arrange(values: NDArray[np.float64], rows: int, columns: int, columns_first: bool) -> NDArray[np.float64]:
    return values.reshape(columns, rows).T if columns_first else values.reshape(rows, columns)


@contextmanager
def _opened(file: BufferedReader, message: Message) -> Generator[int]:
    try:
        file.seek(message.offset)
        handle = eccodes.codes_grib_new_from_file(file)
    except eccodes.CodesInternalError as error:
        raise DataError(f"the message at byte {message.offset} cannot be read: {error}") from None
    if handle is None:
        raise DataError(f"the file has become shorter: there is no message at byte {message.offset}")
    try:
        yield handle
    except eccodes.CodesInternalError as error:
        raise DataError(f"the message at byte {message.offset} cannot be decoded: {error}") from None
    finally:
        eccodes.codes_release(handle)


def _message(handle: int) -> Message:
    eccodes.codes_set(handle, "stepUnits", "s")
    short = _text(handle, "shortName")
    variable = _text(handle, "cfVarName")
    return Message(
        offset=int(eccodes.codes_get_message_offset(handle)),
        name=short if variable in ("", "unknown") else variable,
        short_name=short,
        long_name=_text(handle, "name"),
        standard_name=_text(handle, "cfName"),
        units=_text(handle, "units"),
        parameter=_number(handle, "paramId"),
        centre=_text(handle, "centreDescription"),
        level=f"{_text(handle, 'typeOfLevel')} {_number(handle, 'level')}",
        member=_number(handle, "number"),
        grid=_text(handle, "md5GridSection"),
        bits=_number(handle, "bitsPerValue"),
        moment=_moment(handle, "validityDate", "validityTime"),
        base=_moment(handle, "dataDate", "dataTime"),
        step_type=_text(handle, "stepType"),
        start_step=_number(handle, "startStep"),
        end_step=_number(handle, "endStep"),
    )


def _moment(handle: int, date_key: str, time_key: str) -> int:
    date, time = _number(handle, date_key), _number(handle, time_key)
    year, month, day = date // 10000, date // 100 % 100, date % 100
    return int(datetime(year, month, day, time // 100, time % 100, tzinfo=UTC).timestamp())


def _text(handle: int, key: str) -> str:
    return str(eccodes.codes_get(handle, key, ktype=str)) if eccodes.codes_is_defined(handle, key) else ""


def _number(handle: int, key: str) -> int:
    return int(eccodes.codes_get(handle, key, ktype=int)) if eccodes.codes_is_defined(handle, key) else 0
