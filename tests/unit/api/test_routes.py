"""Every route over HTTP: status codes, headers and bodies as a client sees them."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from climatejobs_api.problems import EXCEPTIONS
from climatejobs_api.settings import Settings
from climatejobs_api.store import JobStore, StoreAway
from tests.unit.api.conftest import BASE, open_client, until
from tests.unit.api.manifests import OUTPUT
from tests.unit.api.memory_jobs import MemoryJobs

ECHO = {"inputs": {"message": "hello"}}
ASYNC = {"Prefer": "respond-async"}
PATHS = (
    "/",
    "/conformance",
    "/openapi.json",
    "/processes",
    "/processes/echo",
    "/jobs",
    "/datasets",
    "/livez",
    "/readyz",
)


def test_the_store_in_memory_is_a_store(jobs: MemoryJobs) -> None:
    store: JobStore = jobs
    assert store.synced


async def submit(client: httpx.AsyncClient, process: str = "echo", **body: Any) -> str:
    response = await client.post(f"/processes/{process}/execution", json=body or ECHO, headers=ASYNC)
    assert response.status_code == 202, response.text
    return response.json()["jobID"]


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert {"type", "title", "detail", "instance"} <= body.keys()
    assert "Traceback" not in response.text
    return body


def hrefs(text: str) -> list[str]:
    """The address of every link in a document, however deep."""
    found: list[str] = []

    def collect(members: dict[str, Any]) -> None:
        if isinstance(members.get("href"), str):
            found.append(members["href"])

    json.loads(text, object_hook=collect)
    return found


@pytest.mark.parametrize("path", PATHS)
async def test_head_works_wherever_get_does(client: httpx.AsyncClient, path: str) -> None:
    got, head = await client.get(path), await client.head(path)
    assert got.status_code == head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == got.headers["content-length"]
    assert head.headers["content-type"] == got.headers["content-type"]


async def test_everything_linked_from_the_landing_page_is_there(client: httpx.AsyncClient) -> None:
    seen: set[str] = set()
    ahead = [f"{BASE}/"]
    while ahead:
        href = ahead.pop()
        seen.add(href)
        if href.endswith("/execution"):
            continue
        response = await client.get(href)
        assert response.status_code == 200, href
        assert "null" not in response.text or "openapi" in href
        found = hrefs(response.text) if "json" in response.headers["content-type"] else []
        assert all(each.startswith(BASE) for each in found)
        ahead += [each for each in found if each not in seen and each not in ahead]
    assert {f"{BASE}/processes/echo", f"{BASE}/jobs", f"{BASE}/openapi.json"} <= seen


async def test_processes_come_in_pages(client: httpx.AsyncClient) -> None:
    ids: list[str] = []
    href: str | None = "/processes?limit=1"
    while href:
        page = (await client.get(href)).json()
        assert len(page["processes"]) == 1
        ids.append(page["processes"][0]["id"])
        href = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
    assert ids == ["resample", "echo"]


async def test_a_description_keeps_the_order_of_inputs(client: httpx.AsyncClient) -> None:
    body = (await client.get("/processes/echo")).json()
    assert next(iter(body["inputs"])) == "message"
    assert body["inputs"]["message"]["minOccurs"] == 1


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


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/processes/nothing", "no-such-process"),
        ("POST", "/processes/nothing/execution", "no-such-process"),
        ("GET", "/jobs/nothing", "no-such-job"),
        ("GET", "/jobs/nothing/results", "no-such-job"),
        ("GET", "/jobs/nothing/results/message", "no-such-job"),
        ("DELETE", "/jobs/nothing", "no-such-job"),
    ],
)
async def test_what_is_not_there_has_the_standards_type(
    client: httpx.AsyncClient, method: str, path: str, kind: str
) -> None:
    assert problem(await client.request(method, path), 404)["type"] == EXCEPTIONS + kind


@pytest.mark.parametrize("path", ["/nothing", "/jobs/", "/processes/", "//", "/jobs/a/b", "/datasets/x/nothing"])
async def test_unknown_paths(client: httpx.AsyncClient, path: str) -> None:
    problem(await client.get(f"{BASE}{path}"), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/", "GET, HEAD"),
        ("PUT", "/jobs/x", "GET, HEAD, DELETE"),
        ("QUERY", "/jobs/x", "GET, HEAD, DELETE"),
        ("DELETE", "/jobs", "GET, HEAD"),
        ("GET", "/processes/echo/execution", "POST"),
        ("HEAD", "/processes/echo/execution", "POST"),
        ("PATCH", "/datasets/x/zarr/c/0", "GET, HEAD"),
    ],
)
async def test_methods_that_a_path_does_not_take(
    client: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    response = await client.request(method, path)
    assert response.status_code == 405
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize("query", ["limit=0", "limit=10001", "limit=ten", "limit=-1", "cursor=x", "cursor=%00"])
async def test_bad_parameters_are_refused(client: httpx.AsyncClient, query: str) -> None:
    body = problem(await client.get(f"/jobs?{query}"), 400)
    assert body["errors"][0]["parameter"] in ("limit", "cursor")


async def test_pages_neither_skip_nor_repeat_while_jobs_come_and_go(
    client: httpx.AsyncClient, jobs: MemoryJobs
) -> None:
    names = [await submit(client) for _ in range(7)]
    seen: list[str] = []
    href: str | None = "/jobs?limit=2"
    while href:
        page = (await client.get(href)).json()
        seen += [each["jobID"] for each in page["jobs"]]
        href = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
        await submit(client)
        if len(seen) == 4:
            jobs.cache.drop(seen[-1], f"uid-{seen[-1]}")
    assert seen == names[::-1]


async def test_a_live_job_is_dismissed_once_and_removed_after_its_end(
    client: httpx.AsyncClient, jobs: MemoryJobs
) -> None:
    name = await submit(client)
    jobs.change(name, phase="Running")
    for _ in range(3):
        response = await client.delete(f"/jobs/{name}")
        assert (response.status_code, response.json()["status"]) == (200, "dismissed")
        assert response.json()["message"] == "stopping"
        assert jobs.manifest(name)["spec"]["cancel"] is True
        assert jobs.manifest(name)["metadata"]["resourceVersion"] == "3"
    jobs.change(name, phase="Cancelled")
    assert (await client.get(f"/jobs/{name}")).json()["status"] == "dismissed"
    response = await client.delete(f"/jobs/{name}")
    assert (response.status_code, response.json()["status"]) == (200, "dismissed")
    for method in ("GET", "DELETE"):
        problem(await client.request(method, f"/jobs/{name}"), 404)
    assert (await client.get("/jobs")).json()["jobs"] == []


async def test_a_dismissal_that_comes_too_late_removes_nothing(
    client: httpx.AsyncClient, jobs: MemoryJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = await submit(client)
    cancel = jobs.cancel

    async def succeed_first(job: Any) -> Any:
        jobs.succeed(name, message="hello")
        return await cancel(job)

    monkeypatch.setattr(jobs, "cancel", succeed_first)
    response = await client.delete(f"/jobs/{name}")
    assert (response.status_code, response.json()["status"]) == (200, "successful")
    assert (await client.get(f"/jobs/{name}/results")).json() == {"message": "hello"}


async def test_a_resample_result_leads_to_its_data(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    flat = {"source_dataset_id": "era5", "frequency": "1D", "method": "mean", "start": "2025-02-01"}
    name = await submit(client, "resample", **flat)
    problem(await client.get(f"/jobs/{name}/results"), 404)
    jobs.succeed(name, dataset=OUTPUT)
    value = (await client.get(f"/jobs/{name}/results")).json()
    assert value["href"] == f"{BASE}/datasets/era5_1d_mean/versions/0123456789abcdef/zarr"
    assert (await client.get(f"/jobs/{name}/results/dataset")).json() == value


async def test_a_cluster_that_is_away_is_told_with_a_time_to_come_back(
    client: httpx.AsyncClient, jobs: MemoryJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_submission: object) -> None:
        raise StoreAway("the cluster's API server does not answer", retry_after=7)

    monkeypatch.setattr(jobs, "submit", away)
    response = await client.post("/processes/echo/execution", json=ECHO)
    problem(response, 503)
    assert response.headers["retry-after"] == "7"


async def test_a_defect_is_told_without_its_inside(
    client: httpx.AsyncClient, jobs: MemoryJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_name: str) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr(jobs, "find", broken)
    response = await client.get("/jobs/x", headers={"X-Request-ID": "abc"})
    assert "inside" not in response.text
    assert "abc" in problem(response, 500)["detail"]
    assert response.headers["x-request-id"] == "abc"


async def test_health(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    assert (await client.get("/readyz")).status_code == 200
    jobs.synced = False
    jobs.alive = False
    assert (await client.get("/readyz")).status_code == 503
    assert (await client.get("/livez")).status_code == 503


@pytest.mark.parametrize("given", ["", "a b", "x" * 200, "<script>"])
async def test_a_request_id_is_made_where_none_fits(client: httpx.AsyncClient, given: str) -> None:
    response = await client.get("/", headers={"X-Request-ID": given})
    assert response.headers["x-request-id"] not in ("", given)


async def test_the_definition_describes_every_answer(client: httpx.AsyncClient) -> None:
    definition = (await client.get("/openapi.json")).json()
    assert definition["openapi"].startswith("3.1")
    assert definition["servers"] == [{"url": BASE}]
    operations = [each for path in definition["paths"].values() for each in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))
    for operation in operations:
        assert "422" not in operation["responses"]
        assert "application/problem+json" in operation["responses"]["4XX"]["content"]
    assert "ValidationError" not in json.dumps(definition)


async def test_a_proxys_path_is_part_of_every_link(data: Path, jobs: MemoryJobs) -> None:
    settings = Settings(data=data, root_path="/climate")
    async with open_client(settings, jobs) as client:
        for path in ("/climate/jobs", "/jobs"):
            response = await client.get(path)
            assert response.json()["links"][0]["href"] == f"{BASE}/climate/jobs"


async def test_a_job_that_has_not_changed_is_not_sent_again(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    name = await submit(client)
    first = await client.get(f"/jobs/{name}")
    same = {"If-None-Match": first.headers["etag"]}
    assert (await client.get(f"/jobs/{name}", headers=same)).status_code == 304
    jobs.change(name, phase="Running")
    changed = await client.get(f"/jobs/{name}", headers=same)
    assert (changed.status_code, changed.json()["status"]) == (200, "running")
    assert changed.headers["etag"] != first.headers["etag"]


async def test_a_live_job_says_when_to_look_again(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    response = await client.post("/processes/echo/execution", json=ECHO, headers=ASYNC)
    name = response.json()["jobID"]
    assert int(response.headers["retry-after"]) > 0
    assert int((await client.get(f"/jobs/{name}")).headers["retry-after"]) > 0
    jobs.change(name, phase="Retrying", retryAt="2999-01-01T00:00:00Z")
    assert (await client.get(f"/jobs/{name}")).headers["retry-after"] == "60"
    jobs.succeed(name)
    assert "retry-after" not in (await client.get(f"/jobs/{name}")).headers


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
    problem(await client.post("/processes/echo/execution", json=ECHO, headers=headers), 400)
    assert jobs.names() == []


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200),
        ("*/*", 200),
        ("text/html, application/*;q=0.1", 200),
        ("application/problem+json", 200),
        ("text/html", 406),
        ("application/json;q=0, */*", 406),
        ("text/html, */*;q=0.0", 406),
    ],
)
async def test_json_is_all_there_is(client: httpx.AsyncClient, accept: str, status: int) -> None:
    for path in ("/", "/conformance", "/processes", "/processes/echo", "/jobs"):
        assert (await client.get(path, headers={"Accept": accept})).status_code == status


async def test_several_outputs_are_a_document_unless_parts_are_asked_for(
    client: httpx.AsyncClient, jobs: MemoryJobs
) -> None:
    name = await submit(client)
    jobs.succeed(name, message="hello", numbers=[1])
    assert (await client.get(f"/jobs/{name}/results")).json() == {"message": "hello", "numbers": [1]}
    response = await client.get(f"/jobs/{name}/results", headers={"Accept": "multipart/related"})
    assert response.headers["content-type"].startswith("multipart/related; type=")
