"""Zones as GeoJSON: what they are called, and what is refused of them, and where."""

from typing import Any

import pytest

from climatejobs.errors import InvalidInput
from climatejobs.processes.geojson import read_zones

SQUARE = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]


def polygon(ring: list[Any] = SQUARE) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [ring]}


def feature(geometry: Any = None, **more: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": {}, "geometry": geometry or polygon(), **more}


def collection(*features: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


@pytest.mark.parametrize(
    ("document", "names"),
    [
        (polygon(), ["1"]),
        ({"type": "MultiPolygon", "coordinates": [[SQUARE], [SQUARE]]}, ["1"]),
        (feature(id="A"), ["A"]),
        (feature(properties={"name": "West"}, id="A"), ["West"]),
        (collection(feature(id=7), feature(id=8)), ["7", "8"]),
        (collection(feature(properties={"name": "West"}), feature()), ["1", "2"]),
        (collection(feature(properties=None)), ["1"]),
    ],
)
def test_zones_have_names(document: Any, names: list[str]) -> None:
    assert [zone.name for zone in read_zones(document)] == names


def test_a_property_can_be_named() -> None:
    zones = read_zones(
        collection(feature(properties={"name": "x", "code": 12}), feature(properties={"code": "b"})), "code"
    )
    assert [zone.name for zone in zones] == ["12", "b"]


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (None, "not a GeoJSON object"),
        ({"type": "Point", "coordinates": [0, 0]}, "'Point'"),
        (collection(), "no feature"),
        (collection(polygon()), "member 1 of the FeatureCollection is not a Feature"),
        (collection(feature(), feature(geometry={"type": "Point", "coordinates": [0, 0]})), "feature 2 (2) is a Point"),
        ({"type": "Feature", "properties": {}, "geometry": None}, "feature 1 (1) has no geometry"),
        (polygon(SQUARE[:3]), "fewer than four positions"),
        (polygon([*SQUARE[:4], [0, 0.5]]), "not closed"),
        (polygon([[0, 0], [1, 0], [1, "1"], [0, 0]]), "not [longitude, latitude]"),
        (polygon([[0, 0], [0, 95], [1, 1], [0, 0]]), "beyond the globe: 0, 95"),
        ({"type": "Polygon", "coordinates": []}, "no ring"),
        ({"type": "Polygon", "coordinates": [5]}, "fewer than four"),
        ({"type": "MultiPolygon", "coordinates": []}, "no coordinates"),
        (collection(feature(id="a"), feature(id="a")), "two zones are called 'a'"),
    ],
)
def test_what_is_no_zone_is_refused_with_its_place(document: Any, complaint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_zones(document)
    assert complaint in caught.value.detail


def test_a_property_that_is_missing_is_named() -> None:
    with pytest.raises(InvalidInput, match="feature 2 has no property 'code'"):
        read_zones(collection(feature(properties={"code": 1}), feature()), "code")
