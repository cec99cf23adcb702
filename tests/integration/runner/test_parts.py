"""`subset` and `zonal_stats` on real stores, against plain numpy."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
import xarray as xr
from shapely.geometry import shape

from climatejobs_runner import tables
from tests.integration.runner.conftest import Answer, Json, Runner, contents, weather, write_netcdf
from tests.integration.runner.test_reference_figures import HOURLY

HOURS = np.arange(96)
DISTRICTS = "sierra-leone-districts.geojson"


def run(runner: Runner, process: str, **inputs: Any) -> Answer:
    path = runner.data.parent / "inputs.json"
    path.write_text(json.dumps({"source_dataset_id": "source", **inputs}), encoding="utf-8")
    return runner("run", "--process", process, "--inputs", path)


def rectangle(west: float, south: float, east: float, north: float) -> Json:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def named(**zones: Json) -> Json:
    features = [{"type": "Feature", "properties": {"name": name}, "geometry": zone} for name, zone in zones.items()]
    return {"type": "FeatureCollection", "features": features}


def read_parquet(path: Path) -> list[Json]:
    return pq.read_table(path).to_pylist()  # pyright: ignore - pyarrow carries no types


@pytest.fixture
def values(runner: Runner, tmp_path: Path) -> np.ndarray:
    """The values of the data set `source`: 96 hours, latitudes 10 to 3, longitudes -13 to -6."""
    values = weather(96, 8)
    more: dict[str, Any] = {"d2m": (("time", "lat", "lon"), values - 5, {"units": "K"})}
    file = write_netcdf(tmp_path / "t2m.nc", values, HOURS, **more)
    runner.bring(file, "source", "--chunk-steps", "10", variables=("t2m", "d2m"))
    return values


def test_a_box_and_a_day_are_cut_out(runner: Runner, values: np.ndarray) -> None:
    answer = run(
        runner, "subset", bbox=[-12.0, 4.5, -9.5, 8.0], start="2025-01-02", end="2025-01-02", variables=["t2m"]
    )
    part = runner.open(answer.dataset)
    np.testing.assert_array_equal(part["t2m"].to_numpy(), values[24:48, 2:6, 1:4])
    assert part["lat"].to_numpy().tolist() == [8, 7, 6, 5]
    assert part["lon"].to_numpy().tolist() == [-12, -11, -10]
    assert "d2m" not in part
    pointer = runner.pointer(answer.dataset["id"])
    assert pointer["shape"] == {"time": 24, "lat": 4, "lon": 3}
    assert pointer["bbox"] == [-12.0, 5.0, -10.0, 8.0]
    assert pointer["coverage"] == {"start": "2025-01-02T00:00:00Z", "end": "2025-01-02T23:00:00Z"}
    assert pointer["frequency"] == "1h"


def test_a_part_is_a_data_set_like_any_other(runner: Runner, values: np.ndarray) -> None:
    part = run(runner, "subset", bbox=[-12.0, 4.5, -9.5, 8.0]).dataset
    largest = runner.open(runner.resample(part["id"], "1D", "max").dataset)["t2m"].to_numpy()
    np.testing.assert_array_equal(largest, np.nanmax(values[:, 2:6, 1:4].reshape(4, 24, 4, 3), axis=1))


def test_the_same_part_is_cut_once_and_another_beside_it(runner: Runner, values: np.ndarray) -> None:
    first = run(runner, "subset", start="2025-01-02").dataset
    again = run(runner, "subset", start="2025-01-02").dataset
    other = run(runner, "subset", start="2025-01-03").dataset
    assert (first["reused"], again["reused"], other["reused"]) == (False, True, False)
    assert first["version"] == again["version"]
    assert first["id"] == again["id"] != other["id"]
    anew = run(runner, "subset", start="2025-01-02", overwrite=True).dataset
    assert (anew["id"], anew["reused"]) == (first["id"], False)
    one, two = contents(runner.store(first)), contents(runner.store(anew))
    assert all(one[name] == two[name] for name in one if name != "zarr.json")


def test_a_box_over_the_seam_is_one_part(runner: Runner, tmp_path: Path) -> None:
    values = np.arange(3 * 2 * 36, dtype=np.float32).reshape(3, 2, 36)
    data = xr.Dataset(
        {"t2m": (("time", "lat", "lon"), values, {"units": "K"})},
        {
            "time": ("time", HOURS[:3], {"units": "hours since 2025-01-01"}),
            "lat": ("lat", [10.0, 0.0], {"units": "degrees_north"}),
            "lon": ("lon", np.arange(0.0, 360.0, 10.0), {"units": "degrees_east"}),
        },
    )
    data.to_netcdf(tmp_path / "globe.nc", engine="h5netcdf")  # pyright: ignore[reportUnknownMemberType]
    runner.bring(tmp_path / "globe.nc", "source")
    part = runner.open(run(runner, "subset", bbox=[-15.0, -5.0, 15.0, 15.0]).dataset)
    assert part["lon"].to_numpy().tolist() == [-10, 0, 10]
    np.testing.assert_array_equal(part["t2m"].to_numpy(), values[:, :, [35, 0, 1]])


def test_a_part_of_many_chunks_is_put_together_right(runner: Runner, tmp_path: Path) -> None:
    values = np.arange(3 * 600 * 1200, dtype=np.float32).reshape(3, 600, 1200)
    data = xr.Dataset(
        {"t2m": (("time", "lat", "lon"), values, {"units": "K"})},
        {
            "time": ("time", HOURS[:3], {"units": "hours since 2025-01-01"}),
            "lat": ("lat", np.linspace(89.85, -89.85, 600), {"units": "degrees_north"}),
            "lon": ("lon", np.arange(1200) * 0.3, {"units": "degrees_east"}),
        },
    )
    data.to_netcdf(tmp_path / "globe.nc", engine="h5netcdf")  # pyright: ignore[reportUnknownMemberType]
    runner.bring(tmp_path / "globe.nc", "source")
    answer = run(runner, "subset", bbox=[-170.05, -89.0, 170.05, 89.9])
    assert runner.pointer(answer.dataset["id"])["chunks"]["lon"] == 512
    rows = data["lat"].to_numpy() >= -89.0
    expected = values[:, rows][:, :, [*range(634, 1200), *range(567)]]
    np.testing.assert_array_equal(runner.open(answer.dataset)["t2m"].to_numpy(), expected)


@pytest.mark.parametrize(
    ("inputs", "complaint"),
    [
        ({"bbox": [20.0, 4.5, 21.0, 8.0]}, "no cell of source has its centre in the box"),
        ({"start": "2026-01-01"}, "has no time step from 2026-01-01T00:00:00Z"),
        ({"variables": ["tp"]}, "has no variable 'tp'"),
    ],
)
def test_what_selects_nothing_is_refused(runner: Runner, values: np.ndarray, inputs: Json, complaint: str) -> None:
    answer = run(runner, "subset", **inputs)
    assert answer.status == 65
    assert complaint in answer.error["detail"]


def test_statistics_of_rectangles_are_those_of_their_cells(runner: Runner, values: np.ndarray) -> None:
    """The zone takes half of one row of three cells, and a quarter of the outer ones of the next."""
    zones = named(West=rectangle(-12.25, 7.0, -10.0, 8.5), Far=rectangle(30, 30, 31, 31))
    answer = run(runner, "zonal_stats", zones=zones, variables=["t2m"])
    found = runner.open(answer.dataset)
    assert found["zone"].to_numpy().tolist() == ["West", "Far"]
    # Rows 8 and 7, columns -12, -11 and -10; cells reach half a degree to each side.
    cells = values[:, 2:4, 1:4].astype(np.float64)
    fractions = np.array([[0.75, 1.0, 0.5], [0.375, 0.5, 0.25]])
    heights = np.sin(np.radians([8.5, 7.5])) - np.sin(np.radians([7.5, 6.5]))
    areas = fractions * heights[:, np.newaxis]
    valid = ~np.isnan(cells)
    there = np.where(valid, cells, 0)
    expected = {
        "count": (valid * fractions).sum(axis=(1, 2)),
        "sum": (there * fractions).sum(axis=(1, 2)),
        "mean": (there * areas).sum(axis=(1, 2)) / (valid * areas).sum(axis=(1, 2)),
        "min": np.nanmin(cells, axis=(1, 2)),
        "max": np.nanmax(cells, axis=(1, 2)),
    }
    for statistic, series in expected.items():
        np.testing.assert_allclose(found[f"t2m_{statistic}"].to_numpy()[:, 0], series, rtol=1e-9)
    assert np.isnan(found["t2m_mean"].to_numpy()[:, 1]).all()
    assert (found["t2m_count"].to_numpy()[:, 1] == 0).all()
    assert runner.pointer(answer.dataset["id"])["shape"] == {"time": 96, "zone": 2}


def test_the_table_says_the_same(runner: Runner, values: np.ndarray) -> None:
    zones = named(**{"A, west": rectangle(-12.25, 7.0, -10.0, 8.5), "Far": rectangle(30, 30, 31, 31)})
    answer = run(runner, "zonal_stats", zones=zones, statistics=["mean", "count"], start="2025-01-02", end="2025-01-02")
    outputs = answer.document["outputs"]
    found, table = runner.open(outputs["dataset"]), outputs["table"]
    assert table["rows"] == 48
    rows = read_parquet(runner.data / table["parquet"])
    assert [row["zone"] for row in rows[:4]] == ["A, west", "Far"] * 2
    assert str(rows[2]["time"]) == "2025-01-02 01:00:00+00:00"
    assert [row["t2m_mean"] for row in rows[::2]] == found["t2m_mean"].to_numpy()[:, 0].tolist()
    assert rows[1]["d2m_mean"] is None
    lines = (runner.data / table["csv"]).read_text().splitlines()
    assert lines[0] == '"time","zone","t2m_mean","t2m_count","d2m_mean","d2m_count"'
    assert lines[1].startswith('"2025-01-02T00:00:00Z","A, west",')
    assert lines[2] == '"2025-01-02T00:00:00Z","Far",,0,,0'


@pytest.mark.parametrize("at_once", [1, 5, 1000])
def test_tables_are_written_a_few_rows_at_a_time(
    runner: Runner, values: np.ndarray, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(tables, "ROWS_AT_ONCE", at_once)
    zones = named(West=rectangle(-12.25, 3.1, -7.1, 8.5), East=rectangle(-7.1, 3.1, -6, 8.5))
    outputs = run(runner, "zonal_stats", zones=zones, statistics=["mean"]).document["outputs"]
    found, table = runner.open(outputs["dataset"]), outputs["table"]
    rows = read_parquet(runner.data / table["parquet"])
    assert [row["zone"] for row in rows] == ["West", "East"] * 96
    assert [row["t2m_mean"] for row in rows] == found["t2m_mean"].to_numpy().ravel().tolist()
    lines = (runner.data / table["csv"]).read_text().splitlines()[1:]
    assert [float(line.split(",")[2]) for line in lines] == [row["t2m_mean"] for row in rows]


@pytest.mark.parametrize(
    ("process", "inputs"),
    [("subset", {"start": "2025-01-02"}), ("zonal_stats", {"zones": named(West=rectangle(-12, 3, -7, 8))})],
)
def test_too_little_memory_is_refused_before_anything_is_computed(
    runner: Runner, values: np.ndarray, process: str, inputs: Json
) -> None:
    before = list(runner.data.rglob("*"))
    path = runner.data.parent / "inputs.json"
    path.write_text(json.dumps({"source_dataset_id": "source", **inputs}), encoding="utf-8")
    answer = runner("run", "--process", process, "--inputs", path, CLIMATEJOBS_MEMORY_LIMIT=str(64 * 2**20))
    assert answer.status == 65
    assert "source" in answer.error["detail"]
    assert "MiB of memory; this job may use 64 MiB" in answer.error["detail"]
    assert "Mi in resources.memory" in answer.error["hint"]
    assert list(runner.data.rglob("*")) == before


@pytest.mark.parametrize("steps", ["1", "96"])
def test_chunks_do_not_change_a_bit(runner: Runner, values: np.ndarray, tmp_path: Path, steps: str) -> None:
    zones = named(West=rectangle(-12.25, 3.1, -7.1, 8.5))
    one = runner.open(run(runner, "zonal_stats", zones=zones).dataset)
    runner.bring(tmp_path / "t2m.nc", "source", "--chunk-steps", steps, variables=("t2m", "d2m"))
    two = runner.open(run(runner, "zonal_stats", zones=zones).dataset)
    for name in one.data_vars:
        np.testing.assert_array_equal(one[name].to_numpy(), two[name].to_numpy())


def test_real_districts_as_a_fine_raster_has_them(runner: Runner, real_data: Path) -> None:
    runner.bring(real_data / HOURLY, "source")
    answer = runner("import-zones", real_data / DISTRICTS, "--id", "districts")
    assert answer.document["outputs"]["zones"]["zones"] == 13
    found = runner.open(run(runner, "zonal_stats", zones_id="districts", end="2025-02-01").dataset)
    source = runner.open(
        runner.pointer("source") | {"store": f"datasets/source/versions/{runner.pointer('source')['version']}.zarr"}
    )
    latitudes, longitudes = source["latitude"].to_numpy(), source["longitude"].to_numpy()
    fine = 20
    rows, columns = (
        np.concatenate([centre + step * ((np.arange(fine) + 0.5) / fine - 0.5) for centre in axis])
        for axis, step in ((latitudes, -0.10003), (longitudes, 0.10003))
    )
    cells = source["t2m"].to_numpy()[:24].astype(np.float64)
    document = json.loads((real_data / DISTRICTS).read_text())
    for index, feature in enumerate(document["features"]):
        inside = shapely.contains_xy(shape(feature["geometry"]), *np.meshgrid(columns, rows))
        fractions = inside.reshape(31, fine, 31, fine).mean(axis=(1, 3))
        weights = fractions * np.cos(np.radians(latitudes))[:, np.newaxis]
        valid = ~np.isnan(cells)
        mean = (np.where(valid, cells, 0) * weights).sum(axis=(1, 2)) / (valid * weights).sum(axis=(1, 2))
        np.testing.assert_allclose(found["t2m_mean"].to_numpy()[:, index], mean, atol=0.02)
        count = (valid * fractions).sum(axis=(1, 2))
        np.testing.assert_allclose(found["t2m_count"].to_numpy()[:, index], count, rtol=0.01)
        assert found["zone"].to_numpy()[index] == feature["properties"]["name"]


def test_zones_that_are_not_there_or_beside_the_grid_are_named(runner: Runner, values: np.ndarray) -> None:
    answer = run(runner, "zonal_stats", zones_id="nowhere")
    assert (answer.status, answer.error["detail"]) == (65, "there are no zones 'nowhere'")
    answer = run(runner, "zonal_stats", zones=rectangle(30, 30, 31, 31))
    assert answer.status == 65
    assert "no zone lies on the grid" in answer.error["detail"]


@pytest.mark.parametrize("process", ["subset", "zonal_stats"])
def test_shared_work_gives_the_same_bytes(runner: Runner, values: np.ndarray, process: str) -> None:
    inputs: Json = {"source_dataset_id": "source", "overwrite": True}
    inputs |= (
        {"bbox": [-12, 4, -8, 9]} if process == "subset" else {"zones": named(W=rectangle(-12.25, 3.1, -7.1, 8.5))}
    )
    path = runner.data.parent / "inputs.json"
    path.write_text(json.dumps(inputs))
    alone = runner("run", "--process", process, "--inputs", path).dataset
    answers = [
        runner(
            "run", "--process", process, "--inputs", path, "--shards", "3", "--shard", str(index), "--job", "0abc0abc"
        )
        for index in (2, 0, 1)
    ]
    together = answers[-1].dataset
    one, two = contents(runner.store(alone)), contents(runner.store(together))
    assert one.keys() == two.keys()
    assert all(one[name] == two[name] for name in one if name != "zarr.json")
