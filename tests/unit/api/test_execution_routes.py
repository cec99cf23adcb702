"""Execution over HTTP: when a request is answered, with what, and what is refused."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from climatejobs.datasets import Dataset
from climatejobs_api.datasets import read_dataset
from climatejobs_api.files import DataRoot
from climatejobs_api.settings import Settings
from tests.unit.api.conftest import BASE, open_client, until
from tests.unit.api.manifests import DATASET, write_dataset
from tests.unit.api.memory_jobs import MemoryJobs
from tests.unit.api.requests import ASYNC, ECHO, problem, submit


@pytest.mark.parametrize(("strict", "status"), [(False, 202), (True, 201)])
async def test_an_asynchronous_request_is_answered_at_once(
    data: Path, jobs: MemoryJobs, strict: bool, status: int
) -> None:
    async with open_client(Settings(data=data, strict=strict), jobs) as client:
        response = await client.post("/processes/echo/execution", json=ECHO, headers={"Prefer": "Respond-Async "})
    assert response.status_code == status
    assert response.headers["preference-applied"] == "respond-async"
    body = response.json()
    assert response.headers["location"] == f"{BASE}/jobs/{body['jobID']}"
    assert (body["status"], body["type"], body["processID"]) == ("accepted", "process", "echo")


async def test_a_job_is_there_as_soon_as_it_was_answered(client: httpx.AsyncClient) -> None:
    for _ in range(5):
        job_id = await submit(client)
        assert (await client.get(f"/jobs/{job_id}")).status_code == 200
        assert (await client.get("/jobs?limit=1")).json()["jobs"][0]["jobID"] == job_id


async def test_what_was_submitted_is_what_is_kept(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    inputs = {"message": "é", "numbers": None, "pause": 3}
    response = await client.post(
        "/processes/echo/execution", json={"inputs": inputs}, headers={**ASYNC, "X-Request-ID": "my-request"}
    )
    manifest = jobs.manifest(response.json()["jobID"])
    assert manifest["spec"]["inputs"] == inputs
    assert manifest["metadata"]["labels"] == {"climatejobs.io/process": "echo"}
    assert manifest["metadata"]["annotations"]["climatejobs.io/request-id"] == "my-request"
    submitted = manifest["metadata"]["annotations"]["climatejobs.io/submitted-at"]
    assert submitted == response.json()["created"]
    assert len(submitted) == len("2025-01-01T00:00:00.000000Z")


async def when_submitted(jobs: MemoryJobs) -> str:
    await until(jobs.names)
    return jobs.names()[0]


@pytest.mark.parametrize("prefer", [None, "wait=5", "respond-async, wait=5", "respond-sync"])
async def test_a_synchronous_request_gets_the_results(
    client: httpx.AsyncClient, jobs: MemoryJobs, prefer: str | None
) -> None:
    headers = {"Prefer": prefer} if prefer else {}
    request = asyncio.create_task(client.post("/processes/echo/execution", json=ECHO, headers=headers))
    name = await when_submitted(jobs)
    jobs.change(name, phase="Running")
    jobs.succeed(name, message="hello")
    response = await request
    assert response.status_code == 200
    assert response.json() == {"message": "hello"}
    assert response.headers["link"] == f'<{BASE}/jobs/{name}>; rel="monitor"'
    assert response.headers.get("preference-applied") == ("wait=5" if prefer and "wait" in prefer else None)


@pytest.mark.parametrize(("slug", "status"), [("no-data", 400), ("out-of-memory", 500)])
async def test_a_synchronous_request_is_told_of_the_failure(
    client: httpx.AsyncClient, jobs: MemoryJobs, slug: str, status: int
) -> None:
    request = asyncio.create_task(client.post("/processes/echo/execution", json=ECHO))
    name = await when_submitted(jobs)
    jobs.fail(name, type_=f"urn:climatejobs:error:{slug}")
    response = await request
    body = problem(response, status)
    assert response.headers["link"] == f'<{BASE}/jobs/{name}>; rel="monitor"'
    assert (body["type"], body["hint"]) == (f"urn:climatejobs:error:{slug}", "Choose another start.")
    assert problem(await client.get(f"/jobs/{name}/results"), status)["type"] == body["type"]


@pytest.mark.parametrize("prefer", ["wait=0", "respond-async, wait=0"])
async def test_a_job_that_takes_longer_is_answered_with_its_state(client: httpx.AsyncClient, prefer: str) -> None:
    response = await client.post("/processes/echo/execution", json=ECHO, headers={"Prefer": prefer})
    assert response.status_code == 202
    assert response.headers["location"]


async def test_waiting_ends_when_the_server_stops(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    request = asyncio.create_task(client.post("/processes/echo/execution", json=ECHO))
    await when_submitted(jobs)
    jobs.stop_waiting()
    assert (await asyncio.wait_for(request, 2)).status_code == 202


async def test_a_job_dismissed_while_waited_for_is_answered_with_its_state(
    client: httpx.AsyncClient, jobs: MemoryJobs
) -> None:
    request = asyncio.create_task(client.post("/processes/echo/execution", json=ECHO))
    jobs.change(await when_submitted(jobs), phase="Cancelled")
    response = await request
    assert (response.status_code, response.json()["status"]) == (202, "dismissed")


async def test_a_job_removed_while_waited_for_is_no_longer_there(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    request = asyncio.create_task(client.post("/processes/echo/execution", json=ECHO))
    name = await when_submitted(jobs)
    jobs.cache.drop(name, f"uid-{name}")
    assert (await asyncio.wait_for(request, 2)).status_code == 202


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"inputs": {}}, "/inputs/message"),
        ({"inputs": {"message": "x", "pause": -1}}, "/inputs/pause"),
        ({"message": "x", "colour": "red"}, "/colour"),
        ({"inputs": {"message": "x"}, "job": {"maxAttempts": 11}}, "/job/maxAttempts"),
        ({"inputs": {"message": "x"}, "outputs": {"nothing": {}}}, "/outputs/nothing"),
    ],
)
async def test_bad_input_is_explained_and_makes_nothing(
    client: httpx.AsyncClient, jobs: MemoryJobs, body: dict[str, Any], pointer: str
) -> None:
    answer = problem(await client.post("/processes/echo/execution", json=body), 400)
    assert answer["errors"][0]["pointer"] == pointer
    assert answer["errors"][0]["detail"]
    assert jobs.names() == []


async def test_strict_mode_explains_in_plain_json(data: Path, jobs: MemoryJobs) -> None:
    async with open_client(Settings(data=data, strict=True), jobs) as client:
        response = await client.post("/processes/echo/execution", json={})
    assert (response.status_code, response.headers["content-type"]) == (400, "application/json")


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", {}, 400),
        (b'{"message": "a", "message": "b"}', {}, 400),
        (b"[1]", {}, 400),
        (b"", {}, 400),
        (b"x" * 300_000, {}, 413),
        (b"message=x", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b"<a/>", {"Content-Type": "text/xml"}, 415),
        (gzip.compress(b'{"message": "x"}'), {"Content-Encoding": "gzip"}, 415),
        (b'{"message": "x"}', {"Content-Encoding": "br"}, 415),
    ],
)
async def test_bodies_that_are_none(
    client: httpx.AsyncClient, content: bytes, headers: dict[str, str], status: int
) -> None:
    headers = {"Content-Type": "application/json", **headers}
    problem(await client.post("/processes/echo/execution", content=content, headers=headers), status)


async def test_a_body_of_unknown_length_is_limited_too(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b'{"message": "' + b"x" * 65536

    problem(await client.post("/processes/echo/execution", content=endless()), 413)


async def test_a_request_sent_again_makes_no_second_job(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    headers = {**ASYNC, "Idempotency-Key": "mine"}
    first, again, reordered = [
        await client.post("/processes/echo/execution", json=body, headers=headers)
        for body in ({"message": "a", "pause": 1}, {"message": "a", "pause": 1}, {"pause": 1, "message": "a"})
    ]
    assert first.status_code == again.status_code == reordered.status_code == 202
    assert first.json()["jobID"] == again.json()["jobID"] == reordered.json()["jobID"]
    assert len(jobs.names()) == 1


@pytest.mark.parametrize(("process", "body"), [("echo", {"message": "b"}), ("resample", None)])
async def test_another_request_under_the_same_key_is_refused(
    client: httpx.AsyncClient, jobs: MemoryJobs, process: str, body: dict[str, Any] | None
) -> None:
    headers = {**ASYNC, "Idempotency-Key": '"mine"'}
    await client.post("/processes/echo/execution", json=ECHO, headers=headers)
    other = body or {"source_dataset_id": "a", "frequency": "1D", "method": "mean", "start": "2025-01-01"}
    response = await client.post(f"/processes/{process}/execution", json=other, headers=headers)
    assert problem(response, 409)["type"] == "urn:climatejobs:error:idempotency-key-reused"
    assert len(jobs.names()) == 1


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
async def test_keys_that_are_none_are_refused(client: httpx.AsyncClient, jobs: MemoryJobs, key: str) -> None:
    headers = {**ASYNC, "Idempotency-Key": key}
    body = problem(await client.post("/processes/echo/execution", json=ECHO, headers=headers), 400)
    assert "must be 1 to 255 printable characters" in body["detail"]
    assert jobs.names() == []


async def test_jobs_that_come_together_are_sized_by_one_look_at_their_data(
    client: httpx.AsyncClient, data: Path, jobs: MemoryJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dataset(data)
    looks: list[str] = []

    def look(root: DataRoot, dataset_id: str) -> Dataset:
        looks.append(dataset_id)
        return read_dataset(root, dataset_id)

    monkeypatch.setattr("climatejobs_api.routers.processes.read_dataset", look)
    inputs = {"source_dataset_id": DATASET["id"], "frequency": "D", "method": "mean", "start": "2025-02-01"}
    names = await asyncio.gather(*(submit(client, "resample", inputs=inputs) for _ in range(10)))
    assert looks == [DATASET["id"]]
    made = [await jobs.find(name) for name in names]
    assert all(job is not None and job.spec.resources is not None for job in made)


async def test_a_subscriber_is_kept_with_the_address_that_links_will_begin_with(
    client: httpx.AsyncClient, jobs: MemoryJobs
) -> None:
    subscriber = {"successUri": "https://hook.example.org/a?b=c", "failedUri": "https://hook.example.org/"}
    name = await submit(client, inputs={"message": "hello"}, subscriber=subscriber)
    assert jobs.manifest(name)["spec"]["subscriber"] == subscriber
    assert jobs.manifest(name)["metadata"]["annotations"]["climatejobs.io/base-url"] == BASE
    assert "climatejobs.io/base-url" not in jobs.manifest(await submit(client))["metadata"]["annotations"]


@pytest.mark.parametrize(
    "url", ["ftp://hook.example.org/", "http://10.0.0.1/", "http://me:secret@hook.example.org/", "https://[::1]/"]
)
async def test_a_subscriber_at_an_address_that_is_never_called_is_refused(
    client: httpx.AsyncClient, jobs: MemoryJobs, url: str
) -> None:
    body = {**ECHO, "subscriber": {"successUri": "https://hook.example.org/", "failedUri": url}}
    answer = problem(await client.post("/processes/echo/execution", json=body), 400)
    assert [error["pointer"] for error in answer["errors"]] == ["/subscriber/failedUri"]
    assert jobs.names() == []
