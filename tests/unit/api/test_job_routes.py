"""Jobs over HTTP: pages, state, results, dismissal."""

from typing import Any

import httpx
import pytest

from tests.unit.api.conftest import BASE
from tests.unit.api.manifests import OUTPUT
from tests.unit.api.memory_jobs import MemoryJobs
from tests.unit.api.requests import ASYNC, ECHO, problem, submit


@pytest.mark.parametrize("query", ["limit=0", "limit=10001", "limit=ten", "limit=-1", "cursor=x", "cursor=%00"])
async def test_bad_parameters_are_refused(client: httpx.AsyncClient, query: str) -> None:
    body = problem(await client.get(f"/jobs?{query}"), 400)
    assert body["errors"][0]["parameter"] in ("limit", "cursor")


@pytest.mark.parametrize("moment", ["2026-01-31", "yesterday", "2026-01-31T00:00:00+01:00/..", "a/b/c"])
async def test_a_moment_that_is_none_is_refused_with_an_example(client: httpx.AsyncClient, moment: str) -> None:
    detail = problem(await client.get(f"/jobs?datetime={moment}"), 400)["detail"]
    assert detail.startswith("datetime: must be a moment such as 2026-01-31T12:00:00Z")
    assert "%2B" in detail
    assert len(detail) < 300


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


async def test_pages_back_neither_skip_nor_repeat_either(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    names = [await submit(client) for _ in range(7)]
    page = (await client.get("/jobs?limit=2")).json()
    while "next" in (rels := {link["rel"]: link["href"] for link in page["links"]}):
        page = (await client.get(rels["next"])).json()
    assert [each["jobID"] for each in page["jobs"]] == names[:1]
    late: list[str] = []
    seen = [each["jobID"] for each in page["jobs"]]
    while "prev" in (rels := {link["rel"]: link["href"] for link in page["links"]}):
        if len(late) < 2:
            late.append(await submit(client))
        if len(seen) == 3:
            jobs.cache.drop(seen[-1], f"uid-{seen[-1]}")
        page = (await client.get(rels["prev"])).json()
        seen += [each["jobID"] for each in page["jobs"]][::-1]
    assert seen == [*names, *late]


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


async def test_a_job_that_has_not_changed_is_not_sent_again(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    name = await submit(client)
    first = await client.get(f"/jobs/{name}")
    same = {"If-None-Match": first.headers["etag"]}
    assert (await client.get(f"/jobs/{name}", headers=same)).status_code == 304
    jobs.change(name, phase="Running")
    changed = await client.get(f"/jobs/{name}", headers=same)
    assert (changed.status_code, changed.json()["status"]) == (200, "running")
    assert changed.headers["etag"] != first.headers["etag"]


async def test_a_waiting_job_tells_its_place_of_this_moment(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    first, second = await submit(client), await submit(client)
    for name in (first, second):
        jobs.change(name, phase="Pending", message="Waiting in line, place 7.")
    answer = await client.get(f"/jobs/{second}")
    assert (answer.json()["placeInLine"], answer.json()["message"]) == (2, "Waiting in line, place 2.")
    assert [job.get("placeInLine") for job in (await client.get("/jobs")).json()["jobs"]] == [2, 1]
    jobs.change(first, phase="Running", message="Running.")
    known = {"If-None-Match": answer.headers["etag"]}
    moved = await client.get(f"/jobs/{second}", headers=known)
    assert (moved.status_code, moved.json()["placeInLine"]) == (200, 1)
    assert "placeInLine" not in (await client.get(f"/jobs/{first}")).json()


async def test_a_live_job_says_when_to_look_again(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    response = await client.post("/processes/echo/execution", json=ECHO, headers=ASYNC)
    name = response.json()["jobID"]
    assert int(response.headers["retry-after"]) > 0
    assert int((await client.get(f"/jobs/{name}")).headers["retry-after"]) > 0
    jobs.change(name, phase="Retrying", retryAt="2999-01-01T00:00:00Z")
    assert (await client.get(f"/jobs/{name}")).headers["retry-after"] == "60"
    jobs.succeed(name)
    assert "retry-after" not in (await client.get(f"/jobs/{name}")).headers


async def test_several_outputs_are_a_document_unless_parts_are_asked_for(
    client: httpx.AsyncClient, jobs: MemoryJobs
) -> None:
    name = await submit(client)
    jobs.succeed(name, message="hello", numbers=[1])
    assert (await client.get(f"/jobs/{name}/results")).json() == {"message": "hello", "numbers": [1]}
    response = await client.get(f"/jobs/{name}/results", headers={"Accept": "multipart/related"})
    assert response.headers["content-type"].startswith("multipart/related; type=")
