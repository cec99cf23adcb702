"""Stores of chunked arrays that others wrote, brought in: Zarr in every form, and Icechunk."""

import warnings
from pathlib import Path
from typing import Any

import icechunk
import numpy as np
import pytest
import xarray as xr

from tests.integration.runner.conftest import Runner, weather


def grid(values: np.ndarray) -> xr.Dataset:
    return xr.Dataset(
        {"t2m": (("time", "lat", "lon"), values, {"units": "K"})},
        {
            "time": ("time", np.arange(len(values)), {"units": "hours since 2025-01-01"}),
            "lat": 10.0 - np.arange(values.shape[1]),
            "lon": -13.0 + np.arange(values.shape[2]),
        },
    )


def write(data: xr.Dataset, store: Any, **options: Any) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        data.to_zarr(store, **options)  # pyright: ignore[reportUnknownMemberType] - partly untyped in xarray


FORMS: dict[str, dict[str, Any]] = {
    "version 2": {"zarr_format": 2, "consolidated": True},
    "version 2, not consolidated": {"zarr_format": 2, "consolidated": False},
    "version 3": {"zarr_format": 3, "consolidated": True},
    "version 3, not consolidated": {"zarr_format": 3, "consolidated": False},
    "sharded": {"zarr_format": 3, "encoding": {"t2m": {"chunks": (6, 2, 5), "shards": (24, 4, 5)}}},
    "packed": {
        "encoding": {"t2m": {"dtype": "int16", "scale_factor": 0.01, "add_offset": 300.0, "_FillValue": -32768}}
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_zarr_in_every_form(runner: Runner, tmp_path: Path, form: str) -> None:
    values = weather(60)
    write(grid(values), tmp_path / "other.zarr", **FORMS[form])
    dataset = runner.bring(tmp_path / "other.zarr", "zarr").dataset
    tolerance = 0.006 if form == "packed" else 0
    np.testing.assert_allclose(runner.open(dataset)["t2m"].to_numpy(), values, atol=tolerance, rtol=0)
    daily = runner.open(runner.resample("zarr", "1D").dataset)["t2m"].to_numpy()[:, 2, 2]
    np.testing.assert_allclose(daily, np.nanmean(values[:48, 2, 2].reshape(2, 24), axis=1), atol=1e-4 + tolerance)
    assert runner.pointer("zarr")["provenance"]["source"]["format"] == "Zarr"


def test_an_icechunk_repository_is_pinned_at_its_snapshot(runner: Runner, tmp_path: Path) -> None:
    first, second = weather(48, seed=1), weather(48, seed=2)
    repository = icechunk.Repository.create(icechunk.local_filesystem_storage(str(tmp_path / "repository")))
    snapshots: list[str] = []
    for values in (first, second):
        session = repository.writable_session("main")
        write(grid(values), session.store, mode="w", consolidated=False)
        snapshots.append(session.commit("written"))
        dataset = runner.bring(tmp_path / "repository", "icechunk").dataset
        np.testing.assert_array_equal(runner.open(dataset)["t2m"].to_numpy(), values)
        assert runner.pointer("icechunk")["provenance"]["source"]["snapshot"] == snapshots[-1]
    assert runner.bring(tmp_path / "repository", "icechunk").dataset["reused"]
    assert runner.resample("icechunk", "1D").status == 0


def test_importing_a_store_again_finds_it_there_unless_it_has_changed(runner: Runner, tmp_path: Path) -> None:
    write(grid(weather(48)), tmp_path / "other.zarr")
    one, two = (runner.bring(tmp_path / "other.zarr", "zarr").dataset for _ in range(2))
    assert (one["version"], two["reused"]) == (two["version"], True)
    write(grid(weather(48, seed=2)), tmp_path / "other.zarr", mode="w")
    assert runner.bring(tmp_path / "other.zarr", "zarr").dataset["version"] != one["version"]


def test_other_folders_are_refused(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    answer = runner.bring(tmp_path / "folder", "zarr")
    assert answer.status == 65
    assert "neither a Zarr store nor an Icechunk repository" in answer.error["detail"]


def test_a_damaged_chunk_is_named(runner: Runner, tmp_path: Path) -> None:
    write(grid(weather(48)), tmp_path / "other.zarr", zarr_format=3)
    chunk = next(path for path in (tmp_path / "other.zarr" / "t2m" / "c").rglob("*") if path.is_file())
    chunk.write_bytes(b"\0" * chunk.stat().st_size)
    answer = runner.bring(tmp_path / "other.zarr", "zarr")
    assert answer.status == 65, answer.document
    assert "values of t2m cannot be read" in answer.error["detail"]
