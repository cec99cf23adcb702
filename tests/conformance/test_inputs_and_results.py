"""OGC API - Processes 1.0, Part 1: every form of input, and results that are fetched later; in strict mode."""

import json
from typing import Any

import httpx
import pytest

from climatejobs.processes.echo import CRS84
from climatejobs_api.problems import EXCEPTIONS
from tests.conformance.requests import ASYNC, ECHO, ECHOED, EXECUTION, parts_of, rels, submit
from tests.unit.api.memory_jobs import MemoryJobs

REFERENCE = {"transmissionMode": "reference"}


async def execute(api: httpx.AsyncClient, **body: Any) -> httpx.Response:
    return await api.post(EXECUTION, json={**ECHO, **body}, headers=ASYNC)


async def finish(api: httpx.AsyncClient, jobs: MemoryJobs, **body: Any) -> httpx.Response:
    """Execute asynchronously, let the job succeed, and ask for its results."""
    name = (await execute(api, **body)).json()["jobID"]
    jobs.succeed(name, **ECHOED)
    return await api.get(f"/jobs/{name}/results")


@pytest.mark.parametrize(
    ("inputs", "kept"),
    [
        pytest.param({"numbers": [1]}, {"numbers": [1]}, id="input_array"),
        pytest.param({"numbers": {"value": [1]}}, {"numbers": [1]}, id="input_inline_object"),
        pytest.param({"area": {"bbox": [0, 0, 1, 1]}}, {"area": {"bbox": [0, 0, 1, 1]}}, id="input_inline_bbox"),
        pytest.param(
            {"area": {"bbox": [0, 0, 0, 1, 1, 1], "crs": CRS84}},
            {"area": {"bbox": [0, 0, 0, 1, 1, 1], "crs": CRS84}},
            id="input_inline_bbox_with_height",
        ),
        pytest.param({"document": "plain"}, {"document": "plain"}, id="input_mixed_type_default"),
        pytest.param(
            {"document": {"value": "<a/>", "mediaType": "application/xml"}},
            {"document": {"value": "<a/>", "mediaType": "application/xml"}},
            id="input_mixed_type",
        ),
    ],
)
async def test_core_process_execute_inputs(
    api: httpx.AsyncClient, jobs: MemoryJobs, inputs: dict[str, Any], kept: dict[str, Any]
) -> None:
    response = await execute(api, inputs={"message": "hello", **inputs})
    assert response.status_code == 201, response.text
    assert jobs.manifest(response.json()["jobID"])["spec"]["inputs"] == {"message": "hello", **kept}


@pytest.mark.parametrize(
    ("inputs", "pointer"),
    [
        ({"numbers": 1}, "/inputs/numbers"),
        ({"numbers": ["1"]}, "/inputs/numbers/0"),
        ({"area": {"bbox": [0, 0, 1]}}, "/inputs/area/bbox"),
        ({"area": {"bbox": [0, 0, 1, 1], "crs": "EPSG:4326"}}, "/inputs/area/crs"),
        ({"document": {"value": "x", "mediaType": "image/png"}}, "/inputs/document"),
        ({"pause": 3601}, "/inputs/pause"),
        ({"nothing": 1}, "/inputs/nothing"),
    ],
)
async def test_core_process_execute_input_validation_of_each_form(
    api: httpx.AsyncClient, jobs: MemoryJobs, inputs: dict[str, Any], pointer: str
) -> None:
    response = await execute(api, inputs={"message": "hello", **inputs})
    assert response.status_code == 400
    assert all(error["pointer"].startswith(pointer) for error in response.json()["errors"]), response.text
    assert jobs.names() == []


async def test_core_process_execute_default_outputs(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    """No outputs named, or an empty object, is all of them."""
    selections: list[dict[str, Any]] = [{}, {"outputs": {}}]
    for selection in selections:
        assert (await finish(api, jobs, response="document", **selection)).json() == ECHOED


async def test_core_job_results_async_raw_value_one(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    response = await finish(api, jobs, outputs={"message": {}})
    assert (response.status_code, response.text) == (200, "hello")
    assert response.headers["content-type"].startswith("text/plain")


async def test_core_job_results_async_raw_ref(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    response = await finish(api, jobs, outputs={"message": REFERENCE, "numbers": REFERENCE})
    assert (response.status_code, response.content) == (204, b"")
    assert len([link for link in response.headers.get_list("link") if 'rel="item"' in link]) == 2


async def test_core_job_results_async_raw_mixed_multi(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    message, numbers = parts_of(await finish(api, jobs, outputs={"message": REFERENCE, "numbers": {}}))
    assert (message.get_payload(), bool(message["Content-Location"])) == ("", True)
    assert json.loads(str(numbers.get_payload())) == [1, 2]


async def test_core_job_results_async_document(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    response = await finish(api, jobs, response="document", outputs={"message": {}, "numbers": REFERENCE})
    assert response.headers["content-type"] == "application/json"
    assert response.json()["message"] == "hello"
    assert (await api.get(response.json()["numbers"]["href"])).json() == [1, 2]


async def test_core_job_results_of_a_dismissed_job(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    name = await submit(api)
    await api.delete(f"/jobs/{name}")
    jobs.change(name, phase="Cancelled")
    response = await api.get(f"/jobs/{name}/results")
    assert (response.status_code, response.json()["type"]) == (404, f"{EXCEPTIONS}no-such-job")


async def test_core_job_links_to_results_only_when_there_are_any(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    name = await submit(api)
    relation = "http://www.opengis.net/def/rel/ogc/1.0/results"
    assert relation not in rels((await api.get(f"/jobs/{name}")).json())
    jobs.succeed(name, **ECHOED)
    href = rels((await api.get(f"/jobs/{name}")).json())[relation]
    assert (await api.get(href)).status_code == 200


async def test_core_no_member_is_null_and_times_carry_an_offset(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    name = await submit(api)
    jobs.change(name, phase="Running", startedAt="2025-01-01T00:00:00Z", progress={"percent": 40})
    for path in ("/", "/conformance", "/processes", "/processes/echo", "/jobs", f"/jobs/{name}", "/jobs/none"):
        assert "null" not in (await api.get(path)).text.replace("nullable", ""), path
    body = (await api.get(f"/jobs/{name}")).json()
    assert all(body[time].endswith("Z") for time in ("created", "started", "updated"))
    assert (body["progress"], body["type"]) == (40, "process")


async def test_core_http_head_and_methods(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    name = await submit(api)
    jobs.succeed(name, **ECHOED)
    for path in (
        "/",
        "/conformance",
        "/processes",
        "/processes/echo",
        "/jobs",
        f"/jobs/{name}",
        f"/jobs/{name}/results",
    ):
        got, head = await api.get(path), await api.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["content-type"] == got.headers["content-type"]
        for method in ("PUT", "QUERY"):
            refused = await api.request(method, path)
            assert (refused.status_code, "GET" in refused.headers["allow"]) == (405, True)


async def test_json_content(api: httpx.AsyncClient) -> None:
    name = await submit(api)
    for path in ("/", "/conformance", "/processes", "/processes/echo", "/jobs", f"/jobs/{name}"):
        for accept in ("application/json", "*/*"):
            response = await api.get(path, headers={"Accept": accept})
            assert response.headers["content-type"] == "application/json"
    assert (await api.delete(f"/jobs/{name}")).headers["content-type"] == "application/json"
