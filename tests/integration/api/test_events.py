"""Server-sent events from the real program over TCP, fed by a real API server."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

import httpx
import pytest

from climatejobs import names
from tests.cluster_objects import ClimateJobs, ClusterObjects, wait_until
from tests.integration.api.conftest import Replica, StartReplica
from tests.integration.conftest import ControlPlane

pytestmark = pytest.mark.integration
LISTENERS = 100


@pytest.fixture
def objects(control_plane: ControlPlane) -> ClusterObjects:
    return control_plane.objects


def set_status(objects: ClusterObjects, jobs: ClimateJobs, name: str, **status: Any) -> None:
    manifest = jobs.get(name)
    manifest["status"] = {**manifest.get("status", {}), **status}
    objects.replace_status(manifest)


def listen(url: str, name: str, last_id: str | None = None) -> list[dict[str, Any]]:
    """All events until the stream ends, each with its id."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    text = httpx.get(f"{url}/jobs/{name}/events", headers=headers, timeout=30).text
    blocks = [dict(line.split(": ", 1) for line in block.splitlines() if line) for block in text.split("\n\n")]
    return [{"version": block["id"], **json.loads(block["data"])} for block in blocks if "data" in block]


class Listener:
    """One connection on which events arrive."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, url: str, name: str) -> Self:
        """Connect, and return once the first event is there."""
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET /jobs/{name}/events HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        await asyncio.wait_for(reader.readuntil(b"event: status"), 10)
        return cls(reader, writer)

    async def read_to_end(self) -> str:
        """Everything until the server closes."""
        return (await asyncio.wait_for(self._reader.read(), 20)).decode()

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


@asynccontextmanager
async def listeners(url: str, name: str) -> AsyncGenerator[list[Listener]]:
    connected = [await Listener.connect(url, name) for _ in range(LISTENERS)]
    try:
        yield connected
    finally:
        for listener in connected:
            await listener.close()


async def test_many_listeners_see_the_same_end_and_those_who_hang_up_leave_nothing(
    api: Replica, objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    name = await asyncio.to_thread(api.submit)
    before = api.open_files
    async with listeners(api.url, name):
        assert api.open_files >= before + LISTENERS
    await asyncio.to_thread(wait_until, lambda: api.open_files <= before + 2, "hung-up connections to go", 10)
    async with listeners(api.url, name) as connected:
        await asyncio.to_thread(set_status, objects, climate_jobs, name, phase="Running", startedAt=moment())
        await asyncio.to_thread(set_status, objects, climate_jobs, name, phase="Succeeded", results={"message": ""})
        texts = [await listener.read_to_end() for listener in connected]
    assert all(text.count('"status":"successful"') == 1 for text in texts)
    assert all(text.endswith("0\r\n\r\n") for text in texts), "complete answers"


def test_a_listener_goes_on_at_another_replica(
    start: StartReplica, objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    with start(stream_seconds=0.1) as one, start() as two:
        name = one.submit()
        (first,) = listen(one.url, name)
        assert first["status"] == "accepted"
        set_status(objects, climate_jobs, name, phase="Failed", message="no data")
        (last,) = listen(two.url, name, first["version"])
        assert (last["status"], last["message"]) == ("failed", "no data")
        ended = httpx.get(f"{two.url}/jobs/{name}/events", headers={"Last-Event-ID": last["version"]}, timeout=30)
        assert ended.status_code == 204


async def test_listeners_do_not_keep_the_program_from_stopping(start: StartReplica) -> None:
    with start() as replica:
        name = await asyncio.to_thread(replica.submit)
        async with listeners(replica.url, name) as connected:
            begun = time.monotonic()
            assert await asyncio.to_thread(replica.stop) == 0
            assert time.monotonic() - begun < 8
            texts = [await listener.read_to_end() for listener in connected]
        assert all(text.endswith("0\r\n\r\n") for text in texts), "complete answers"
        assert "Cancel" not in replica.log.read_text()


def test_a_job_that_is_deleted_ends_its_streams(
    api: Replica, objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    climate_jobs.create("short-lived")
    wait_until(lambda: "short-lived" in api.ids(), "the job to be listed")
    with httpx.stream("GET", f"{api.url}/jobs/short-lived/events", timeout=30) as stream:
        objects.delete(names.KIND, "short-lived", climate_jobs.namespace, version=names.API_VERSION)
        text = stream.read().decode()
    assert text.count("event: status") == 2
    assert "has been removed" in text


def test_a_log_without_a_pod_is_not_there_yet(api: Replica, objects: ClusterObjects, climate_jobs: ClimateJobs) -> None:
    name = api.submit()
    assert api.http.get(f"/jobs/{name}/logs").json()["type"] == "urn:climatejobs:error:log-not-ready"
    set_status(objects, climate_jobs, name, phase="Failed", message="no data", logTail="the end\n")
    wait_until(lambda: api.http.get(f"/jobs/{name}/logs").text == "the end\n", "the kept log", 10)


def moment() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
