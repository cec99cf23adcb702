"""What concerns every route over HTTP: HEAD, methods, problems, links, negotiation, health."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from climatejobs_api.problems import EXCEPTIONS
from climatejobs_api.settings import Settings
from climatejobs_api.store import JobStore, StoreAway
from tests.unit.api.conftest import BASE, open_client
from tests.unit.api.memory_jobs import MemoryJobs
from tests.unit.api.requests import ECHO, problem, submit

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
    assert ids == ["resample", "subset", "zonal_stats", "echo"]


async def test_a_description_keeps_the_order_of_inputs(client: httpx.AsyncClient) -> None:
    body = (await client.get("/processes/echo")).json()
    assert next(iter(body["inputs"])) == "message"
    assert body["inputs"]["message"]["minOccurs"] == 1


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


@pytest.mark.parametrize(("strict", "made", "other"), [(False, "202", "201"), (True, "201", "202")])
async def test_the_definition_of_an_execution_names_its_headers_and_its_answer(
    data: Path, jobs: MemoryJobs, strict: bool, made: str, other: str
) -> None:
    async with open_client(Settings(data=data, strict=strict), jobs) as client:
        for path in ("/openapi.json", "/openapi-3.0.json"):
            definition = (await client.get(path)).json()
            operation = definition["paths"]["/processes/{processID}/execution"]["post"]
            headers = {each["name"] for each in operation["parameters"] if each["in"] == "header"}
            assert headers == {"Prefer", "Idempotency-Key"}
            assert made in operation["responses"]
            assert other not in operation["responses"]


async def test_a_proxys_path_is_part_of_every_link(data: Path, jobs: MemoryJobs) -> None:
    settings = Settings(data=data, root_path="/climate")
    async with open_client(settings, jobs) as client:
        for path in ("/climate/jobs", "/jobs"):
            response = await client.get(path)
            assert response.json()["links"][0]["href"] == f"{BASE}/climate/jobs"


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


async def test_jobs_are_submitted_and_read_without_a_thread(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One costs more than the rest of such a request, and the framework starts one for whatever is no coroutine."""

    def refuse(function: object, *_arguments: object, **_options: object) -> None:
        raise AssertionError(f"{function} runs in a thread")

    monkeypatch.setattr("anyio.to_thread.run_sync", refuse)
    name = await submit(client)
    for path in ("/", "/processes", "/processes/echo", f"/jobs/{name}", "/jobs?limit=5&status=accepted&minDuration=0"):
        assert (await client.get(path)).status_code == 200, path
    assert (await client.delete(f"/jobs/{name}")).status_code == 200
