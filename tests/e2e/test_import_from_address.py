"""A pod brings in what a web server in another pod has: a file, and a part of a Zarr store."""

import json
from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from climatejobs_demo.installation import Images, Installation
from tests.cluster_objects import Manifest
from tests.e2e.test_resample import open_result, run_job

pytestmark = pytest.mark.e2e
SITE = "site"
# Values that are other ones in each cell and step, and that 32 bits hold exactly.
VALUES = np.arange(72 * 4 * 5, dtype=np.float32).reshape(72, 4, 5)
# Python's own server knows neither parts of files nor tags: the poorest there is.
PROGRAM = """
import functools, http.server
import numpy as np, xarray as xr

values = np.arange(72 * 4 * 5, dtype=np.float32).reshape(72, 4, 5)
time = ("time", np.arange(72), {"units": "hours since 2025-02-01", "calendar": "standard"})
places = {"latitude": np.array([9.0, 8, 7, 6]), "longitude": np.array([-14.0, -13, -12, -11, -10])}
names = ("time", "latitude", "longitude")
data = xr.Dataset({"t2m": (names, values, {"units": "K"})}, {"time": time, **places})
data.to_netcdf("/tmp/t2m.nc", engine="h5netcdf")
data.to_zarr("/tmp/t2m.zarr", encoding={"t2m": {"chunks": (24, 2, 5)}})
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory="/tmp")
http.server.ThreadingHTTPServer(("", 8000), handler).serve_forever()
"""


def site_manifests(image: str) -> list[Manifest]:
    """A pod that serves the data, and a name for it."""
    container = {
        "name": SITE,
        "image": image,
        "command": ["python", "-c", PROGRAM],
        "readinessProbe": {"httpGet": {"path": "/t2m.zarr/zarr.json", "port": 8000}, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "securityContext": security,
        "containers": [container],
    }
    labels = {"app": SITE}
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": SITE, "labels": labels}, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": SITE},
            "spec": {"selector": labels, "ports": [{"port": 8000}]},
        },
    ]


@pytest.fixture(scope="module")
def site(installation: Installation, images: Images) -> Iterator[str]:
    """Address of the web server, as pods know it."""
    manifests = {"apiVersion": "v1", "kind": "List", "items": site_manifests(images.references["runner"])}
    installation.kubectl("apply", "--filename", "-", stdin=json.dumps(manifests))
    try:
        installation.kubectl("wait", "--for=condition=Ready", f"pod/{SITE}", "--timeout=120s")
        yield f"http://{SITE}:8000"
    finally:
        installation.kubectl("delete", f"pod/{SITE}", f"service/{SITE}", "--wait")


def daily_means(values: np.ndarray) -> np.ndarray:
    """Means of three days, as they are stored."""
    return values.astype(np.float64).reshape(3, 24, *values.shape[1:]).mean(axis=1).astype(np.float32)


def test_a_file_is_fetched_by_a_pod_and_computed_on(
    installation: Installation, images: Images, api: httpx.Client, site: str
) -> None:
    installation.bring_in(images, f"{site}/t2m.nc", dataset_id="fetched-file", variable="t2m")
    described = api.get("/datasets/fetched-file").raise_for_status().json()
    assert described["provenance"]["source"]["url"] == f"{site}/t2m.nc"
    results = run_job(api, source_dataset_id="fetched-file", frequency="1D", method="mean", start="2025-02-01")
    np.testing.assert_array_equal(open_result(results)["t2m"].to_numpy(), daily_means(VALUES))


def test_a_part_of_a_store_is_read_by_a_pod_where_it_is(
    installation: Installation, images: Images, api: httpx.Client, site: str
) -> None:
    box = ("--bbox", "-13.5", "6.5", "-10.5", "8.5")
    said = installation.bring_in(images, f"{site}/t2m.zarr", dataset_id="read-store", variable="t2m", options=box)
    assert not json.loads(said.removeprefix("dataset: "))["reused"]
    results = run_job(api, source_dataset_id="read-store", frequency="1D", method="mean", start="2025-02-01")
    np.testing.assert_array_equal(open_result(results)["t2m"].to_numpy(), daily_means(VALUES[:, 1:3, 1:4]))
    again = installation.bring_in(images, f"{site}/t2m.zarr", dataset_id="read-store", variable="t2m", options=box)
    assert json.loads(again.removeprefix("dataset: "))["reused"]
