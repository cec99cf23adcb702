"""Zones as GeoJSON polygons, checked for what every computation on them relies on. Needs no library of geometry."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue

from climatejobs.errors import InvalidInput
from climatejobs.faults import quote

MAX_ZONES = 10_000
_HINT = "Give a GeoJSON FeatureCollection of polygons in longitude and latitude."

type Geometry = Mapping[str, JsonValue]


@dataclass(frozen=True)
class Zone:
    """A named area."""

    name: str
    geometry: Geometry
    """A GeoJSON Polygon or MultiPolygon."""


def read_zones(document: JsonValue, name_property: str | None = None) -> tuple[Zone, ...]:
    """The zones of a FeatureCollection, a Feature, or a bare geometry, in their order.

    A zone is called by the property of that name; where none is given by its `name`, else by the feature's `id`, else
    by its number. Raises `InvalidInput` that says which feature is at fault.
    """
    features = list(_features(document))
    if not features:
        raise InvalidInput("the zones have no feature", hint=_HINT)
    if len(features) > MAX_ZONES:
        raise InvalidInput(f"there are {len(features)} zones; at most {MAX_ZONES} can be had at once")
    names = _names(features, name_property)
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise InvalidInput(
            f"two zones are called {twice!r}", hint="Name a property that tells them apart in name_property."
        )
    zones: list[Zone] = []
    for index, (feature, name) in enumerate(zip(features, names, strict=True)):
        geometry = feature.get("geometry")
        place = f"feature {index + 1} ({name})"
        if not isinstance(geometry, dict):
            raise InvalidInput(f"{place} has no geometry", hint=_HINT)
        _check_geometry(geometry, place)
        zones.append(Zone(name, geometry))
    return tuple(zones)


def _features(document: JsonValue) -> Iterator[Mapping[str, JsonValue]]:
    if not isinstance(document, dict):
        raise InvalidInput("the zones are not a GeoJSON object", hint=_HINT)
    match document.get("type"):
        case "FeatureCollection":
            features = document.get("features")
            if not isinstance(features, list):
                raise InvalidInput("the FeatureCollection has no list of features", hint=_HINT)
            for index, feature in enumerate(features):
                if not isinstance(feature, dict) or feature.get("type") != "Feature":
                    raise InvalidInput(f"member {index + 1} of the FeatureCollection is not a Feature", hint=_HINT)
                yield feature
        case "Feature":
            yield document
        case "Polygon" | "MultiPolygon":
            yield {"type": "Feature", "geometry": document, "properties": {}}
        case None:
            raise InvalidInput("the zones have no GeoJSON type", hint=_HINT)
        case other:
            raise InvalidInput(f"the zones are of the GeoJSON type {quote(other)}", hint=_HINT)


def _names(features: Sequence[Mapping[str, JsonValue]], wanted: str | None) -> list[str]:
    properties = [cast(Mapping[str, JsonValue], feature.get("properties") or {}) for feature in features]
    if wanted is not None:
        for index, each in enumerate(properties):
            if not isinstance(each.get(wanted), str | int | float):
                raise InvalidInput(
                    f"feature {index + 1} has no property {wanted!r}", hint=f"It has {', '.join(each) or 'none'}."
                )
        return [str(each[wanted]) for each in properties]
    for candidates in ([each.get("name") for each in properties], [feature.get("id") for feature in features]):
        if all(isinstance(each, str | int) for each in candidates):
            return [str(each) for each in candidates]
    return [str(index + 1) for index in range(len(features))]


def _check_geometry(geometry: Geometry, place: str) -> None:
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind not in ("Polygon", "MultiPolygon"):
        raise InvalidInput(f"the geometry of {place} is a {kind}, not a Polygon or MultiPolygon", hint=_HINT)
    polygons = [coordinates] if kind == "Polygon" else coordinates
    if not isinstance(polygons, list) or not polygons:
        raise InvalidInput(f"the geometry of {place} has no coordinates", hint=_HINT)
    for polygon in polygons:
        if not isinstance(polygon, list) or not polygon:
            raise InvalidInput(f"a polygon of {place} has no ring", hint=_HINT)
        for ring in polygon:
            _check_ring(ring, place)


def _check_ring(ring: JsonValue, place: str) -> None:
    if not isinstance(ring, list) or len(ring) < 4:
        raise InvalidInput(f"a ring of {place} has fewer than four positions", hint="A triangle has four.")
    for position in ring:
        if not isinstance(position, list) or len(position) < 2 or not all(_is_number(each) for each in position):
            raise InvalidInput(f"a position of {place} is not [longitude, latitude]: {position!r:.60}", hint=_HINT)
        longitude, latitude = cast(list[float], position[:2])
        if not (-360 <= longitude <= 360 and -90 <= latitude <= 90):
            raise InvalidInput(
                f"{place} has a position beyond the globe: {longitude:g}, {latitude:g}",
                hint="GeoJSON is in longitude and latitude, in that order, on WGS 84.",
            )
    if ring[0] != ring[-1]:
        raise InvalidInput(f"a ring of {place} is not closed", hint="Repeat its first position at its end.")


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
