"""OGC API - Processes 1.0, Part 1: a test for each requirement, named after it, against strict mode."""

import json
from typing import Any

import httpx
import pytest
from ogcapi_registry import parse_conformance_classes, validate_document, validate_ogc_api

from climatejobs_api.problems import EXCEPTIONS
from climatejobs_api.routers.landing import list_classes
from tests.conformance.requests import ASYNC, ECHO, ECHOED, EXECUTION, RELATION, parts_of, rels, run, submit
from tests.unit.api.conftest import BASE
from tests.unit.api.manifests import OUTPUT
from tests.unit.api.memory_jobs import MemoryJobs


async def test_core_landingpage_op_and_success(api: httpx.AsyncClient) -> None:
    response = await api.get("/")
    assert response.status_code == 200
    found = rels(response.json())
    assert {"service-desc", "service-doc", f"{RELATION}conformance", f"{RELATION}processes"} <= found.keys()
    assert f"{RELATION}job-list" in found


async def test_core_api_definition_op_and_success(api: httpx.AsyncClient) -> None:
    for link in (await api.get("/")).json()["links"]:
        if link["rel"].startswith("service-"):
            response = await api.get(link["href"])
            assert response.status_code == 200
            assert response.headers["content-type"].startswith(link["type"])


async def test_core_conformance_success(api: httpx.AsyncClient) -> None:
    classes = (await api.get("/conformance")).json()["conformsTo"]
    assert classes == list(list_classes(strict=True))
    assert any(each.endswith("/conf/core") for each in classes)


async def test_core_is_claimed_only_where_it_is_met() -> None:
    assert not any(each.endswith("/conf/core") for each in list_classes(strict=False))


async def test_core_cross_origin_support(api: httpx.AsyncClient) -> None:
    response = await api.get("/jobs", headers={"Origin": "https://page.test"})
    assert response.headers["access-control-allow-origin"] == "*"
    assert "Location" in response.headers["access-control-expose-headers"]
    asked = {"Origin": "https://page.test", "Access-Control-Request-Method": "POST"}
    assert (await api.options(EXECUTION, headers=asked)).status_code == 200


@pytest.mark.parametrize("path", ["/", "/processes", "/processes/echo", "/jobs"])
async def test_core_links_are_repeated_as_headers(api: httpx.AsyncClient, path: str) -> None:
    response = await api.get(path)
    headers = response.headers.get_list("link")
    for link in response.json()["links"]:
        assert any(each.startswith(f'<{link["href"]}>; rel="{link["rel"]}"') for each in headers)


async def test_core_process_list_success(api: httpx.AsyncClient) -> None:
    body = (await api.get("/processes")).json()
    assert "self" in rels(body)
    assert {"id", "version"} <= body["processes"][0].keys()


async def test_core_pl_limit_response(api: httpx.AsyncClient) -> None:
    assert len((await api.get("/processes?limit=1")).json()["processes"]) == 1
    assert (await api.get("/processes?limit=10001")).status_code == 400


async def test_core_process_exception_no_such_process(api: httpx.AsyncClient) -> None:
    for response in (await api.get("/processes/x"), await api.post("/processes/x/execution", json=ECHO)):
        assert response.status_code == 404
        assert response.json()["type"] == f"{EXCEPTIONS}no-such-process"


async def test_core_process_execute_default_execution_mode(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    response = await run(api, jobs, ECHO)
    assert response.status_code == 200
    assert "location" not in response.headers


async def test_core_process_execute_auto_execution_mode(api: httpx.AsyncClient) -> None:
    response = await api.post(EXECUTION, json=ECHO, headers={"Prefer": "respond-async "})
    assert response.headers["preference-applied"] == "respond-async"


async def test_core_process_execute_success_async(api: httpx.AsyncClient) -> None:
    response = await api.post(EXECUTION, json=ECHO, headers=ASYNC)
    assert response.status_code == 201
    assert response.headers["location"] == f"{BASE}/jobs/{response.json()['jobID']}"
    assert response.json()["type"] == "process"


async def test_core_process_execute_sync_raw_value_one(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    response = await run(api, jobs, {**ECHO, "outputs": {"message": {"transmissionMode": "value"}}})
    assert (response.status_code, response.text) == (200, "hello")
    assert response.headers["content-type"].startswith("text/plain")


async def test_core_process_execute_sync_raw_value_multi(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    selections: list[dict[str, Any]] = [{}, {"message": {}, "numbers": {}, "area": {}}]
    for outputs in selections:
        response = await run(api, jobs, {**ECHO, "response": "raw", "outputs": outputs})
        assert response.status_code == 200
        assert response.headers["content-type"].startswith('multipart/related; type="text/plain')
        message, numbers = parts_of(response)
        assert (message["Content-ID"], message.get_content_type()) == ("message", "text/plain")
        assert message.get_payload() == "hello"
        assert (numbers["Content-ID"], numbers.get_content_type()) == ("numbers", "application/json")
        assert json.loads(str(numbers.get_payload())) == [1, 2]


async def test_core_process_execute_sync_raw_ref(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    reference = {"transmissionMode": "reference"}
    for names in (["message"], ["message", "numbers"]):
        response = await run(api, jobs, {**ECHO, "outputs": dict.fromkeys(names, reference)})
        assert (response.status_code, response.content) == (204, b"")
        links = [each for each in response.headers.get_list("link") if 'rel="item"' in each]
        assert len(links) == len(names)
        for name, link in zip(names, links, strict=True):
            assert (await api.get(link[1 : link.index(">")])).status_code == 200, name


async def test_core_process_execute_sync_raw_mixed_multi(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    outputs = {"message": {"transmissionMode": "value"}, "numbers": {"transmissionMode": "reference"}}
    message, numbers = parts_of(await run(api, jobs, {**ECHO, "outputs": outputs}))
    assert message.get_payload() == "hello"
    assert numbers.get_payload() == ""
    assert (await api.get(numbers["Content-Location"])).json() == [1, 2]


async def test_core_process_execute_sync_document(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    outputs = {"message": {}, "numbers": {"transmissionMode": "reference"}}
    response = await run(api, jobs, {**ECHO, "response": "document", "outputs": outputs})
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert body["message"] == "hello"
    assert (await api.get(body["numbers"]["href"])).json() == [1, 2]


async def test_core_process_execute_sync_job(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    response = await run(api, jobs, {**ECHO, "response": "document"})
    (link,) = response.headers.get_list("link")
    assert link.endswith('rel="monitor"')
    assert (await api.get(link[1 : link.index(">")])).json()["status"] == "successful"


async def test_core_process_execute_input_validation(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    response = await api.post(EXECUTION, json={"inputs": {"message": 5}})
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/json"
    assert response.json()["errors"][0]["pointer"] == "/inputs/message"
    assert jobs.names() == []


async def test_core_process_execute_input_by_reference_is_fetched_first(
    api: httpx.AsyncClient, jobs: MemoryJobs
) -> None:
    response = await api.post(EXECUTION, json={"inputs": {"message": {"href": "http://127.0.0.1/x"}}})
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "/inputs/message/href"
    assert jobs.names() == []


async def test_core_job_success(api: httpx.AsyncClient) -> None:
    name = await submit(api)
    body = (await api.get(f"/jobs/{name}")).json()
    assert {"jobID", "status", "type", "created", "updated"} <= body.keys()
    assert f"{RELATION}results" not in rels(body)


async def test_core_job_exception_no_such_job(api: httpx.AsyncClient) -> None:
    for path in ("/jobs/x", "/jobs/x/results"):
        response = await api.get(path)
        assert (response.status_code, response.json()["type"]) == (404, f"{EXCEPTIONS}no-such-job")


async def test_core_job_results_exception_results_not_ready(api: httpx.AsyncClient) -> None:
    response = await api.get(f"/jobs/{await submit(api)}/results")
    assert (response.status_code, response.json()["type"]) == (404, f"{EXCEPTIONS}result-not-ready")


async def test_core_job_results_failed(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    name = await submit(api)
    jobs.fail(name, type_="urn:climatejobs:error:out-of-memory")
    response = await api.get(f"/jobs/{name}/results")
    assert (response.status_code, response.json()["type"]) == (500, "urn:climatejobs:error:out-of-memory")
    assert f"{RELATION}exceptions" in rels((await api.get(f"/jobs/{name}")).json())


async def test_core_job_results_async_raw_value_multi(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    name = await submit(api)
    jobs.succeed(name, **ECHOED)
    assert len(parts_of(await api.get(f"/jobs/{name}/results"))) == 2


async def test_ogc_process_description_inputs_and_outputs(api: httpx.AsyncClient) -> None:
    forbidden = ('"$ref"', '"const"', '"prefixItems"', '"examples"', '"null"', '"$defs"')
    for process in ("echo", "resample"):
        response = await api.get(f"/processes/{process}")
        assert not [each for each in forbidden if each in response.text]
        body = response.json()
        for entry in (*body["inputs"].values(), *body["outputs"].values()):
            assert "schema" in entry
    assert next(iter((await api.get("/processes/echo")).json()["inputs"])) == "message"


async def test_oas30_completeness(api: httpx.AsyncClient) -> None:
    definition = (await api.get("/openapi-3.0.json")).json()
    assert definition["openapi"] == "3.0.3"
    text = json.dumps(definition)
    assert not [each for each in ('"null"', '"const"', '"prefixItems"') if each in text]
    validate_document(definition)
    classes = parse_conformance_classes((await api.get("/conformance")).json()["conformsTo"])
    outcome = validate_ogc_api(definition, classes)
    assert outcome.is_valid, outcome.errors
    page = (await api.get("/api.html")).text
    for item in definition["paths"].values():
        for operation in item.values():
            assert operation["operationId"] in page


async def test_job_list_definition_and_success(api: httpx.AsyncClient) -> None:
    name = await submit(api)
    body = (await api.get("/jobs")).json()
    assert body["jobs"][0] | {"jobID": name, "processID": "echo"} == body["jobs"][0]
    assert rels(body)["self"] == f"{BASE}/jobs"


async def listed(api: httpx.AsyncClient, query: str) -> list[str]:
    response = await api.get(f"/jobs?{query}")
    assert response.status_code == 200, response.text
    return [job["jobID"] for job in response.json()["jobs"]]


async def test_job_list_filters(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    first, second = await submit(api), await submit(api)
    jobs.change(first, phase="Running", startedAt="2025-01-01T00:00:00Z")
    assert await listed(api, "type=process") == [second, first]
    assert await listed(api, "processID=echo&processID=x") == [second, first]
    assert await listed(api, "processID=x") == []
    assert await listed(api, "status=running,failed") == [first]
    assert await listed(api, "status=running&status=accepted") == [second, first]
    created = (await api.get(f"/jobs/{first}")).json()["created"]
    assert await listed(api, f"datetime={created}") == [first]
    assert await listed(api, f"datetime={created}/..") == [second, first]
    assert await listed(api, "minDuration=60") == [first]
    assert await listed(api, "maxDuration=60") == []


@pytest.mark.parametrize(
    "query",
    [
        "type=x",
        "status=x",
        "status=running,x",
        "datetime=yesterday",
        "datetime=2025-02-29T00:00:00Z",
        "limit=0",
        "limit=10001",
        "minDuration=-1",
        "maxDuration=long",
    ],
)
async def test_job_list_filters_that_make_no_sense(api: httpx.AsyncClient, query: str) -> None:
    response = await api.get(f"/jobs?{query}")
    assert response.status_code == 400
    assert response.json()["errors"][0]["parameter"] == query.partition("=")[0]


async def test_job_list_limit_and_links(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    names = [await submit(api) for _ in range(5)][::-1]
    await submit(api)
    jobs.change(jobs.names()[-1], phase="Running")
    page = (await api.get("/jobs?limit=2&status=accepted")).json()
    pages = [page]
    while "next" in rels(page):
        page = (await api.get(rels(page)["next"])).json()
        pages.append(page)
    assert [[job["jobID"] for job in each["jobs"]] for each in pages] == [names[:2], names[2:4], names[4:]]
    assert "prev" not in rels(pages[0])
    back = (await api.get(rels(pages[2])["prev"])).json()
    assert [job["jobID"] for job in back["jobs"]] == names[2:4]
    start = (await api.get(rels(back)["prev"])).json()
    assert [job["jobID"] for job in start["jobs"]] == names[:2]
    assert "prev" not in rels(start)


async def test_dismiss_job_dismiss_success(api: httpx.AsyncClient) -> None:
    name = await submit(api)
    response = await api.delete(f"/jobs/{name}")
    assert (response.status_code, response.json()["status"]) == (200, "dismissed")
    assert (await api.get(f"/jobs/{name}/results")).status_code == 404


async def test_callback_job_callback(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    """What becomes of it is the operator's: tests/integration/operator/test_callbacks.py."""
    subscriber = {f"{event}Uri": f"https://hook.example.org/{event}" for event in ("success", "inProgress", "failed")}
    response = await api.post(EXECUTION, json={**ECHO, "subscriber": subscriber}, headers=ASYNC)
    assert jobs.manifest(response.json()["jobID"])["spec"]["subscriber"] == subscriber


async def test_dismiss_exception_no_such_job(api: httpx.AsyncClient) -> None:
    response = await api.delete("/jobs/x")
    assert (response.status_code, response.json()["type"]) == (404, f"{EXCEPTIONS}no-such-job")


async def test_a_data_set_by_reference_is_where_its_link_says(api: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    inputs = {"source_dataset_id": "a", "frequency": "1D", "method": "mean", "start": "2025-01-01"}
    body = {"inputs": inputs, "outputs": {"dataset": {"transmissionMode": "reference"}}}
    name = (await api.post("/processes/resample/execution", json=body, headers=ASYNC)).json()["jobID"]
    jobs.succeed(name, dataset=OUTPUT)
    response = await api.get(f"/jobs/{name}/results")
    assert response.status_code == 204
    assert "/datasets/era5_1d_mean/versions/" in response.headers["link"]
