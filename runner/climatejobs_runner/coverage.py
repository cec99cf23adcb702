"""How much of each cell of a grid lies in a polygon, exactly: a grid is halved until a part is in, out, or one cell."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry

type Edges = tuple[NDArray[np.float64], NDArray[np.float64]]

_WHOLE = 1 - 1e-12
_TURN = 360.0


@dataclass(frozen=True)
class Covered:
    """The cells that a polygon touches, by row and column in order of the grid."""

    cells: NDArray[np.int64]
    """Numbers of the cells, counted row by row."""
    fractions: NDArray[np.float64]
    """How much of each lies in the polygon, greater than 0 and at most 1."""


def read_polygon(geometry: Mapping[str, object]) -> BaseGeometry:
    """A GeoJSON Polygon or MultiPolygon; one whose rings cross is mended."""
    return shapely.make_valid(shape(dict(geometry)))


def cover(polygon: BaseGeometry, north_edges: NDArray[np.float64], east_edges: NDArray[np.float64]) -> Covered:
    """The cells of a grid that a polygon touches; both in degrees, longitudes counting from anywhere.

    `north_edges` and `east_edges` are one more than rows and columns, rising or falling.
    """
    fractions: dict[int, float] = {}
    for shift in (-_TURN, 0.0, _TURN):
        moved = shapely.transform(polygon, partial(_move, by=shift)) if shift else polygon
        _halve(moved, (north_edges, east_edges), (0, len(north_edges) - 1), (0, len(east_edges) - 1), fractions)
    cells = np.array(sorted(fractions), dtype=np.int64)
    return Covered(cells, np.array([min(1.0, fractions[cell]) for cell in cells.tolist()], dtype=np.float64))


def cell_areas(north_edges: NDArray[np.float64], east_edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Areas of the cells of a grid on a sphere of radius 1, row by row."""
    heights = np.abs(np.diff(np.sin(np.radians(np.clip(north_edges, -90, 90)))))
    widths = np.abs(np.diff(np.radians(east_edges)))
    return np.outer(heights, widths).ravel()


def _move(points: NDArray[np.float64], by: float) -> NDArray[np.float64]:
    return points + np.array([by, 0.0])


def _halve(
    polygon: BaseGeometry,
    edges: Edges,
    rows: tuple[int, int],
    columns: tuple[int, int],
    fractions: dict[int, float],
) -> None:
    """Add the fractions of the cells in some rows and columns; `polygon` is cut to their part of the grid."""
    if polygon.is_empty:
        return
    (north, east), (top, bottom), (left, right) = edges, rows, columns
    x, y = sorted((east[left], east[right])), sorted((north[top], north[bottom]))
    window = box(x[0], y[0], x[1], y[1])
    part = polygon.intersection(window)
    if not part.area:
        return
    width = len(east) - 1
    if part.area >= window.area * _WHOLE:
        for row in range(top, bottom):
            for column in range(left, right):
                cell = row * width + column
                fractions[cell] = fractions.get(cell, 0.0) + 1.0
    elif bottom - top == 1 and right - left == 1:
        cell = top * width + left
        fractions[cell] = fractions.get(cell, 0.0) + float(part.area / window.area)
    elif bottom - top >= right - left:
        middle = (top + bottom) // 2
        _halve(part, edges, (top, middle), columns, fractions)
        _halve(part, edges, (middle, bottom), columns, fractions)
    else:
        middle = (left + right) // 2
        _halve(part, edges, rows, (left, middle), fractions)
        _halve(part, edges, rows, (middle, right), fractions)
