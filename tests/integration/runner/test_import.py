"""Files brought into the data root: what is kept, what is seen in them, what is refused."""

from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np
import pytest
import xarray as xr

from tests.integration.runner.conftest import Runner, contents, open_netcdf, weather, write_netcdf

HOURS = np.arange(48)


def test_what_dataset_json_says(runner: Runner, tmp_path: Path) -> None:
    file = write_netcdf(tmp_path / "t2m.nc", weather(48), HOURS)
    dataset = runner.bring(file, "era5", "--title", "Temperature", "--chunk-steps", "10").dataset
    pointer = runner.pointer("era5")
    provenance = pointer.pop("provenance")
    assert pointer == {
        "id": "era5",
        "title": "Temperature",
        "variables": [{"name": "t2m", "units": "K", "dtype": "float32", "accumulated": False, "coverage": None}],
        "frequency": "1h",
        "period_type": "hourly",
        "calendar": "standard",
        "shape": {"time": 48, "lat": 5, "lon": 5},
        "chunks": {"time": 10, "lat": 5, "lon": 5},
        "coverage": {"start": "2025-01-01T00:00:00Z", "end": "2025-01-02T23:00:00Z"},
        "bbox": [-13.0, 6.0, -9.0, 10.0],
        "version": dataset["version"],
    }
    assert provenance["source"]["file"] == "t2m.nc"
    assert dataset["store"] == f"datasets/era5/versions/{dataset['version']}.zarr"


def test_values_coordinates_and_attributes_are_kept(runner: Runner, tmp_path: Path) -> None:
    values = weather(48)
    file = write_netcdf(tmp_path / "t2m.nc", values, HOURS)
    stored = runner.open(runner.bring(file, "era5").dataset)
    np.testing.assert_array_equal(stored["t2m"].to_numpy(), values)
    source = open_netcdf(file)
    for name in ("time", "lat", "lon"):
        np.testing.assert_array_equal(stored[name].to_numpy(), source[name].to_numpy())
    assert stored["t2m"].attrs == source["t2m"].attrs
    assert stored.attrs["institution"] == "Somewhere"


def test_metadata_are_by_the_conventions_they_say(runner: Runner, tmp_path: Path) -> None:
    """Files that were made of GRIB messages say an older version, and name what has no name `unknown`."""
    values = weather(24)
    more: dict[str, Any] = {"rh": (("time", "lat", "lon"), values, {"units": "%", "standard_name": "unknown"})}
    file = write_netcdf(tmp_path / "a.nc", values, np.arange(24), **more)
    with h5netcdf.File(file, "a") as opened:
        opened.attrs["Conventions"] = "CF-1.7"
    brought = runner.bring(file, "source", variables=("rh", "t2m"))
    for stored in map(runner.open, (brought.dataset, runner.resample("source", "1D", "max").dataset)):
        assert stored.attrs["Conventions"] == "CF-1.11"
        assert "standard_name" not in stored["rh"].attrs
        assert stored["t2m"].attrs["standard_name"] == "air_temperature"


def test_importing_again_finds_it_there_and_makes_it_current(runner: Runner, tmp_path: Path) -> None:
    first = write_netcdf(tmp_path / "first.nc", weather(48, seed=1), HOURS)
    second = write_netcdf(tmp_path / "second.nc", weather(48, seed=2), HOURS)
    one, two, again = (runner.bring(file, "era5").dataset for file in (first, second, first))
    assert (one["reused"], two["reused"], again["reused"]) == (False, False, True)
    assert one["version"] == again["version"] != two["version"]
    assert runner.pointer("era5")["version"] == one["version"]


@pytest.mark.parametrize("steps", ["1", "7", "48", "1000"])
def test_chunks_do_not_change_values(runner: Runner, tmp_path: Path, steps: str) -> None:
    values = weather(48)
    file = write_netcdf(tmp_path / "t2m.nc", values, HOURS)
    dataset = runner.bring(file, "era5", "--chunk-steps", steps).dataset
    np.testing.assert_array_equal(runner.open(dataset)["t2m"].to_numpy(), values)


def test_packed_numbers_and_fill_values_are_decoded(runner: Runner, tmp_path: Path) -> None:
    packed = np.array([100, -32768, 300], dtype=np.int16).reshape(3, 1, 1)
    attributes = {"units": "K", "scale_factor": 0.5, "add_offset": 200.0, "_FillValue": np.int16(-32768)}
    file = write_netcdf(
        tmp_path / "t2m.nc", weather(3, 1), HOURS[:3], packed=(("time", "lat", "lon"), packed, attributes)
    )
    stored = runner.open(runner.bring(file, "packed", variables=("packed",)).dataset)["packed"]
    np.testing.assert_array_equal(stored.to_numpy().ravel(), [250.0, np.nan, 350.0])
    assert stored.dtype.kind == "f"
    assert stored.attrs == {"units": "K"}


def test_time_need_not_be_the_first_dimension(runner: Runner, tmp_path: Path) -> None:
    values = weather(6)
    turned: dict[str, Any] = {"turned": (("lat", "lon", "time"), np.moveaxis(values, 0, -1))}
    file = write_netcdf(tmp_path / "t2m.nc", values, HOURS[:6], **turned)
    stored = runner.open(runner.bring(file, "era5", variables=("turned",)).dataset)["turned"]
    assert stored.dims == ("time", "lat", "lon")
    np.testing.assert_array_equal(stored.to_numpy(), values)


def test_grid_mapping_and_coordinates_on_the_grid_are_kept_others_are_not(runner: Runner, tmp_path: Path) -> None:
    values = weather(6)
    data = xr.Dataset(
        {
            "t2m": (("time", "y", "x"), values, {"units": "K", "grid_mapping": "crs"}),
            "crs": ((), np.int32(0), {"grid_mapping_name": "lambert_conformal_conic"}),
        },
        {
            "time": ("time", HOURS[:6], {"units": "hours since 2025-01-01"}),
            "latitude": (("y", "x"), np.ones((5, 5)), {"units": "degrees_north"}),
            "number": ((), 0),
            "expver": ("time", np.array(["0001"] * 6)),
        },
    )
    data.to_netcdf(tmp_path / "t2m.nc", engine="h5netcdf")  # pyright: ignore[reportUnknownMemberType]
    stored = runner.open(runner.bring(tmp_path / "t2m.nc", "era5").dataset)
    assert set(stored.variables) == {"t2m", "crs", "time", "latitude"}
    assert "latitude" in set(stored.coords)
    assert stored["crs"].attrs["grid_mapping_name"] == "lambert_conformal_conic"
    daily = runner.open(runner.resample("era5", "3h").dataset)
    assert set(daily.variables) == {"t2m", "crs", "time", "time_bnds", "latitude"}
    assert daily["latitude"].dims == ("y", "x")


def test_the_calendar_is_kept(runner: Runner, tmp_path: Path) -> None:
    file = write_netcdf(tmp_path / "t2m.nc", weather(60), np.arange(60), "days since 2001-02-01", "360_day")
    runner.bring(file, "model")
    pointer = runner.pointer("model")
    assert pointer["calendar"] == "360_day"
    assert pointer["coverage"]["end"] == "2001-03-30T00:00:00Z"


@pytest.mark.parametrize("place", [0.3, 0.6, 1.0])
def test_a_chunk_with_a_wrong_bit_is_noticed(runner: Runner, tmp_path: Path, place: float) -> None:
    dataset = runner.bring(write_netcdf(tmp_path / "t2m.nc", weather(48), HOURS), "era5").dataset
    chunk = runner.store(dataset) / "t2m/c/0/0/0"
    content = bytearray(chunk.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    chunk.write_bytes(content)
    for answer in (runner.resample("era5", "1D"), runner.resample("era5", "1D", "median")):
        assert answer.status != 0
        assert "chunk is damaged" in answer.error["detail"]
    with pytest.raises(RuntimeError, match="Zstd"):
        runner.open(dataset)


def test_a_missing_variable_is_refused_with_those_there_are(runner: Runner, tmp_path: Path) -> None:
    file = write_netcdf(tmp_path / "t2m.nc", weather(48), HOURS)
    answer = runner.bring(file, "era5", variables=("temperature",))
    assert answer.status == 65
    assert "'temperature'" in answer.error["detail"]
    assert "t2m" in answer.error["hint"]
    assert not (runner.data / "datasets").exists()


@pytest.mark.parametrize(
    ("numbers", "complaint"),
    [([0, 2, 1], "not in order"), ([0, 1, 1], "occurs twice"), ([0, 1, 5, 30], "no regular distance")],
)
def test_a_time_axis_that_cannot_be_worked_with_is_refused(
    runner: Runner, tmp_path: Path, numbers: list[int], complaint: str
) -> None:
    file = write_netcdf(tmp_path / "t2m.nc", weather(len(numbers)), np.array(numbers))
    answer = runner.bring(file, "era5")
    assert answer.status == 65
    assert complaint in answer.error["detail"]


def test_holes_are_no_obstacle(runner: Runner, tmp_path: Path) -> None:
    kept = np.delete(HOURS, [5, 6, 20])
    file = write_netcdf(tmp_path / "t2m.nc", weather(len(kept)), kept)
    runner.bring(file, "era5")
    assert runner.pointer("era5")["frequency"] == "1h"


def test_the_frequency_can_be_given(runner: Runner, tmp_path: Path) -> None:
    file = write_netcdf(tmp_path / "t2m.nc", weather(1), HOURS[:1])
    assert runner.bring(file, "era5").status == 65
    runner.bring(file, "era5", "--frequency", "24h")
    assert runner.pointer("era5")["frequency"] == "1D"


@pytest.mark.parametrize("content", [b"", b"CDF\x01" + bytes(100), b"not netCDF at all"])
def test_what_is_not_netcdf_4_is_refused(runner: Runner, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "other.nc"
    file.write_bytes(content)
    answer = runner.bring(file, "era5")
    assert answer.status == 65
    assert "netCDF-4" in answer.error["detail"]


@pytest.mark.parametrize("dataset_id", ["../era5", "Era5", "", "a/b", "x" * 129])
def test_only_ids_become_paths(runner: Runner, tmp_path: Path, dataset_id: str) -> None:
    file = write_netcdf(tmp_path / "t2m.nc", weather(48), HOURS)
    assert runner.bring(file, dataset_id).status == 65
    assert list(runner.data.iterdir()) == []


def test_synthetic_data_are_the_same_each_time_and_say_what_they_are(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Runner(tmp_path / "other")
    options = ("synthesize", "--id", "synthetic", "--days", "3", "--size", "12", "--start", "2025-03-01")
    one, two = (place(*options).dataset for place in (runner, other))
    assert contents(runner.store(one)) == contents(other.store(two))
    data = runner.open(one)["t2m"]
    assert data.shape == (72, 12, 12)
    assert 0.05 < float(np.isnan(data.to_numpy()).mean()) < 0.6
    assert 280 < float(np.nanmin(data.to_numpy())) < float(np.nanmax(data.to_numpy())) < 325
    assert data["latitude"].to_numpy()[0] > data["latitude"].to_numpy()[-1]
    assert "ynthetic" in runner.pointer("synthetic")["title"]
    assert "Not a measurement" in data.attrs["comment"]
