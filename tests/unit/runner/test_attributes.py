"""What CF is told of a result."""

from dataclasses import replace

import numpy as np
import pytest

from climatejobs.datasets import Coverage, Dataset, Variable
from climatejobs.frequencies import parse_frequency
from climatejobs.processes.resample import Method
from climatejobs.times import parse_moment
from climatejobs_runner.arrays import ArraySpec, Field
from climatejobs_runner.calendars import find_calendar
from climatejobs_runner.geozarr import root_attributes
from climatejobs_runner.resampling.attributes import describe, units
from climatejobs_runner.resampling.plan import Plan, Request, make_plan
from climatejobs_runner.timeaxis import TimeAxis

HOURS = {"1h": 1, "6h": 6, "1D": 24}


def plan(source_frequency: str, method: Method, frequency: str = "1D") -> Plan:
    calendar = find_calendar("standard")
    if source_frequency == "MS":
        seconds = calendar.month_start(np.arange(36, dtype=np.int64)) * 86400
    else:
        seconds = 3600 * HOURS[source_frequency] * np.arange(24 * 400 // HOURS[source_frequency], dtype=np.int64)
    axis = TimeAxis(seconds, calendar)
    source = Dataset(
        id="source",
        title="Source",
        variables=[Variable(name="v", dtype="float32")],
        frequency=source_frequency,
        period_type="",
        shape={"time": len(seconds)},
        chunks={"time": len(seconds)},
        coverage=Coverage(start=axis.label(0), end=axis.label(-1)),
        version="0123abcd",
    )
    return make_plan(source, axis, Request(parse_frequency(frequency), method, parse_moment("1970-01-01")))


def array(**attributes: str) -> ArraySpec:
    return ArraySpec("v", ("time",), (1,), (1,), "float32", attributes)


@pytest.mark.parametrize(
    ("given", "source", "frequency", "expected"),
    [
        ("mm/day", "1D", "W-MON", "mm"),
        ("mm d-1", "1D", "MS", "mm"),
        ("mm day-1", "1D", "MS", "mm"),
        ("mm h-1", "1h", "1D", "mm"),
        ("mm/day", "6h", "1D", "0.25 mm"),
        ("kg m-2 s-1", "1h", "1D", "3600 kg m-2"),
        ("kg m**-2 s**-1", "1D", "MS", "86400 kg m**-2"),
        ("kg m^-2 s^-1", "1D", "MS", "86400 kg m^-2"),
        ("mm/day", "MS", "YS", "mm/day"),
        ("mm", "1D", "MS", "mm"),
        ("K", "1h", "1D", "K"),
        ("W m-2", "1h", "1D", "W m-2"),
        ("m s-1", "1h", "1D", "3600 m"),
        ("s", "1h", "1D", "s"),
        ("s-1", "1h", "1D", "s-1"),
        ("1", "1h", "1D", "1"),
        (None, "1h", "1D", None),
    ],
)
def test_the_sum_of_a_rate_is_an_amount(given: str | None, source: str, frequency: str, expected: str | None) -> None:
    assert units(given, plan(source, "sum", frequency)) == expected
    assert units(given, plan(source, "mean", frequency)) == given


def test_the_name_of_a_rate_becomes_that_of_its_amount() -> None:
    described = describe(array(units="kg m-2 s-1", standard_name="precipitation_flux"), plan("1h", "sum"))
    assert described["standard_name"] == "precipitation_amount"
    assert described["units"] == "3600 kg m-2"


def test_where_steps_differ_a_comment_says_what_the_sum_is_of() -> None:
    described = describe(array(units="mm/day"), plan("MS", "sum", "YS"))
    assert described["units"] == "mm/day"
    assert "not all of one length" in str(described["comment"])


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("mean", "time: mean (interval: 1 hour)"),
        ("std", "time: standard_deviation (interval: 1 hour)"),
        ("median", "time: median (interval: 1 hour)"),
        ("p05", "time: quantile (interval: 1 hour comment: 0.05, linear between values)"),
        ("last", "time: point (interval: 1 hour comment: last value of the period)"),
    ],
)
def test_the_method_is_told(method: Method, expected: str) -> None:
    assert describe(array(cell_methods="time: point"), plan("1h", method))["cell_methods"] == expected
    before = describe(array(cell_methods="area: mean"), plan("1h", method))["cell_methods"]
    assert before == f"area: mean {expected}"


def test_a_count_is_a_number_of_observations() -> None:
    source = array(units="K", standard_name="air_temperature", cell_methods="time: point", grid_mapping="crs")
    assert describe(source, plan("1h", "count")) == {
        "units": "1",
        "long_name": "number of values of v",
        "standard_name": "air_temperature number_of_observations",
        "grid_mapping": "crs",
    }


LATITUDE = Field("lat", ("lat",), np.array([10.0, 9.0, 8.0]), {"units": "degrees_north"})
LONGITUDE = Field("lon", ("lon",), np.array([-13.0, -12.5]), {"units": "degrees_east"})


def test_the_root_says_where_the_grid_lies() -> None:
    attributes = root_attributes({"lat": LATITUDE, "lon": LONGITUDE}, ("time", "lat", "lon"))
    conventions = attributes.pop("zarr_conventions")
    assert attributes == {
        "proj:code": "EPSG:4326",
        "spatial:dimensions": ["lat", "lon"],
        "spatial:shape": [3, 2],
        "spatial:bbox": [-13.25, 7.5, -12.25, 10.5],
        "spatial:registration": "pixel",
    }
    assert isinstance(conventions, list)
    assert len(conventions) == 2


def test_a_projection_is_told_as_the_grid_mapping_has_it() -> None:
    x = replace(LONGITUDE, name="x", attributes={"standard_name": "projection_x_coordinate", "units": "m"})
    y = replace(LATITUDE, name="y", attributes={"standard_name": "projection_y_coordinate", "units": "m"})
    mapping = {"grid_mapping_name": "transverse_mercator", "crs_wkt": "PROJCRS[...]"}
    crs = Field("crs", (), np.array(0), mapping)
    attributes = root_attributes({"x": x, "y": y, "crs": crs}, ("time", "y", "x"))
    assert attributes["proj:wkt2"] == "PROJCRS[...]"
    assert "proj:code" not in attributes
    without = root_attributes({"x": x, "y": y}, ("time", "y", "x"))
    assert not [name for name in without if name.startswith("proj:")]
    assert without["spatial:dimensions"] == ["y", "x"]


def test_a_grid_that_is_not_known_is_not_described() -> None:
    station = Field("station", ("station",), np.arange(3.0), {})
    assert root_attributes({"station": station}, ("time", "station")) == {}
