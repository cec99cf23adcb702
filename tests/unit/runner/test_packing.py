"""Packed numbers become the values they stand for."""

import numpy as np
import pytest
from pydantic import JsonValue

from climatejobs_runner.packing import Packing


@pytest.mark.parametrize(
    ("dtype", "attributes", "stored", "expected", "result"),
    [
        ("int16", {"scale_factor": 0.5, "add_offset": 10, "_FillValue": -1}, [0, 4, -1], [10, 12, np.nan], "float64"),
        ("int16", {"_FillValue": -999}, [-999, 7], [np.nan, 7], "float64"),
        ("int16", {"_FillValue": 1.5}, [1, 2], [1, 2], "float64"),
        ("float32", {"missing_value": 1e20}, [1e20, 3], [np.nan, 3], "float32"),
        ("float32", {"_FillValue": -1, "missing_value": -2}, [-1, -2, 0], [np.nan, np.nan, 0], "float32"),
        ("float32", {"scale_factor": 2.0}, [1.5], [3], "float64"),
    ],
)
def test_values_are_unpacked(
    dtype: str, attributes: dict[str, JsonValue], stored: list[float], expected: list[float], result: str
) -> None:
    packing = Packing.of(dtype, attributes)
    assert packing is not None
    values = packing.unpack(np.array(stored, dtype=dtype))
    assert (str(values.dtype), packing.dtype(dtype)) == (result, result)
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize(
    ("dtype", "attributes"),
    [
        ("float32", {}),
        ("float32", {"_FillValue": float("nan")}),
        ("float32", {"scale_factor": 1.0, "add_offset": 0}),
        ("int16", {"units": "K"}),
        ("bool", {"_FillValue": 0}),
    ],
)
def test_what_is_not_packed_is_left_as_it_is(dtype: str, attributes: dict[str, JsonValue]) -> None:
    assert Packing.of(dtype, attributes) is None
