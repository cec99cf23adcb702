"""Fractions of cells in polygons, against rectangles worked out by hand, exactextract, and fine rasters."""

from typing import Any

import exactextract
import numpy as np
import pytest
import shapely
from exactextract.raster import NumPyRasterSource
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon, box, mapping
from shapely.geometry.base import BaseGeometry

from climatejobs_runner.coverage import cell_areas, cover, read_polygon

NORTH = np.linspace(10.0, 4.0, 13)
EAST = np.linspace(-14.0, -9.0, 11)


def fractions(polygon: BaseGeometry, north: np.ndarray = NORTH, east: np.ndarray = EAST) -> np.ndarray:
    covered = cover(polygon, north, east)
    grid = np.zeros((len(north) - 1) * (len(east) - 1))
    grid[covered.cells] = covered.fractions
    return grid.reshape(len(north) - 1, len(east) - 1)


def overlaps(edges: np.ndarray, low: float, high: float) -> np.ndarray:
    """How much of each interval between edges lies between two numbers."""
    lower, upper = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
    return np.clip(np.minimum(upper, high) - np.maximum(lower, low), 0, None) / (upper - lower)


@given(
    west=st.floats(-15, -8), width=st.floats(0.01, 6), south=st.floats(3, 11), height=st.floats(0.01, 7),
    rising=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_rectangles_on_uneven_grids(
    west: float, width: float, south: float, height: float, rising: bool, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    north = np.sort(generator.uniform(3, 11, 9))[:: 1 if rising else -1]
    east = np.sort(generator.uniform(-15, -8, 12))
    found = fractions(box(west, south, west + width, south + height), north, east)
    expected = np.outer(overlaps(north, south, south + height), overlaps(east, west, west + width))
    np.testing.assert_allclose(found, expected, atol=1e-9)


def star(seed: int) -> Polygon:
    generator = np.random.default_rng(seed)
    angles = np.sort(generator.uniform(0, 2 * np.pi, 40))
    radii = generator.uniform(0.5, 2.8, 40)
    return Polygon(np.stack([-11.5 + radii * np.cos(angles), 7 + radii * np.sin(angles)], axis=1))


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_stars_as_exactextract_has_them(seed: int) -> None:
    polygon = star(seed)
    raster = NumPyRasterSource(np.ones((12, 10)), xmin=-14, xmax=-9, ymin=4, ymax=10)
    feature = {"type": "Feature", "properties": {}, "geometry": mapping(polygon)}
    answer: Any = exactextract.exact_extract(raster, feature, ["cell_id", "coverage"])  # pyright: ignore - has no types
    expected = np.zeros(120)
    expected[answer[0]["properties"]["cell_id"]] = answer[0]["properties"]["coverage"]
    np.testing.assert_allclose(fractions(polygon).ravel(), expected, atol=1e-5)


def test_a_star_as_a_fine_raster_has_it() -> None:
    polygon, fine = star(1), 60
    rows = 10 - (np.arange(12 * fine) + 0.5) * 0.5 / fine
    columns = -14 + (np.arange(10 * fine) + 0.5) * 0.5 / fine
    inside = shapely.contains_xy(polygon, *np.meshgrid(columns, rows))
    raster = inside.reshape(12, fine, 10, fine).mean(axis=(1, 3))
    np.testing.assert_allclose(fractions(polygon), raster, atol=0.02)


def test_neighbours_share_their_cells() -> None:
    left, right = box(-13.3, 5.1, -11.7, 8.9), box(-11.7, 5.1, -10.2, 8.9)
    np.testing.assert_allclose(fractions(left) + fractions(right), fractions(box(-13.3, 5.1, -10.2, 8.9)), atol=1e-12)


def test_holes_and_several_parts_count() -> None:
    ring = box(-13, 5, -10, 8).difference(box(-12, 6, -11, 7))
    assert fractions(ring)[NORTH[1:].tolist().index(6.5), EAST[:-1].tolist().index(-12.0)] == 0
    two = shapely.union(box(-13, 5, -12.5, 5.5), box(-10, 9, -9.5, 9.5))
    assert fractions(two).sum() == pytest.approx(2)


@pytest.mark.parametrize("east", [EAST + 360, EAST - 360])
def test_longitudes_may_count_from_anywhere(east: np.ndarray) -> None:
    np.testing.assert_allclose(fractions(star(1), NORTH, east), fractions(star(1)), atol=1e-9)


def test_a_zone_over_the_seam_of_a_global_grid_is_whole() -> None:
    east = np.linspace(0.0, 360.0, 73)
    found = fractions(box(-7.5, 4.0, 7.5, 10.0), NORTH, east)
    assert found.sum() == pytest.approx(12 * 3)
    np.testing.assert_allclose(found[0, [0, 1, 2, 70, 71]], [1, 0.5, 0, 0.5, 1])


def test_a_zone_beside_the_grid_has_no_cell() -> None:
    assert not len(cover(box(20, 20, 21, 21), NORTH, EAST).cells)


def test_rings_that_cross_are_mended() -> None:
    bow = {"type": "Polygon", "coordinates": [[[-13, 5], [-12, 6], [-12, 5], [-13, 6], [-13, 5]]]}
    assert fractions(read_polygon(bow)).sum() * 0.25 == pytest.approx(0.5)


def test_areas_make_the_sphere() -> None:
    areas = cell_areas(np.linspace(90, -90, 19), np.linspace(0, 360, 37))
    assert areas.sum() == pytest.approx(4 * np.pi)
    assert areas[0] < areas[36 * 9]
