"""What GeoZarr readers look for in the root of a store: the coordinate reference system, and where the grid lies.

Attributes of the conventions `proj:` and `spatial:` at version 0.1, https://github.com/zarr-conventions.
"""

from collections.abc import Mapping

import numpy as np
from pydantic import JsonValue

from climatejobs_runner.arrays import Field
from climatejobs_runner.grids import axis_of

_UUIDS = {"proj": "f17cb550-5864-4468-aeb7-f3180cfb622f", "spatial": "689b58e2-cf7b-45e0-9fff-9cfc0883d6b4"}
_DESCRIPTIONS = {
    "proj": "Coordinate reference system information for geospatial data",
    "spatial": "Spatial coordinate information",
}


def root_attributes(fields: Mapping[str, Field], dimensions: tuple[str, ...]) -> dict[str, JsonValue]:
    """Attributes for the root of a store whose variables have these dimensions, time first.

    `fields` are its arrays that do not depend on time. Empty where the grid has no axes y and x that are known.
    """
    axes = {axis_of(name, fields[name].attributes): fields[name] for name in dimensions[1:] if name in fields}
    y, x = axes.get("Y"), axes.get("X")
    if y is None or x is None:
        return {}
    attributes: dict[str, JsonValue] = {
        "spatial:dimensions": [y.name, x.name],
        "spatial:shape": [len(y.values), len(x.values)],
    }
    names = ["spatial"]
    if len(x.values) > 1 and len(y.values) > 1:
        (west, east), (south, north) = _edges(x.values), _edges(y.values)
        attributes |= {"spatial:bbox": [west, south, east, north], "spatial:registration": "pixel"}
    if reference := _reference(fields, y, x):
        attributes |= reference
        names.insert(0, "proj")
    return {"zarr_conventions": [_convention(name) for name in names], **attributes}


def _edges(centres: np.ndarray) -> tuple[float, float]:
    """Outer edges of the cells along an axis, of which there are several: one alone does not tell its size."""
    half = abs(float(centres[-1]) - float(centres[0])) / (len(centres) - 1) / 2
    return round(float(centres.min()) - half, 9), round(float(centres.max()) + half, 9)


def _reference(fields: Mapping[str, Field], y: Field, x: Field) -> dict[str, JsonValue]:
    """The coordinate reference system: what a grid mapping says, else longitude and latitude on WGS 84."""
    for field in fields.values():
        wkt = field.attributes.get("crs_wkt") or field.attributes.get("spatial_ref")
        if "grid_mapping_name" in field.attributes and isinstance(wkt, str):
            return {"proj:wkt2": wkt}
    mappings = {str(field.attributes.get("grid_mapping_name", "latitude_longitude")) for field in fields.values()}
    geographic = str(y.attributes.get("units", "")).lower().startswith("degree")
    geographic = geographic and str(x.attributes.get("units", "")).lower().startswith("degree")
    return {"proj:code": "EPSG:4326"} if geographic and mappings <= {"latitude_longitude"} else {}


def _convention(name: str) -> JsonValue:
    return {
        "uuid": _UUIDS[name],
        "schema_url": f"https://raw.githubusercontent.com/zarr-conventions/{name}/refs/tags/v0.1/schema.json",
        "spec_url": f"https://github.com/zarr-conventions/{name}/blob/v0.1/README.md",
        "name": f"{name}:",
        "description": _DESCRIPTIONS[name],
    }
