"""From a request over REST to an opened result, compared cell by cell with plain numpy."""

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import xarray as xr

from climatejobs_demo.installation import Images, Installation
from tests.cluster_objects import ClimateJobs, ClusterObjects, wait_until
from tests.e2e.conftest import NAMESPACE
from tests.oracle import resample

pytestmark = pytest.mark.e2e

type Json = dict[str, Any]


def run_job(api: httpx.Client, **inputs: object) -> Json:
    """Submit a resample job, wait for its success, and return its results."""
    location = submit(api, {"inputs": inputs})
    return api.get(f"{location}/results").raise_for_status().json()


def submit(api: httpx.Client, body: Json, process: str = "resample") -> str:
    """Submit a job and wait for its success; the address of the job."""
    answer = api.post(f"/processes/{process}/execution", json=body, headers={"Prefer": "respond-async"})
    assert answer.status_code == 202, answer.text
    location = answer.headers["location"]

    def ended() -> Json | None:
        job = api.get(location).json()
        return job if job["status"] in ("successful", "failed", "dismissed") else None

    job = wait_until(ended, f"{location} to end", 120)
    assert job["status"] == "successful", job
    return location


def read_netcdf(file: Path, variable: str) -> xr.DataArray:
    with xr.open_dataset(file, engine="h5netcdf") as dataset:  # pyright: ignore[reportUnknownMemberType] - partly untyped in xarray
        return dataset[variable].load()  # pyright: ignore[reportUnknownMemberType] - as above


def open_result(results: Json) -> xr.Dataset:
    return xr.open_zarr(results["href"]).load()  # pyright: ignore[reportUnknownMemberType] - partly untyped in xarray


@pytest.mark.parametrize(("frequency", "method"), [("1D", "mean"), ("W-MON", "max"), ("MS", "sum")])
def test_result_equals_plain_numpy_on_synthetic_data(
    api: httpx.Client, synthetic_dataset: str, frequency: str, method: str
) -> None:
    source = xr.open_zarr(str(api.base_url.join(f"/datasets/{synthetic_dataset}/zarr"))).load()  # pyright: ignore[reportUnknownMemberType]
    (variable,) = source.data_vars
    start = str(source[source[variable].dims[0]].to_numpy()[0])[:10]
    results = run_job(api, source_dataset_id=synthetic_dataset, frequency=frequency, method=method, start=start)
    array = source[variable]
    labels, values = resample(array.to_numpy(), array[array.dims[0]].to_numpy(), frequency, method)
    result = open_result(results)[variable]
    np.testing.assert_array_equal(result[result.dims[0]].to_numpy().astype("datetime64[s]"), labels)
    np.testing.assert_array_equal(result.to_numpy(), values)


def test_daily_means_of_real_era5_land_data(api: httpx.Client, era5_land_dataset: str, era5_land_file: Path) -> None:
    results = run_job(
        api, source_dataset_id=era5_land_dataset, frequency="1D", method="mean", start="2025-02-01", end="2025-02-28"
    )
    array = read_netcdf(era5_land_file, "t2m")
    labels, expected = resample(array.to_numpy(), array["valid_time"].to_numpy(), "1D", "mean")
    result = open_result(results)["t2m"]
    values = result.to_numpy()
    assert values.shape == (28, 31, 31)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(result[result.dims[0]].to_numpy().astype("datetime64[s]"), labels)
    np.testing.assert_array_equal(values, expected)
    daily = np.nanmean(values.astype(np.float64), axis=(1, 2))
    np.testing.assert_allclose(daily[[0, 1, 2, -1]], [301.316716, 300.847326, 300.741613, 301.664823], atol=2e-6)
    np.testing.assert_allclose(values[:3, 15, 15], [302.222588, 302.124349, 302.009318], atol=2e-5)


def test_the_same_request_is_computed_once(api: httpx.Client, synthetic_dataset: str) -> None:
    inputs = {"source_dataset_id": synthetic_dataset, "frequency": "6h", "method": "min", "start": "2000-01-01"}
    first = run_job(api, **inputs)
    second = run_job(api, **{**inputs, "frequency": "6h"})
    assert (first["reused"], second["reused"]) == (False, True)
    assert first["version"] == second["version"]


def test_three_pods_share_a_computation_and_give_the_bytes_of_one(
    installation: Installation, images: Images, api: httpx.Client, climate_jobs: ClimateJobs, objects: ClusterObjects
) -> None:
    # Three chunks along time in the result.
    size = ("--days", "30", "--size", "200")
    installation.bring_in(images, None, dataset_id="synthetic-wide", variable=None, options=size)
    inputs = {
        "source_dataset_id": "synthetic-wide",
        "frequency": "6h",
        "method": "max",
        "start": "2000-01-01",
        "overwrite": True,
    }
    alone = run_job(api, **inputs)
    location = submit(api, {"inputs": inputs, "job": {"parallelism": 3}})
    shared = api.get(f"{location}/results").raise_for_status().json()
    assert shared["version"] != alone["version"]
    assert open_result(shared).equals(open_result(alone))
    status = climate_jobs.get(location.rsplit("/", 1)[-1])["status"]
    progress = status["progress"]
    assert (progress["percent"], progress.get("done")) == (100, progress.get("total"))

    def all_completed() -> bool:
        """The result is reported by one of the pods, while the others may still be about to end."""
        batch = objects.find("Job", status["jobName"], NAMESPACE, version="batch/v1")
        assert batch is not None
        assert batch["spec"]["completionMode"] == "Indexed"
        return batch["status"].get("completedIndexes") == "0-2"

    wait_until(all_completed, "every pod to have completed its share")
