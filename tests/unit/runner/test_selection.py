"""Rows, columns and edges of grids that count their longitudes from anywhere, and are not even."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from climatejobs.errors import DataError
from climatejobs_runner.arrays import Field
from climatejobs_runner.selection import Columns, cell_edges, choose_columns, choose_rows

FROM_ZERO = np.arange(0.0, 360.0, 2.5)
FROM_WEST = np.arange(-180.0, 180.0, 2.5)


def taken(columns: Columns, centres: np.ndarray) -> list[float]:
    """The coordinates that the runs take of the grid, modulo a turn."""
    return [float(value) % 360 for run in columns.runs for value in centres[run]]


@given(
    west=st.integers(-144, 144), width=st.integers(0, 143),
    grid=st.sampled_from([FROM_ZERO, FROM_WEST, FROM_ZERO[::-1]]), turn=st.sampled_from([-360, 0, 360]),
)  # fmt: skip
def test_the_same_columns_are_taken_however_longitudes_are_counted(
    west: int, width: int, grid: np.ndarray, turn: int
) -> None:
    left, right = west * 2.5 - 1, west * 2.5 + width * 2.5 - 1
    found = choose_columns(grid, left + turn, right + turn, around=True)
    expected = [(west + index) * 2.5 % 360 for index in range(width)]
    order = expected if grid[1] > grid[0] else expected[::-1]
    assert taken(found, grid) == order
    steps = np.diff(found.centres)
    assert np.allclose(steps, grid[1] - grid[0])


def test_west_may_be_greater_than_east() -> None:
    found = choose_columns(FROM_WEST, 175, -175, around=True)
    assert found.centres.tolist() == [175, 177.5, 180, 182.5, 185]


def test_a_whole_turn_is_the_whole_grid() -> None:
    assert choose_columns(FROM_ZERO, -180, 180, around=True).runs == (slice(0, 144),)


def test_edges_of_the_box_count_as_in_it_and_coordinates_stay_as_they_are() -> None:
    centres = np.array([-13.304, -13.204, -13.104, -13.004])
    found = choose_columns(centres, -13.204, -13.004, around=True)
    assert found.centres.tolist() == [-13.204, -13.104, -13.004]
    assert choose_rows(np.array([10.0, 9.0, 8.0]), 8.0, 9.0) == slice(1, 3)
    assert choose_rows(np.array([8.0, 9.0, 10.0]), 8.5, 8.9) == slice(0, 0)


def test_eastings_in_metres_do_not_go_around() -> None:
    centres = np.array([0.0, 1000.0, 2000.0])
    assert choose_columns(centres, 500, 2500, around=False).runs == (slice(1, 3),)
    assert choose_columns(centres, 5000, 6000, around=False).runs == ()


def test_edges_lie_half_way_between_centres() -> None:
    axis = Field("latitude", ("latitude",), np.array([7.118, 7.018, 6.917]))
    np.testing.assert_allclose(cell_edges(axis), [7.168, 7.068, 6.9675, 6.8665])


@pytest.mark.parametrize("centres", [[1.0], [1.0, 1.0], [1.0, 2.0, 1.5]])
def test_what_has_no_edges_is_refused(centres: list[float]) -> None:
    with pytest.raises(DataError, match="x "):
        cell_edges(Field("x", ("x",), np.array(centres)))
