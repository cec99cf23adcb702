"""Recognising what the axes of a grid are, by what CF says of them and by their usual names."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

TIME_NAMES = ("time", "valid_time", "t")
_LATITUDE_NAMES = frozenset({"latitude", "lat", "y"})
_LONGITUDE_NAMES = frozenset({"longitude", "lon", "x"})
_LATITUDE_UNITS = frozenset({"degrees_north", "degree_north", "degree_n", "degrees_n"})
_LONGITUDE_UNITS = frozenset({"degrees_east", "degree_east", "degree_e", "degrees_e"})
type _Axis = tuple[Literal["X", "Y"], frozenset[str], frozenset[str], frozenset[str]]
_AXES: tuple[_Axis, ...] = (
    ("Y", _LATITUDE_NAMES, _LATITUDE_UNITS, frozenset({"latitude", "projection_y_coordinate"})),
    ("X", _LONGITUDE_NAMES, _LONGITUDE_UNITS, frozenset({"longitude", "projection_x_coordinate"})),
)
"""Names, units and standard names by which each axis is known."""


def is_time(name: str, attributes: Mapping[str, object]) -> bool:
    """Whether a coordinate is time."""
    return (
        name in TIME_NAMES
        or attributes.get("axis") == "T"
        or attributes.get("standard_name") == "time"
        or " since " in str(attributes.get("units", ""))
    )


def axis_of(name: str, attributes: Mapping[str, object]) -> Literal["X", "Y"] | None:
    """Which way a coordinate of a grid runs: X to the east, Y to the north; None where that is not known."""
    units = str(attributes.get("units", "")).lower()
    for axis, names, its_units, standard in _AXES:
        if (
            name.lower() in names
            or attributes.get("axis") == axis
            or units in its_units
            or attributes.get("standard_name") in standard
        ):
            return axis
    return None


def bounding_box(
    coordinates: Mapping[str, tuple[np.ndarray, Mapping[str, object]]],
) -> tuple[float, float, float, float] | None:
    """West, south, east and north of the outermost cell centres; None where the grid has no such axes."""
    west_east = _extent(coordinates, "X")
    south_north = _extent(coordinates, "Y")
    if west_east is None or south_north is None:
        return None
    return (west_east[0], south_north[0], west_east[1], south_north[1])


def _extent(
    coordinates: Mapping[str, tuple[np.ndarray, Mapping[str, object]]], axis: Literal["X", "Y"]
) -> tuple[float, float] | None:
    for name, (values, attributes) in coordinates.items():
        known = axis_of(name, attributes) == axis
        if known and values.ndim == 1 and values.size and values.dtype.kind in "iuf" and np.isfinite(values).all():
            return float(values.min()), float(values.max())
    return None
