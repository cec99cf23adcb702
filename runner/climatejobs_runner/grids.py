"""Recognising what the axes of a grid are, by what CF says of them and by their usual names."""

from collections.abc import Mapping

import numpy as np

TIME_NAMES = ("time", "valid_time", "t")
_LATITUDE_NAMES = frozenset({"latitude", "lat", "y"})
_LONGITUDE_NAMES = frozenset({"longitude", "lon", "x"})
_LATITUDE_UNITS = frozenset({"degrees_north", "degree_north", "degree_n", "degrees_n"})
_LONGITUDE_UNITS = frozenset({"degrees_east", "degree_east", "degree_e", "degrees_e"})


def is_time(name: str, attributes: Mapping[str, object]) -> bool:
    """Whether a coordinate is time."""
    return (
        name in TIME_NAMES
        or attributes.get("axis") == "T"
        or attributes.get("standard_name") == "time"
        or " since " in str(attributes.get("units", ""))
    )


def bounding_box(
    coordinates: Mapping[str, tuple[np.ndarray, Mapping[str, object]]],
) -> tuple[float, float, float, float] | None:
    """West, south, east and north of the outermost cell centres; None where the grid has no such axes."""
    west_east = _extent(coordinates, "X", _LONGITUDE_NAMES, _LONGITUDE_UNITS, "longitude")
    south_north = _extent(coordinates, "Y", _LATITUDE_NAMES, _LATITUDE_UNITS, "latitude")
    if west_east is None or south_north is None:
        return None
    return (west_east[0], south_north[0], west_east[1], south_north[1])


def _extent(
    coordinates: Mapping[str, tuple[np.ndarray, Mapping[str, object]]],
    axis: str,
    names: frozenset[str],
    units: frozenset[str],
    standard_name: str,
) -> tuple[float, float] | None:
    for name, (values, attributes) in coordinates.items():
        known = (
            name.lower() in names
            or attributes.get("axis") == axis
            or str(attributes.get("units", "")).lower() in units
            or attributes.get("standard_name") == standard_name
        )
        if known and values.ndim == 1 and values.size and values.dtype.kind in "iuf" and np.isfinite(values).all():
            return float(values.min()), float(values.max())
    return None
