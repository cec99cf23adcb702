"""A data root in a bucket of a real object store: computed there by the runner, and served from there by the API."""

import asyncio
import json
import os
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath

import httpx
import numpy as np
import pytest
import uvicorn
from obstore.exceptions import AlreadyExistsError

from climatejobs import datasets
from climatejobs_api.app import create_app
from climatejobs_api.settings import Settings
from climatejobs_runner.buckets import BucketStorage
from tests.integration.runner.conftest import Json, Runner, contents, open_zarr, weather, write_netcdf
from tests.object_store import BUCKET
from tests.unit.api.memory_jobs import MemoryJobs

HOURS = np.arange(24 * 40)
DEADLINE_SECONDS = 10
OBSTACLE = PurePosixPath("datasets/somewhere")


@pytest.fixture
def source(bucket_runner: Runner, tmp_path: Path) -> Json:
    return bucket_runner.bring(write_netcdf(tmp_path / "t2m.nc", weather(len(HOURS), 6), HOURS), "source").dataset


@pytest.fixture
async def api(bucket_runner: Runner) -> AsyncIterator[str]:
    """A server over the bucket; gives its address."""
    assert bucket_runner.address is not None
    settings = Settings.model_validate({"data": bucket_runner.address})
    config = uvicorn.Config(create_app(settings, MemoryJobs()), host="127.0.0.1", port=0, log_config=None, ws="none")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)  # between two looks
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await task


@pytest.mark.usefixtures("source")
def test_it_holds_what_a_folder_would(bucket_runner: Runner, runner: Runner, tmp_path: Path) -> None:
    runner.bring(tmp_path / "t2m.nc", "source")
    there, here = (each.resample("source", "1D").dataset for each in (bucket_runner, runner))
    assert there == here
    assert contents(bucket_runner.store(there)) == contents(runner.store(here))
    assert bucket_runner.pointer(there["id"]) == runner.pointer(here["id"])
    assert bucket_runner.resample("source", "1D").dataset == {**there, "reused": True}


@pytest.mark.usefixtures("source")
def test_nothing_is_left_under_construction(bucket_runner: Runner) -> None:
    bucket_runner.resample("source", "1D")
    assert [path for path in bucket_runner.data.rglob("*") if path.is_file() and ".staging-" in str(path)] == []


@pytest.mark.usefixtures("source")
def test_what_a_killed_publisher_left_is_not_there_and_goes_with_time(bucket_runner: Runner) -> None:
    made = bucket_runner.resample("source", "1D").dataset
    versions = bucket_runner.data / "datasets" / made["id"] / "versions"
    abandoned = "0123456789abcdef"
    shutil.copytree(bucket_runner.store(made), versions / f"{abandoned}.zarr")
    staging = versions / ".staging-job-pod"
    staging.mkdir()
    (staging / "publishing").write_text(abandoned)
    heartbeat = staging / "heartbeat"
    heartbeat.touch()
    moment = time.time() - datasets.ABANDONED_SECONDS - 60
    os.utime(heartbeat, (moment, moment))
    bucket_runner.resample("source", "1D", overwrite=True)
    assert [path for path in versions.rglob("*") if abandoned in str(path) and path.is_file()] == []
    assert bucket_runner.store(made).is_dir()


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, 65, "may not be read"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, 75, "cannot be read"),
    ],
)
def test_what_is_wrong_with_the_store_is_told(
    bucket_runner: Runner, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], status: int, words: str
) -> None:
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    answer = bucket_runner.resample("source", "1D")
    assert answer.status == status
    assert f"the bucket {BUCKET} {words}" in answer.error["detail"]
    assert answer.error["hint"]


class TestAWriteThatIsInAnothersWay:
    """The store answers 409, as it does here where the name of an object is to become the prefix of another."""

    @pytest.fixture
    def storage(self, bucket_runner: Runner) -> BucketStorage:
        assert bucket_runner.address is not None
        storage = BucketStorage(bucket_runner.address.removeprefix("s3://"))
        storage.replace(OBSTACLE, b"in the way", "")
        return storage

    @pytest.fixture
    def pauses(self, storage: BucketStorage, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """What was waited; the obstacle is gone after the second time."""
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 2:
                storage.remove(OBSTACLE)

        monkeypatch.setattr(time, "sleep", sleep)
        return pauses

    def test_is_tried_again(self, storage: BucketStorage, pauses: list[float]) -> None:
        storage.replace(OBSTACLE / "object", b"content", "")
        assert storage.read(OBSTACLE / "object") == b"content"
        assert len(pauses) == 2
        assert pauses[0] < pauses[1]

    def test_is_not_taken_for_an_object_that_is_there(self, storage: BucketStorage, pauses: list[float]) -> None:
        assert storage.create(OBSTACLE / "object", b"one", "")
        assert len(pauses) == 2
        assert not storage.create(OBSTACLE / "object", b"other", "")
        assert storage.read(OBSTACLE / "object") == b"one"
        assert len(pauses) == 2, "that there is one is told at once"

    def test_fails_where_it_stays_so(self, storage: BucketStorage, monkeypatch: pytest.MonkeyPatch) -> None:
        pauses: list[float] = []
        monkeypatch.setattr(time, "sleep", pauses.append)
        with pytest.raises(AlreadyExistsError):
            storage.touch(OBSTACLE / "object")
        assert 1 < sum(pauses) < 10


def test_a_bucket_that_is_not_there_is_told(bucket_runner: Runner, tmp_path: Path) -> None:
    elsewhere = Runner(tmp_path, bucket_runner.environment, "s3://nowhere", tmp_path)
    answer = elsewhere.resample("source", "1D")
    assert (answer.status, answer.error["detail"]) == (65, "there is no bucket nowhere")


async def test_the_api_serves_it(bucket_runner: Runner, source: Json, api: str) -> None:
    made = (await asyncio.to_thread(bucket_runner.resample, "source", "1D")).dataset
    async with httpx.AsyncClient(base_url=api) as client:
        listed = (await client.get("/datasets")).json()["datasets"]
        assert [each["id"] for each in listed] == ["source", "source_1d_mean"]
        page = (await client.get(f"/datasets/{made['id']}")).json()
        assert page["version"] == made["version"]
        file = f"/datasets/{made['id']}/versions/{made['version']}/zarr/zarr.json"
        whole = await client.get(file)
        assert whole.status_code == 200
        assert whole.content == (bucket_runner.store(made) / "zarr.json").read_bytes()
        part = await client.get(file, headers={"Range": "bytes=5-9"})
        assert (part.status_code, part.content) == (206, whole.content[5:10])
        unchanged = await client.get(file, headers={"If-None-Match": whole.headers["ETag"]})
        assert unchanged.status_code == 304
        assert (await client.head(file)).headers["Content-Length"] == str(len(whole.content))
        assert (await client.get(f"{file}.nothing")).status_code == 404
        assert (await client.get("/datasets/nothing")).status_code == 404
        folder = await client.get(file.removesuffix("zarr.json"))
        assert '<a href="t2m/">' in folder.text
    expected = bucket_runner.open(made)
    for address in (f"{api}/datasets/{made['id']}/zarr", f"{api}{file.removesuffix('/zarr.json')}"):
        assert (await asyncio.to_thread(open_zarr, address)).equals(expected)
    assert source["id"] == "source"


async def test_parts_and_areas_are_what_they_are_in_a_folder(
    bucket_runner: Runner, runner: Runner, source: Json, api: str, tmp_path: Path
) -> None:
    runner.bring(tmp_path / "t2m.nc", "source")
    ring = [[-12.25, 5.1], [-9.1, 5.1], [-9.1, 8.5], [-12.25, 5.1]]
    (tmp_path / "zones.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    asked: dict[str, Json] = {"subset": {"bbox": [-12, 5.5, -9.5, 9]}, "zonal_stats": {"zones_id": "triangle"}}
    for each in (bucket_runner, runner):
        each("import-zones", tmp_path / "zones.geojson", "--id", "triangle")
    for process, inputs in asked.items():
        (tmp_path / "asked.json").write_text(json.dumps({"source_dataset_id": source["id"], **inputs}))
        arguments = ("run", "--process", process, "--inputs", tmp_path / "asked.json")
        there = (await asyncio.to_thread(bucket_runner, *arguments)).document["outputs"]
        here = (await asyncio.to_thread(runner, *arguments)).document["outputs"]
        assert there == here
        made = here["dataset"]
        assert contents(bucket_runner.store(made)) == contents(runner.store(made))
        if "table" in here:
            async with httpx.AsyncClient(base_url=api) as client:
                for suffix in ("parquet", "csv"):
                    answer = await client.get(f"/datasets/{made['id']}/versions/{made['version']}/table.{suffix}")
                    assert answer.content == (runner.data / here["table"][suffix]).read_bytes()


async def test_a_version_that_is_not_published_is_not_served(bucket_runner: Runner, source: Json, api: str) -> None:
    marker = bucket_runner.store(source).with_name(f"{source['version']}.zarr.published")
    marker.unlink()
    async with httpx.AsyncClient(base_url=api) as client:
        assert (await client.get(f"/datasets/source/versions/{source['version']}/zarr/zarr.json")).status_code == 404


async def test_a_large_object_is_streamed(bucket_runner: Runner, source: Json, api: str) -> None:
    large = bucket_runner.store(source) / "large"
    content = np.random.default_rng(1).bytes(5 * 1024 * 1024 + 17)
    large.write_bytes(content)
    async with httpx.AsyncClient(base_url=api) as client:
        answer = await client.get(f"/datasets/source/versions/{source['version']}/zarr/large")
        assert answer.content == content
        tail = await client.get(
            f"/datasets/source/versions/{source['version']}/zarr/large", headers={"Range": "bytes=100-3000099"}
        )
        assert tail.content == content[100:3000100]
