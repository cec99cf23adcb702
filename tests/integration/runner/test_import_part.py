"""A part of a source brought in: the same cells and steps that `subset` takes of the whole, and no others."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from climatejobs import footprints
from climatejobs_runner.sources import labelled
from tests.integration.runner.conftest import Json, Runner, weather, write_netcdf
from tests.integration.runner.test_grib import hours, temperatures, write_grib

HOURS = np.arange(48)


@pytest.fixture(params=["netCDF", "Zarr"])
def globe(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Longitudes from 0 to 350, latitudes from north to south, in chunks that no part begins with."""
    values = np.random.default_rng(3).normal(300, 10, size=(48, 19, 36)).astype(np.float32)
    data = xr.Dataset(
        {"t2m": (("time", "lat", "lon"), values, {"units": "K"})},
        {
            "time": ("time", HOURS, {"units": "hours since 2025-01-01"}),
            "lat": ("lat", 90 - 10.0 * np.arange(19), {"units": "degrees_north"}),
            "lon": ("lon", 10.0 * np.arange(36), {"units": "degrees_east"}),
            "height": (("lat", "lon"), values[0], {"units": "m"}),
        },
    )
    if request.param == "netCDF":
        encoding = {"t2m": {"chunksizes": (7, 5, 8)}}
        data.to_netcdf(tmp_path / "globe.nc", engine="h5netcdf", encoding=encoding)  # pyright: ignore[reportUnknownMemberType]
        return tmp_path / "globe.nc"
    encoding = {"t2m": {"chunks": (7, 5, 8)}}
    data.to_zarr(tmp_path / "globe.zarr", zarr_format=2, encoding=encoding)  # pyright: ignore[reportUnknownMemberType]
    return tmp_path / "globe.zarr"


def cut(runner: Runner, source: str, **selection: object) -> Json:
    """What `subset` makes."""
    inputs = runner.write_inputs(source_dataset_id=source, **{"start": None, **selection})
    return runner("run", "--process", "subset", "--inputs", inputs).dataset


@pytest.mark.parametrize(
    "box",
    [
        [20, -30, 60, 40],
        [-25, -90, 25, 90],
        [-180, 0, 180, 5],
        [170, -10, -170, 10],
        [350, 0, 350, 0],
    ],
    ids=["inside", "over the seam", "a whole turn", "over the date line", "one cell"],
)
def test_a_box_holds_what_subset_takes_of_the_whole(
    runner: Runner, globe: Path, box: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (footprints, labelled):
        monkeypatch.setattr(module, "BLOCK_BYTES", 4 * 7 * 19 * 36)
    runner.bring(globe, "whole")
    expected = runner.open(cut(runner, "whole", bbox=box, start="2025-01-01T03:00Z", end="2025-01-02T05:00Z"))
    times = ("--time", "2025-01-01T03:00", "2025-01-02T05:00")
    made = runner.bring(globe, "part", "--bbox", *map(str, box), *times).dataset
    assert runner.open(made).equals(expected)


def test_the_edges_of_the_box_belong_to_it(runner: Runner, tmp_path: Path) -> None:
    file = write_netcdf(tmp_path / "t2m.nc", weather(48), HOURS)
    stored = runner.open(runner.bring(file, "part", "--bbox", "-12", "7", "-10.5", "9.5").dataset)
    assert stored["lat"].to_numpy().tolist() == [9, 8, 7]
    assert stored["lon"].to_numpy().tolist() == [-12, -11]
    assert runner.pointer("part")["bbox"] == [-12, 7, -11, 9]


def test_the_part_is_told_and_tells_versions_apart(runner: Runner, tmp_path: Path) -> None:
    file = write_netcdf(tmp_path / "t2m.nc", weather(48), HOURS)
    whole = runner.bring(file, "part").dataset
    box, other = (("--bbox", "-12", south, "-10", "9") for south in ("7", "6.5"))
    first, second, again = (runner.bring(file, "part", *options).dataset for options in (box, other, box))
    assert len({whole["version"], first["version"], second["version"]}) == 3
    assert (again["version"], again["reused"]) == (first["version"], True)
    assert runner.pointer("part")["provenance"]["request"] == {"bbox": [-12, 7, -10, 9]}
    day = runner.bring(file, "part", "--time", "2025-01-02", "2025-01-02").dataset
    steps = runner.bring(file, "part", "--time", "2025-01-01T23:30", "2025-01-02T23:00:00Z").dataset
    assert day["coverage"] == {"start": "2025-01-02T00:00:00Z", "end": "2025-01-02T23:00:00Z"}
    assert runner.pointer("part")["provenance"]["request"] == day["coverage"]
    assert (steps["version"], steps["reused"]) == (day["version"], True)


def test_a_part_of_a_grib_file(runner: Runner, tmp_path: Path) -> None:
    file = write_grib(tmp_path / "t2m.grib", hours(temperatures(12)))
    whole = runner.open(runner.bring(file, "whole").dataset)
    options = ("--bbox", "-13", "9", "-12.5", "9.5", "--time", "2025-01-01T03:00", "2025-01-01T07:00")
    part = runner.open(runner.bring(file, "part", *options).dataset)
    assert part["t2m"].shape == (5, 2, 2)
    assert part.equals(whole.isel(valid_time=slice(3, 8), latitude=slice(1, 3), longitude=slice(1, 3)))


@pytest.mark.parametrize(
    ("options", "detail", "hint"),
    [
        (("--bbox", "20", "0", "30", "5"), "no cell of the source has its centre in the box 20, 0, 30, 5", "west"),
        (("--bbox", "0", "9", "10", "0"), "the box's south 9 lies north of its north 0", "west"),
        (("--bbox", "nan", "0", "10", "5"), "bbox", ""),
        (("--time", "2026-01-01", "2026-01-02"), "the source has no time step from 2026", "within that time"),
        (("--time", "yesterday", "today"), "'yesterday' is not a date", "2025-02-01"),
    ],
)
def test_what_selects_nothing_is_refused(
    runner: Runner, tmp_path: Path, options: tuple[str, ...], detail: str, hint: str
) -> None:
    file = write_netcdf(tmp_path / "t2m.nc", weather(48), HOURS)
    answer = runner.bring(file, "part", *options)
    assert answer.status == 65
    assert detail in answer.error["detail"]
    assert hint in (answer.error["hint"] or "")


def test_a_box_on_a_grid_without_rows_and_columns_is_refused(runner: Runner, tmp_path: Path) -> None:
    data = xr.Dataset(
        {"t2m": (("time", "y", "x"), weather(6), {"units": "K"})},
        {
            "time": ("time", HOURS[:6], {"units": "hours since 2025-01-01"}),
            "latitude": (("y", "x"), np.ones((5, 5)), {"units": "degrees_north"}),
        },
    )
    data.to_netcdf(tmp_path / "t2m.nc", engine="h5netcdf")  # pyright: ignore[reportUnknownMemberType]
    answer = runner.bring(tmp_path / "t2m.nc", "part", "--bbox", "0", "0", "1", "1")
    assert answer.status == 65
    assert "rows and columns with one coordinate each" in answer.error["detail"]
