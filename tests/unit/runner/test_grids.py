"""Axes are recognised by what CF says of them and by their usual names."""

import numpy as np
import pytest

from climatejobs_runner.grids import bounding_box, is_time

type Coordinates = dict[str, tuple[np.ndarray, dict[str, str]]]
INCOMPLETE: list[Coordinates] = [
    {"latitude": (np.array([1.0]), {})},
    {"latitude": (np.zeros((2, 2)), {}), "longitude": (np.zeros((2, 2)), {})},
    {"latitude": (np.array([np.nan]), {}), "longitude": (np.array([1.0]), {})},
]


@pytest.mark.parametrize(
    ("name", "attributes", "expected"),
    [
        ("valid_time", {}, True),
        ("t", {}, True),
        ("initial", {"axis": "T"}, True),
        ("moment", {"units": "days since 2000-01-01"}, True),
        ("step", {"standard_name": "time"}, True),
        ("latitude", {"units": "degrees_north"}, False),
    ],
)
def test_time(name: str, attributes: dict[str, str], expected: bool) -> None:
    assert is_time(name, attributes) is expected


def test_bounding_box_is_west_south_east_north() -> None:
    coordinates: Coordinates = {
        "latitude": (np.array([10.0, 9.0, 8.0]), {}),
        "nx": (np.array([-13.0, -12.0]), {"units": "degrees_east"}),
    }
    assert bounding_box(coordinates) == (-13.0, 8.0, -12.0, 10.0)


@pytest.mark.parametrize("coordinates", INCOMPLETE)
def test_no_box_where_an_axis_is_missing_or_not_a_line(coordinates: Coordinates) -> None:
    assert bounding_box(coordinates) is None
