"""Data sets over HTTP: pages, files of the current and of fixed versions, and a real Zarr store read by xarray."""

# pyright: reportUnknownMemberType=false
# xarray leaves many of its own signatures without types.

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import uvicorn
import xarray as xr
from zarr.codecs import ZstdCodec

from climatejobs_api.app import create_app
from climatejobs_api.files import AT_ONCE
from climatejobs_api.settings import Settings
from tests.unit.api.conftest import BASE, open_client, until
from tests.unit.api.manifests import DATASET, write_dataset
from tests.unit.api.memory_jobs import MemoryJobs

ID, VERSION = DATASET["id"], DATASET["version"]
CURRENT = f"/datasets/{ID}/zarr"
FIXED = f"/datasets/{ID}/versions/{VERSION}/zarr"


@pytest.fixture
def store(data: Path) -> Path:
    folder = write_dataset(data)
    (folder / "zarr.json").write_text("{}")
    (folder / "t2m" / "c").mkdir(parents=True)
    (folder / "t2m" / "c" / "0").write_bytes(bytes(range(100)))
    return folder


async def test_data_sets_come_in_pages(client: httpx.AsyncClient, data: Path) -> None:
    assert (await client.get("/datasets")).json()["datasets"] == []
    for name in ("c", "a", "b"):
        write_dataset(data, dataset_id=name)
    (data / "datasets" / "broken").mkdir()
    (data / "datasets" / "linked").symlink_to("a")
    (data / "datasets" / ".hidden").mkdir()
    seen: list[str] = []
    href: str | None = "/datasets?limit=2"
    while href:
        page = (await client.get(href)).json()
        seen += [each["id"] for each in page["datasets"]]
        href = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
    assert seen == ["a", "b", "c"]


async def test_a_data_set_says_what_it_is_and_where(client: httpx.AsyncClient, store: Path) -> None:
    body = (await client.get(f"/datasets/{ID}")).json()
    assert {name: body[name] for name in DATASET} == DATASET
    assert {link["rel"]: link["href"] for link in body["links"]} == {
        "self": f"{BASE}/datasets/{ID}",
        "enclosure": BASE + FIXED,
        "latest-version": BASE + CURRENT,
    }


@pytest.mark.parametrize("dataset_id", ["nothing", "%2e%2e", "A", "a%2fb", "x" * 200])
async def test_data_sets_that_are_not_there(client: httpx.AsyncClient, store: Path, dataset_id: str) -> None:
    for path in (f"/datasets/{dataset_id}", f"/datasets/{dataset_id}/zarr/zarr.json"):
        assert (await client.get(path)).status_code == 404


async def test_a_data_set_that_cannot_be_read_is_told(client: httpx.AsyncClient, data: Path, store: Path) -> None:
    (data / "datasets" / ID / "dataset.json").write_text('{"id": 5}')
    response = await client.get(f"/datasets/{ID}")
    assert response.status_code == 500
    assert response.json()["type"] == "urn:climatejobs:error:unusable-data"
    assert (await client.get("/datasets")).json()["datasets"] == []


async def test_files_of_a_version_never_change(client: httpx.AsyncClient, store: Path) -> None:
    response = await client.get(f"{FIXED}/t2m/c/0")
    assert response.content == bytes(range(100))
    assert "immutable" in response.headers["cache-control"]
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["content-type"] == "application/octet-stream"
    again = await client.get(f"{FIXED}/t2m/c/0", headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == response.headers["etag"]
    assert (await client.get(f"{FIXED}/zarr.json")).headers["content-type"] == "application/json"


async def test_the_current_version_is_found_at_every_request(
    client: httpx.AsyncClient, data: Path, store: Path
) -> None:
    assert (await client.get(f"{CURRENT}/zarr.json")).headers["cache-control"] == "no-cache"
    shutil.rmtree(data / "datasets" / ID)
    (write_dataset(data, version="fedcba9876543210") / "zarr.json").write_text('{"new": true}')
    assert (await client.get(f"{CURRENT}/zarr.json")).json() == {"new": True}
    assert (await client.get(f"{FIXED}/zarr.json")).status_code == 404


async def test_parts_of_a_file(client: httpx.AsyncClient, store: Path) -> None:
    path = f"{FIXED}/t2m/c/0"
    response = await client.get(path, headers={"Range": "bytes=10-19"})
    assert (response.status_code, response.content) == (206, bytes(range(10, 20)))
    assert response.headers["content-range"] == "bytes 10-19/100"
    assert (await client.get(path, headers={"Range": "bytes=-5"})).content == bytes(range(95, 100))
    beyond = await client.get(path, headers={"Range": "bytes=100-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */100")
    etag = response.headers["etag"]
    fresh = await client.get(path, headers={"Range": "bytes=0-1", "If-Range": etag})
    stale = await client.get(path, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    assert (fresh.status_code, stale.status_code) == (206, 200)


async def test_the_head_of_a_file_is_that_of_the_whole(client: httpx.AsyncClient, store: Path) -> None:
    path = f"{FIXED}/t2m/c/0"
    whole = await client.get(path)
    for headers in ({}, {"Range": "bytes=10-19"}, {"Range": "bytes=-5"}, {"Range": "bytes=100-"}):
        head = await client.head(path, headers=headers)
        assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "100")
        assert "content-range" not in head.headers
        for name in ("etag", "cache-control", "accept-ranges", "content-type"):
            assert head.headers[name] == whole.headers[name]
    known = await client.head(path, headers={"If-None-Match": whole.headers["etag"]})
    assert known.status_code == 304


async def test_a_copy_that_is_still_good_is_not_sent_in_parts_either(client: httpx.AsyncClient, store: Path) -> None:
    path = f"{CURRENT}/t2m/c/0"
    etag = (await client.get(path)).headers["etag"]
    known = await client.get(path, headers={"If-None-Match": f'"other", {etag}', "Range": "bytes=0-1"})
    assert (known.status_code, known.content, known.headers["cache-control"]) == (304, b"", "no-cache")


async def test_web_pages_of_other_origins_read_stores(data: Path, jobs: MemoryJobs, store: Path) -> None:
    origin = "https://map.example.org"
    async with open_client(Settings(data=data, cors_origins=[origin]), jobs) as client:
        asked = {
            "Origin": origin,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "range, if-none-match, authorization",
        }
        preflight = await client.options(f"{FIXED}/t2m/c/0", headers=asked)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == origin
        allowed = preflight.headers["access-control-allow-headers"].lower().replace(" ", "").split(",")
        assert {"range", "if-none-match", "authorization"} <= set(allowed)
        part = await client.get(f"{FIXED}/t2m/c/0", headers={"Origin": origin, "Range": "bytes=-5"})
        assert (part.status_code, part.headers["access-control-allow-origin"]) == (206, origin)
        exposed = part.headers["access-control-expose-headers"].lower().replace(" ", "").split(",")
        assert {"etag", "content-range", "accept-ranges"} <= set(exposed)
        # A chunk that was never written is 404, which a page has to be able to see.
        absent = await client.get(f"{FIXED}/t2m/c/1", headers={"Origin": origin})
        assert (absent.status_code, absent.headers["access-control-allow-origin"]) == (404, origin)
        beyond = await client.get(f"{FIXED}/t2m/c/0", headers={"Origin": origin, "Range": "bytes=100-"})
        assert (beyond.status_code, beyond.headers["access-control-allow-origin"]) == (416, origin)
        stranger = {**asked, "Origin": "https://elsewhere.example.org"}
        assert (await client.options(f"{FIXED}/t2m/c/0", headers=stranger)).status_code == 400


async def test_large_files_are_sent_piece_by_piece(client: httpx.AsyncClient, store: Path) -> None:
    content = os.urandom(2 * AT_ONCE + 17)
    (store / "large").write_bytes(content)
    before = len(os.listdir("/proc/self/fd"))
    response = await client.get(f"{FIXED}/large")
    assert response.content == content
    assert response.headers["content-length"] == str(len(content))
    part = await client.get(f"{FIXED}/large", headers={"Range": f"bytes=1-{AT_ONCE + 5}"})
    assert part.content == content[1 : AT_ONCE + 6]
    head = await client.head(f"{FIXED}/large")
    assert (head.content, head.headers["content-length"]) == (b"", str(len(content)))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    "path",
    [
        "/t2m/c/1",
        "/%2e%2e/%2e%2e/dataset.json",
        "/t2m//c/0",
        "/zarr.json/x",
        "/%00",
        "/link",
        "/folder/zarr.json",
        "/folder/",
        "/none/",
    ],
)
async def test_nothing_outside_the_version_is_served(client: httpx.AsyncClient, store: Path, path: str) -> None:
    (store / "link").symlink_to("zarr.json")
    (store / "folder").symlink_to(store)
    for base in (FIXED, CURRENT):
        response = await client.get(f"{base}{path}")
        assert response.status_code == 404, response.text


async def test_tables_lie_beside_their_version(client: httpx.AsyncClient, store: Path) -> None:
    (store.parent / f"{VERSION}.csv").write_text("time,zone\n")
    (store.parent / f"{VERSION}.parquet").write_bytes(b"PAR1")
    base = f"/datasets/{ID}/versions/{VERSION}/table"
    csv = await client.get(f"{base}.csv")
    assert (csv.text, csv.headers["content-type"]) == ("time,zone\n", "text/csv; charset=utf-8")
    assert "immutable" in csv.headers["cache-control"]
    parquet = await client.get(f"{base}.parquet", headers={"Range": "bytes=-2"})
    assert (parquet.status_code, parquet.content) == (206, b"R1")
    assert parquet.headers["content-type"] == "application/vnd.apache.parquet"
    for path in (f"/datasets/{ID}/versions/0123456789abcde0/table.csv", f"/datasets/{ID}/versions/%2e%2e/table.csv"):
        assert (await client.get(path)).status_code == 404
    assert (await client.get(f"{base}.xlsx")).status_code in (400, 404)


@pytest.mark.parametrize("version", ["%2e%2e", "short", ".staging-a-b", "0123456789ABCDEF", "0123456789abcde0"])
async def test_only_published_versions_are_served(client: httpx.AsyncClient, store: Path, version: str) -> None:
    staging = store.parent / ".staging-a-b"
    staging.mkdir()
    (staging / "zarr.json").write_text("{}")
    response = await client.get(f"/datasets/{ID}/versions/{version}/zarr/zarr.json")
    assert response.status_code == 404


async def test_a_folder_lists_what_it_holds(client: httpx.AsyncClient, store: Path) -> None:
    page = await client.get(f"{FIXED}/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert '<a href="t2m/">' in page.text
    assert '<a href="zarr.json">' in page.text
    for path, target in ((FIXED, "zarr/"), (f"{FIXED}/t2m", "t2m/")):
        response = await client.get(path)
        assert (response.status_code, response.headers["location"]) == (308, target)


@pytest.fixture
async def server(settings: Settings, jobs: MemoryJobs) -> AsyncIterator[str]:
    """The application behind a real server, for clients that bring their own HTTP."""
    config = uvicorn.Config(create_app(settings, jobs), host="127.0.0.1", port=0, log_config=None, ws="none")
    serving = uvicorn.Server(config)
    task = asyncio.create_task(serving.serve())
    await until(lambda: serving.started)
    yield f"http://127.0.0.1:{serving.servers[0].sockets[0].getsockname()[1]}"
    serving.should_exit = True
    await task


@pytest.mark.parametrize(
    "path",
    [
        f"{FIXED}/../../dataset.json",
        f"{FIXED}/t2m/../zarr.json",
        f"{FIXED}/./zarr.json",
        f"{CURRENT}/../../{ID}/dataset.json",
        f"/datasets/{ID}/versions/../zarr/zarr.json",
        "/datasets/../datasets",
        "//datasets",
    ],
)
async def test_paths_are_taken_as_they_come(server: str, store: Path, path: str) -> None:
    """Most clients tidy paths up before they send them, so this one does not."""

    def status() -> int:
        connection = http.client.HTTPConnection(server.removeprefix("http://"))
        connection.request("GET", path)
        with contextlib.closing(connection):
            return connection.getresponse().status

    assert await asyncio.to_thread(status) == 404


@pytest.mark.parametrize("consolidated", [True, False])
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
async def test_xarray_opens_a_store_by_its_address(
    server: str, data: Path, zarr_format: int, consolidated: bool
) -> None:
    folder = write_dataset(data)
    values = np.arange(24, dtype="float32").reshape(6, 2, 2)
    values[2:4] = np.nan
    written = xr.Dataset(
        {"t2m": (("time", "lat", "lon"), values, {"units": "K"})},
        coords={"time": xr.date_range("2025-02-01", periods=6), "lat": [1.0, 0.0], "lon": [0.0, 1.0]},
    )
    written.to_zarr(
        folder,
        zarr_format=zarr_format,
        consolidated=consolidated,
        encoding={"t2m": {"chunks": (2, 2, 2), "_FillValue": np.float32("nan")}},
    )
    # The middle chunk holds nothing but the fill value, so it was never written.
    assert len([path for path in folder.glob("t2m/**/*") if path.is_file() and "json" not in path.name]) >= 2

    def read(address: str) -> xr.Dataset:
        with xr.open_zarr(address, consolidated=None if consolidated else False) as opened:
            return opened.load()

    for address in (server + FIXED, server + CURRENT):
        xr.testing.assert_identical(await asyncio.to_thread(read, address), written)


READ_WITH_GDAL = """
import json, sys, rasterio
with rasterio.open(f'ZARR:"/vsicurl/{sys.argv[1]}":/t2m') as opened:
    print(json.dumps([opened.read().tolist(), opened.transform.to_gdal()]))
"""


async def test_gdal_reads_an_array_by_its_address(server: str, data: Path) -> None:
    values = np.arange(24, dtype="float32").reshape(6, 2, 2)
    xr.Dataset(
        {"t2m": (("time", "lat", "lon"), values)},
        coords={
            "lat": ("lat", [10.0, 9.75], {"units": "degrees_north", "standard_name": "latitude"}),
            "lon": ("lon", [-13.0, -12.75], {"units": "degrees_east", "standard_name": "longitude"}),
        },
    ).to_zarr(
        write_dataset(data),
        zarr_format=3,
        consolidated=False,
        encoding={"t2m": {"chunks": (2, 2, 2), "compressors": ZstdCodec(level=1, checksum=True)}},
    )
    # A process of its own: GDAL keeps this one, with the server in it, from running while it waits for an answer.
    reader = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", "-c", READ_WITH_GDAL, server + FIXED, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(reader.communicate(), 60)
    longitudes, latitudes = [-13.125, 0.25, 0.0], [10.125, 0.0, -0.25]  # outer edge of the first cell, size of a cell
    assert json.loads(output) == [values.tolist(), [*longitudes, *latitudes]]
