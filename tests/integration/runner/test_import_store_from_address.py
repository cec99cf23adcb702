"""Zarr stores behind an address, read where they are: from a web server that lists nothing, and from a real bucket."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import xarray as xr

from climatejobs_runner import ingestion
from climatejobs_runner.sources import labelled
from tests.integration.runner.conftest import Runner, weather
from tests.integration.runner.test_foreign_stores import FORMS, grid, write
from tests.object_store import BUCKET, ObjectStore
from tests.web_server import Site, serve_folder


@dataclass(frozen=True)
class Shelf:
    """Where stores are put, and what the folder is called from outside."""

    folder: Path
    address: str


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "site").mkdir()
    with serve_folder(tmp_path / "site") as site:
        yield site


@pytest.fixture(params=["https", "s3"])
def shelf(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """A folder of a web server, and again a prefix of a bucket."""
    if request.param == "https":
        site: Site = request.getfixturevalue("site")
        return Shelf(site.folder, site.address)
    store: ObjectStore = request.getfixturevalue("object_store")
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    prefix = uuid4().hex
    (store.folder / prefix).mkdir()
    return Shelf(store.folder / prefix, f"s3://{BUCKET}/{prefix}")


@pytest.mark.parametrize("form", FORMS)
def test_zarr_in_every_form(runner: Runner, shelf: Shelf, form: str) -> None:
    values = weather(60)
    write(grid(values), shelf.folder / "other.zarr", **FORMS[form])
    dataset = runner.bring(f"{shelf.address}/other.zarr/", "zarr").dataset
    tolerance = 0.006 if form == "packed" else 0
    stored = runner.open(dataset)
    np.testing.assert_allclose(stored["t2m"].to_numpy(), values, atol=tolerance, rtol=0)
    here = runner.open(runner.bring(shelf.folder / "other.zarr", "here").dataset)
    assert stored.equals(here)
    assert runner.pointer("zarr")["provenance"]["source"]["url"] == f"{shelf.address}/other.zarr"


def test_the_same_store_is_the_same_version_until_a_chunk_or_an_attribute_changes(runner: Runner, shelf: Shelf) -> None:
    place, address = shelf.folder / "other.zarr", f"{shelf.address}/other.zarr"
    write(grid(weather(48)), place, zarr_format=3)
    one, two = (runner.bring(address, "zarr").dataset for _ in range(2))
    assert (one["version"], two["reused"]) == (two["version"], True)
    chunk = place / "t2m/c/0/0/0"
    kept = chunk.read_bytes()
    write(grid(weather(48, seed=2)), shelf.folder / "second.zarr", zarr_format=3)
    shutil.copy(shelf.folder / "second.zarr" / chunk.relative_to(place), chunk)
    changed = runner.bring(address, "zarr").dataset
    assert changed["version"] != one["version"]
    chunk.write_bytes(kept)
    attributes = place / "t2m" / "zarr.json"
    attributes.write_text(attributes.read_text().replace('"K"', '"F"'))
    assert runner.bring(address, "zarr").dataset["version"] not in (one["version"], changed["version"])


def test_a_box_and_a_time_read_no_other_chunks(runner: Runner, site: Site) -> None:
    values = np.random.default_rng(1).normal(size=(40, 20, 20)).astype(np.float32)
    write(grid(values), site.folder / "other.zarr", zarr_format=2, encoding={"t2m": {"chunks": (10, 5, 5)}})
    options = ("--bbox", "-8", "1", "-4", "5", "--time", "2025-01-01T10:00", "2025-01-01T19:00")
    dataset = runner.bring(f"{site.address}/other.zarr", "part", *options).dataset
    stored = runner.open(dataset)["t2m"]
    expected = grid(values)["t2m"].isel(time=slice(10, 20), lat=slice(5, 10), lon=slice(5, 10))
    np.testing.assert_array_equal(stored.to_numpy(), expected.to_numpy())
    asked = {path for _, path, _ in site.asked if "/t2m/" in path and "/." not in path}
    assert asked == {"/other.zarr/t2m/1.1.1"}
    version = dataset["version"]
    (site.folder / "other.zarr/t2m/3.3.3").write_bytes(b"changed")
    assert runner.bring(f"{site.address}/other.zarr", "part", *options).dataset["version"] == version


@pytest.mark.parametrize("version", ["tag", "time", "nothing"])
def test_a_chunk_that_changes_while_it_is_read_is_refused(
    runner: Runner, site: Site, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelled, "BLOCK_BYTES", 600)
    site.version = "tag" if version == "tag" else "time" if version == "time" else "nothing"
    write(grid(weather(48)), site.folder / "other.zarr", zarr_format=2, encoding={"t2m": {"chunks": (6, 5, 5)}})
    other = site.folder / "second.zarr"
    write(grid(weather(48, seed=2)), other, zarr_format=2, encoding={"t2m": {"chunks": (6, 5, 5)}})
    chunk = site.folder / "other.zarr/t2m/7.0.0"
    # Everything has been looked at by then.
    site.replaced["/other.zarr/t2m/0.0.0"] = (
        2 if version == "nothing" else 1,
        chunk,
        (other / "t2m/7.0.0").read_bytes(),
    )
    answer = runner.bring(f"{site.address}/other.zarr", "zarr")
    assert answer.status == 65, answer.document
    assert "t2m/7.0.0" in answer.error["detail"]
    assert "has changed while it was read" in answer.error["detail"]


def test_a_chunk_that_goes_while_it_is_read_is_no_missing_one(
    runner: Runner, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelled, "BLOCK_BYTES", 600)
    write(grid(weather(48)), site.folder / "other.zarr", zarr_format=2, encoding={"t2m": {"chunks": (6, 5, 5)}})
    site.replaced["/other.zarr/t2m/0.0.0"] = (1, site.folder / "other.zarr/t2m/7.0.0", None)
    answer = runner.bring(f"{site.address}/other.zarr", "zarr")
    assert answer.status == 65, answer.document
    assert "t2m/7.0.0" in answer.error["detail"]


def test_of_a_shard_only_the_chunks_that_are_needed_are_read(runner: Runner, site: Site) -> None:
    encoding = {"t2m": {"chunks": (6, 2, 5), "shards": (24, 4, 5)}}
    write(grid(weather(48)), site.folder / "other.zarr", zarr_format=3, encoding=encoding)
    options = ("--bbox", "-13", "9.5", "-9", "10.5", "--time", "2025-01-01T06:00", "2025-01-01T11:00")
    stored = runner.open(runner.bring(f"{site.address}/other.zarr", "part", *options).dataset)["t2m"]
    np.testing.assert_array_equal(stored.to_numpy(), weather(48)[6:12, :1])
    assert "" not in site.ranges_of("/other.zarr/t2m/c/0/0/0")


def test_missing_chunks_are_missing_values(runner: Runner, shelf: Shelf) -> None:
    write(grid(weather(48)), shelf.folder / "other.zarr", zarr_format=2, encoding={"t2m": {"chunks": (24, 5, 5)}})
    (shelf.folder / "other.zarr/t2m/1.0.0").unlink()
    stored = runner.open(runner.bring(f"{shelf.address}/other.zarr", "zarr").dataset)["t2m"].to_numpy()
    assert np.isnan(stored[24:]).all()
    np.testing.assert_array_equal(stored[:24], weather(48)[:24])


def test_auxiliary_coordinates_and_grid_mappings_are_found(runner: Runner, shelf: Shelf) -> None:
    data = xr.Dataset(
        {
            "t2m": (("time", "y", "x"), weather(6), {"units": "K", "grid_mapping": "crs"}),
            "crs": ((), np.int32(0), {"grid_mapping_name": "lambert_conformal_conic"}),
            "other": (("time", "y", "x"), weather(6), {"units": "K"}),
        },
        {
            "time": ("time", np.arange(6), {"units": "hours since 2025-01-01"}),
            "latitude": (("y", "x"), np.ones((5, 5)), {"units": "degrees_north"}),
        },
    )
    for zarr_format in (2, 3):
        write(data, shelf.folder / "other.zarr", zarr_format=zarr_format, consolidated=False, mode="w")
        stored = runner.open(runner.bring(f"{shelf.address}/other.zarr", f"zarr{zarr_format}").dataset)
        assert set(stored.variables) == {"t2m", "crs", "time", "latitude"}


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_missing_variable_is_refused_with_those_there_are(runner: Runner, shelf: Shelf, zarr_format: int) -> None:
    write(grid(weather(6)), shelf.folder / "other.zarr", zarr_format=zarr_format, consolidated=True)
    answer = runner.bring(f"{shelf.address}/other.zarr", "zarr", variables=("temperature",))
    assert answer.status == 65
    assert "'temperature'" in answer.error["detail"]
    assert "t2m" in answer.error["hint"]


def test_a_connection_that_breaks_does_no_harm(runner: Runner, site: Site) -> None:
    write(grid(weather(480, 20)), site.folder / "other.zarr", encoding={"t2m": {"chunks": (240, 20, 20)}})
    site.break_after, site.breaks = 50_000, 5
    stored = runner.open(runner.bring(f"{site.address}/other.zarr", "zarr").dataset)["t2m"].to_numpy()
    np.testing.assert_array_equal(stored, weather(480, 20))
    assert site.breaks < 5


def test_a_sharded_store_needs_a_server_that_sends_parts(runner: Runner, site: Site) -> None:
    encoding = {"t2m": {"chunks": (6, 2, 5), "shards": (24, 4, 5)}}
    write(grid(weather(48)), site.folder / "other.zarr", zarr_format=3, encoding=encoding)
    site.ranges = False
    answer = runner.bring(f"{site.address}/other.zarr", "zarr", "--bbox", "-13", "9.5", "-12", "10.5")
    assert answer.status == 65, answer.document
    assert "does not send parts of a file" in answer.error["detail"]


def test_files_and_folders_of_a_bucket(bucket_runner: Runner, object_store: ObjectStore, tmp_path: Path) -> None:
    write(grid(weather(48)), object_store.folder / "store.zarr")
    grid(weather(48)).to_netcdf(object_store.folder / "file.nc", engine="h5netcdf")  # pyright: ignore[reportUnknownMemberType]
    for name in ("store.zarr", "file.nc"):
        dataset = bucket_runner.bring(f"s3://{BUCKET}/{name}", "bucket").dataset
        np.testing.assert_array_equal(bucket_runner.open(dataset)["t2m"].to_numpy(), weather(48))
    (object_store.folder / "repository/snapshots").mkdir(parents=True)
    (object_store.folder / "repository/manifests").mkdir()
    for name in ("snapshots", "manifests"):
        (object_store.folder / "repository" / name / "A").write_bytes(b"1")
    answer = bucket_runner.bring(f"s3://{BUCKET}/repository", "bucket")
    assert (answer.status, "Icechunk" in answer.error["detail"]) == (65, True)
    answer = bucket_runner.bring(f"s3://{BUCKET}/nothing", "bucket")
    assert (answer.status, "there is nothing at" in answer.error["detail"]) == (65, True)


def test_how_a_bucket_is_got_at_may_differ_from_the_data_root(
    bucket_runner: Runner, site: Site, object_store: ObjectStore
) -> None:
    """A web server is as good as a public bucket: it is asked without a signature."""
    write(grid(weather(48)), site.folder / BUCKET / "public.zarr")
    address, elsewhere = f"s3://{BUCKET}/public.zarr", ("--endpoint", site.address, "--region", "eu-north-1")
    dataset = bucket_runner.bring(address, "public", *elsewhere, "--anonymous").dataset
    np.testing.assert_array_equal(bucket_runner.open(dataset)["t2m"].to_numpy(), weather(48))
    assert site.signatures == {None}
    bucket_runner.bring(address, "public", *elsewhere)
    assert any("eu-north-1" in str(signature) for signature in site.signatures)
    write(grid(weather(48)), object_store.folder / "private.zarr")
    answer = bucket_runner.bring(f"s3://{BUCKET}/private.zarr", "private", "--anonymous")
    assert answer.status == 65
    assert "may not be read" in answer.error["detail"]
    assert "--anonymous" in answer.error["hint"]


def test_one_that_is_begun_again_goes_on(runner: Runner, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in ((ingestion, "PART_BYTES", 4000), (ingestion, "LEAST_STRIDES", 1)):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(labelled, "BLOCK_BYTES", 600)
    write(grid(weather(240)), site.folder / "other.zarr", zarr_format=2, encoding={"t2m": {"chunks": (24, 5, 5)}})
    chunk = "/other.zarr/t2m/7.0.0"
    site.refused[chunk] = 403
    options = ("--chunk-steps", "24")
    answer = runner.bring(f"{site.address}/other.zarr", "zarr", *options)
    assert (answer.status, "may not be read" in answer.error["detail"]) == (65, True)
    site.refused.clear()
    site.asked.clear()
    dataset = runner.bring(f"{site.address}/other.zarr", "zarr", *options).dataset
    np.testing.assert_array_equal(runner.open(dataset)["t2m"].to_numpy(), weather(240))
    again = {path for method, path, _ in site.asked if method == "GET" and "/t2m/" in path and "/." not in path}
    assert chunk in again
    assert "/other.zarr/t2m/0.0.0" not in again
