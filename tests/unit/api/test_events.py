"""A job's changes as server-sent events."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from climatejobs.ogc.links import Links
from climatejobs_api.app import create_app
from climatejobs_api.events import KEEP_ALIVE, stream_events
from climatejobs_api.settings import Settings
from tests.unit.api.conftest import open_client, until
from tests.unit.api.exchanges import LiveExchange
from tests.unit.api.memory_jobs import MemoryJobs
from tests.unit.api.requests import problem, submit


def read_events(text: str) -> list[dict[str, Any]]:
    """Every event with its id and its data."""
    events: list[dict[str, Any]] = []
    for block in text.split("\n\n"):
        members = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if "data" in members:
            events.append({"id": members["id"], "event": members["event"], **json.loads(members["data"])})
    return events


def version_of(jobs: MemoryJobs, name: str) -> str:
    return jobs.manifest(name)["metadata"]["resourceVersion"]


async def test_every_change_is_told_until_the_end(
    settings: Settings, client: httpx.AsyncClient, jobs: MemoryJobs
) -> None:
    name = await submit(client)
    async with LiveExchange(create_app(settings, jobs), f"/jobs/{name}/events") as listener:
        await listener.until_sent("accepted")
        jobs.change(name, phase="Running", progress={"percent": 40})
        await listener.until_sent('"progress":40')
        jobs.succeed(name, message="hello")
        await listener.end()
    assert listener.status == 200
    assert listener.headers["content-type"] == "text/event-stream"
    assert listener.headers["x-accel-buffering"] == "no"
    events = read_events(listener.body.decode())
    assert [event["status"] for event in events] == ["accepted", "running", "successful"]
    assert events[-1]["id"] == version_of(jobs, name)
    assert {event["event"] for event in events} == {"status"}
    assert events[-1] == {
        "id": version_of(jobs, name),
        "event": "status",
        **(await client.get(f"/jobs/{name}")).json(),
    } | {"links": events[-1]["links"]}


async def test_what_a_listener_has_seen_is_not_said_again(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    name = await submit(client)
    seen = {"Last-Event-ID": version_of(jobs, name)}
    jobs.succeed(name, message="hello")
    events = read_events((await client.get(f"/jobs/{name}/events", headers=seen)).text)
    assert [event["status"] for event in events] == ["successful"]
    done = await client.get(f"/jobs/{name}/events", headers={"Last-Event-ID": version_of(jobs, name)})
    assert (done.status_code, done.content) == (204, b"")


async def test_a_change_that_is_none_for_a_client_is_not_told(
    settings: Settings, client: httpx.AsyncClient, jobs: MemoryJobs
) -> None:
    name = await submit(client)
    async with LiveExchange(create_app(settings, jobs), f"/jobs/{name}/events") as listener:
        await listener.until_sent("accepted")
        await until(lambda: jobs.cache.waiting == 1)
        jobs.change(name, observedGeneration=2)
        for _ in range(10):  # turns of the loop, in which the listener sees it and waits again
            await asyncio.sleep(0)
        jobs.succeed(name, message="hello")
        await listener.end()
    assert [event["status"] for event in read_events(listener.body.decode())] == ["accepted", "successful"]


async def test_an_unknown_last_id_means_from_the_present(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    name = await submit(client)
    jobs.succeed(name, message="hello")
    response = await client.get(f"/jobs/{name}/events", headers={"Last-Event-ID": "from another life"})
    assert [event["status"] for event in read_events(response.text)] == ["successful"]


async def test_silence_is_filled(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    job = await jobs.find(await submit(client))
    assert job is not None
    clock = asyncio.get_running_loop().time
    stream = stream_events(job, jobs, Links(""), last_id=None, seconds=60, clock=clock, keep_alive=0.01)
    pieces = [await anext(stream) for _ in range(4)]
    assert pieces[2:] == [KEEP_ALIVE, KEEP_ALIVE]
    await stream.aclose()
    assert jobs.cache.waiting == 0


async def test_a_listener_that_hangs_up_leaves_nothing_behind(
    settings: Settings, client: httpx.AsyncClient, jobs: MemoryJobs
) -> None:
    name = await submit(client)
    async with LiveExchange(create_app(settings, jobs), f"/jobs/{name}/events") as listener:
        await listener.until_sent("accepted")
        await asyncio.sleep(0)
        assert jobs.cache.waiting == 1
        await listener.hang_up()
        assert jobs.cache.waiting == 0


@pytest.mark.parametrize("how", ["the program stops", "the job is removed", "the job is made anew"])
async def test_a_stream_ends_also_when(
    settings: Settings, client: httpx.AsyncClient, jobs: MemoryJobs, how: str
) -> None:
    name = await submit(client)
    async with LiveExchange(create_app(settings, jobs), f"/jobs/{name}/events") as listener:
        await listener.until_sent("accepted")
        match how:
            case "the program stops":
                jobs.stop_waiting()
            case "the job is removed":
                jobs.cache.drop(name, f"uid-{name}")
            case _:
                jobs.manifest(name)["metadata"]["uid"] = "another"
                jobs.change(name)
        await listener.end()
    statuses = [event["status"] for event in read_events(listener.body.decode())]
    assert statuses == (["accepted"] if how == "the program stops" else ["accepted", "dismissed"])


async def test_a_stream_has_an_end_of_its_own(settings: Settings, jobs: MemoryJobs) -> None:
    async with open_client(settings.model_copy(update={"stream_seconds": 0.05}), jobs) as client:
        response = await client.get(f"/jobs/{await submit(client)}/events")
    assert [event["status"] for event in read_events(response.text)] == ["accepted"]


async def test_hundreds_of_listeners_are_told_by_one_change(
    settings: Settings, client: httpx.AsyncClient, jobs: MemoryJobs
) -> None:
    name = await submit(client)
    app = create_app(settings, jobs)
    listeners = [LiveExchange(app, f"/jobs/{name}/events") for _ in range(300)]
    for listener in listeners:
        await listener.__aenter__()
    for listener in listeners:
        await listener.until_sent("accepted")
    jobs.succeed(name, message="hello")
    for listener in listeners:
        await listener.end()
        assert "successful" in listener.body.decode()
    assert jobs.cache.waiting == 0


async def test_only_the_head_of_a_stream_may_be_asked_for(client: httpx.AsyncClient) -> None:
    response = await client.head(f"/jobs/{await submit(client)}/events")
    assert (response.status_code, response.headers["content-type"]) == (200, "text/event-stream")


async def test_a_job_that_is_not_there_has_no_events(client: httpx.AsyncClient) -> None:
    problem(await client.get("/jobs/nothing/events"), 404)
