"""Which log is meant, and what a client is told where there is none."""

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from climatejobs.model import ClimateJobStatus, ErrorDetail, Phase
from climatejobs_api.app import create_app
from climatejobs_api.cluster.runs import decode_runs, select_pods
from climatejobs_api.settings import Settings
from climatejobs_api.store import Run, StoreAway
from climatejobs_api.streaming import MAX_FOLLOWERS
from tests.unit.api.conftest import BASE, until
from tests.unit.api.exchanges import LiveExchange
from tests.unit.api.memory_jobs import MemoryJobs
from tests.unit.api.requests import problem, submit

FIRST, SECOND = Run("pod-a", 1, started=True), Run("pod-b", 2, started=True)


def written(*pieces: bytes | Exception | None) -> asyncio.Queue[bytes | Exception | None]:
    queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
    for piece in pieces:
        queue.put_nowait(piece)
    return queue


def pod(name: str, created: str, *, state: str = "terminated", phase: str = "Failed", **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "creationTimestamp": created, "annotations": more.get("annotations", {})},
        "status": {
            "phase": phase,
            "conditions": more.get("conditions", []),
            "containerStatuses": [{"name": "runner", "state": {state: {}}}],
        },
    }


async def test_the_newest_attempt_is_read_unless_another_is_named(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    name = await submit(client)
    jobs.change(name, phase="Running", attempts=2)
    jobs.runs = [SECOND, FIRST]
    for query, expected in {"": b"two\n", "?attempt=2": b"two\n", "?attempt=1&tail=3": b"one\n"}.items():
        jobs.logs = {"pod-a": written(b"one\n", None), "pod-b": written(b"two\n", None)}
        response = await client.get(f"/jobs/{name}/logs{query}")
        assert (response.status_code, response.content) == (200, expected)
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert jobs.asked == [("pod-b", None), ("pod-b", None), ("pod-a", 3)]
    assert jobs.reading == 0


async def test_an_attempt_that_has_not_begun_to_write_leaves_the_word_to_the_one_before(
    client: httpx.AsyncClient, jobs: MemoryJobs
) -> None:
    name = await submit(client)
    jobs.change(name, phase="Retrying", attempts=2)
    jobs.runs = [Run("pod-b", 2, started=False), FIRST]
    jobs.logs = {"pod-a": written(b"one\n", None)}
    assert (await client.get(f"/jobs/{name}/logs")).text == "one\n"
    assert problem(await client.get(f"/jobs/{name}/logs?attempt=2"), 404)["type"].endswith("log-not-ready")


@pytest.mark.parametrize(
    ("status", "runs", "query"),
    [
        ({}, [], ""),
        ({"phase": "Pending", "message": "pulling the image"}, [Run("pod-a", 1, started=False)], ""),
        ({"phase": "Running", "attempts": 1}, [FIRST], "?attempt=2"),
        ({"phase": "Running", "attempts": 1}, [FIRST], ""),
    ],
)
async def test_nothing_yet(
    client: httpx.AsyncClient, jobs: MemoryJobs, status: dict[str, Any], runs: list[Run], query: str
) -> None:
    """The last case is a kubelet that has not made the file yet."""
    name = await submit(client)
    jobs.change(name, **status)
    jobs.runs = runs
    for follow in ("", "follow=true"):
        if follow and status.get("phase") == "Running" and not query:
            continue
        response = await client.get(f"/jobs/{name}/logs{query}{'&' if query else '?'}{follow}")
        body = problem(response, 404)
        assert body["type"] == "urn:climatejobs:error:log-not-ready"
        assert status.get("message", "") in body["detail"]
        assert int(response.headers["retry-after"]) > 0


async def test_an_attempt_beyond_the_last_there_was(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    name = await submit(client)
    jobs.change(name, phase="Failed", attempts=1)
    assert "ended with attempt 1" in problem(await client.get(f"/jobs/{name}/logs?attempt=2"), 404)["detail"]


async def test_what_the_record_keeps_is_given_when_the_pods_are_gone(
    client: httpx.AsyncClient, jobs: MemoryJobs
) -> None:
    name = await submit(client)
    jobs.fail(name, type_="urn:climatejobs:error:no-data")
    problem(await client.get(f"/jobs/{name}/logs"), 410)
    error = {"type": "a", "title": "b", "detail": "c", "attempt": 2}
    jobs.change(name, logTail="line 1\nline 2\nline 3\n", error=error, attempts=2)
    for query, expected in {
        "": "line 1\nline 2\nline 3\n",
        "?tail=1": "line 3\n",
        "?tail=0": "",
        "?tail=9&attempt=2&follow=true": "line 1\nline 2\nline 3\n",
    }.items():
        assert (await client.get(f"/jobs/{name}/logs{query}")).text == expected
    gone = problem(await client.get(f"/jobs/{name}/logs?attempt=1"), 410)
    assert gone["type"] == "urn:climatejobs:error:log-gone"
    jobs.runs = [SECOND]
    assert (await client.get(f"/jobs/{name}/logs")).text.startswith("line 1"), "deleted since it was listed"


async def test_a_log_is_followed_to_its_end(settings: Settings, client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    name = await submit(client)
    jobs.change(name, phase="Running")
    jobs.runs, jobs.logs = [FIRST], {"pod-a": written(b"one\n")}
    async with LiveExchange(create_app(settings, jobs), f"/jobs/{name}/logs?follow=true") as reader:
        await reader.until_sent("one")
        jobs.logs["pod-a"].put_nowait(b"two\n")
        await reader.until_sent("two")
        jobs.logs["pod-a"].put_nowait(None)
        await reader.end()
    assert (reader.status, reader.body) == (200, b"one\ntwo\n")
    assert jobs.reading == 0


async def test_a_reader_that_hangs_up_leaves_nothing_open(
    settings: Settings, client: httpx.AsyncClient, jobs: MemoryJobs
) -> None:
    name = await submit(client)
    jobs.change(name, phase="Running")
    jobs.runs, jobs.logs = [FIRST], {"pod-a": written(b"one\n")}
    async with LiveExchange(create_app(settings, jobs), f"/jobs/{name}/logs?follow=true") as reader:
        await reader.until_sent("one")
        assert jobs.reading == 1
        await reader.hang_up()
        assert jobs.reading == 0


async def test_only_so_many_logs_are_followed_at_a_time(settings: Settings, jobs: MemoryJobs) -> None:
    app = create_app(settings, jobs)
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client,
        AsyncExitStack() as readers,
    ):
        name = await submit(client)
        jobs.change(name, phase="Running")
        jobs.runs, jobs.logs = [FIRST], {"pod-a": written()}
        path = f"/jobs/{name}/logs?follow=true"
        first, *_ = [await readers.enter_async_context(LiveExchange(app, path)) for _ in range(MAX_FOLLOWERS)]
        await until(lambda: jobs.reading == MAX_FOLLOWERS)
        refused = await client.get(path)
        assert problem(refused, 503)["type"] == "urn:climatejobs:error:too-many-followers"
        assert int(refused.headers["retry-after"]) > 0
        # Neither whoever asks for the head alone nor a listener to events takes a place among them.
        assert (await client.head(path)).status_code == 200
        events = await readers.enter_async_context(LiveExchange(app, f"/jobs/{name}/events"))
        await events.until_sent("running")
        await first.hang_up()
        async with LiveExchange(app, path) as another:
            await until(lambda: jobs.reading == MAX_FOLLOWERS)
        assert another.status == 200


@pytest.mark.parametrize("query", ["?follow=true", ""])
async def test_a_log_that_breaks_off_says_so(client: httpx.AsyncClient, jobs: MemoryJobs, query: str) -> None:
    name = await submit(client)
    jobs.change(name, phase="Running")
    jobs.runs, jobs.logs = [FIRST], {"pod-a": written(b"one\n", StoreAway("the cluster does not answer"))}
    response = await client.get(f"/jobs/{name}/logs{query}")
    assert response.text == "one\n\n[the log breaks off here: the cluster does not answer; ask for it again]\n"


async def test_shards_are_counted(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    name = await submit(client)
    assert "no shard 1" in problem(await client.get(f"/jobs/{name}/logs?shard=1"), 404)["detail"]
    problem(await client.get(f"/jobs/{name}/logs?shard=-1"), 400)
    problem(await client.get("/jobs/nothing/logs"), 404)


async def test_a_job_leads_to_its_log_and_its_events(client: httpx.AsyncClient) -> None:
    name = await submit(client)
    links = {link["type"]: link["href"] for link in (await client.get(f"/jobs/{name}")).json()["links"]}
    assert links["text/plain"].endswith(f"/jobs/{name}/logs")
    assert links["text/event-stream"].endswith(f"/jobs/{name}/events")


def test_pods_are_numbered_back_from_the_newest() -> None:
    disruption = [{"type": "DisruptionTarget", "status": "True"}]
    pods = [
        pod("c", "2025-01-01T00:03:00Z", state="running", phase="Running"),
        pod("b", "2025-01-01T00:02:00Z", conditions=disruption),
        pod("a", "2025-01-01T00:01:00Z"),
    ]
    runs = decode_runs(json.dumps({"items": pods[::-1]}).encode(), ClimateJobStatus(phase=Phase.RUNNING, attempts=3))
    assert [(run.key, run.attempt, run.started) for run in runs] == [("c", 3, True), ("b", 3, True), ("a", 2, True)]
    waiting = pod("d", "2025-01-01T00:04:00Z", state="waiting", phase="Pending")
    assert not decode_runs(json.dumps({"items": [waiting]}).encode(), ClimateJobStatus())[0].started


def test_an_attempt_that_is_due_has_no_pod_yet() -> None:
    error = ErrorDetail(type="a", title="b", detail="c", attempt=1)
    retrying = ClimateJobStatus(phase=Phase.RETRYING, attempts=2, error=error)
    (run,) = decode_runs(json.dumps({"items": [pod("a", "2025-01-01T00:01:00Z")]}).encode(), retrying)
    assert run.attempt == 1


def test_a_shards_pods_say_themselves_which_attempt_they_are() -> None:
    counted = [
        pod(f"s-{failures}", f"2025-01-01T00:0{failures}:00Z", annotations={key: str(failures)})
        for failures in range(2)
        for key in ["batch.kubernetes.io/job-index-failure-count"]
    ]
    runs = decode_runs(json.dumps({"items": counted}).encode(), ClimateJobStatus(attempts=7))
    assert [(run.key, run.attempt) for run in runs] == [("s-1", 2), ("s-0", 1)]
    assert select_pods("u", shard=2) == "climatejobs.io/job-uid=u,batch.kubernetes.io/job-completion-index=2"
    assert select_pods("u", shard=None) == "climatejobs.io/job-uid=u"
