"""Followers of Jobs and pods against a small HTTP server that answers as an API server does."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import pytest
from aiohttp import web

from climatejobs_operator.cache import Cache
from climatejobs_operator.children import MANAGED
from climatejobs_operator.cluster import JOBS, Change, Cluster, ClusterError
from climatejobs_operator.following import Follower, follow_children
from climatejobs_operator.intake import Intake
from climatejobs_operator.jobs import Job
from climatejobs_operator.pulse import Pulse
from climatejobs_operator.workqueue import Backoff, WorkQueue
from tests.unit.operator.builders import Manifest, job_manifest, pod_manifest
from tests.unit.operator.serving import serve
from tests.unit.operator.timetable import ManualTimetable

SOON = Backoff(first_seconds=0.001, max_seconds=0.001)


class Noted(Backoff):
    """Remembers for how many failures in a row a pause was asked for."""

    asked: ClassVar[list[int]] = []

    def delay(self, failures: int, chance: float) -> float:
        self.asked.append(failures)
        return super().delay(failures, chance)


def job(version: int, name: str = "job") -> Manifest:
    manifest = job_manifest(name)
    manifest["metadata"]["resourceVersion"] = str(version)
    return manifest


def told(type_: str, version: int, name: str = "job") -> bytes:
    return json.dumps({"type": type_, "object": job(version, name)}).encode() + b"\n"


def bookmark(version: int) -> bytes:
    thing = {"kind": "Job", "apiVersion": "batch/v1", "metadata": {"resourceVersion": str(version)}, "spec": {}}
    return json.dumps({"type": "BOOKMARK", "object": thing}).encode() + b"\n"


def trouble(code: int) -> bytes:
    status = {"kind": "Status", "code": code, "message": f"trouble {code}"}
    return json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"


def page(version: int, *jobs: Manifest, more: str = "") -> Manifest:
    return {"metadata": {"resourceVersion": str(version), "continue": more}, "items": list(jobs)}


type Answer = Manifest | int | web.Response | Iterable[bytes]


@dataclass
class Script:
    """What is answered, in this order: lists, failures, the pieces of watches; after them, watches that wait."""

    answers: list[Answer] = field(default_factory=list[Answer])
    asked: list[Mapping[str, str]] = field(default_factory=list[Mapping[str, str]])
    asked_at: list[float] = field(default_factory=list[float])
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once all has been answered."""
    silent: bool = False
    """Whether a watch stays open and brings nothing more."""
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.query))
        self.asked_at.append(asyncio.get_running_loop().time())
        if not self.answers:
            self.over.set()
            await self.closed.wait()
            return web.Response()
        given = self.answers.pop(0)
        if isinstance(given, web.Response):
            return given
        if isinstance(given, int):
            return web.json_response({"message": f"refused with {given}"}, status=given)
        assert isinstance(given, dict) is not ("watch" in request.query), "a list, or a watch"
        if isinstance(given, dict):
            return web.json_response(given)
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in given:
            await response.write(piece)
        if self.silent:
            await self.closed.wait()
        return response

    @property
    def watched_from(self) -> list[str]:
        return [query["resourceVersion"] for query in self.asked if "watch" in query]

    @property
    def lists(self) -> int:
        return sum("watch" not in query for query in self.asked)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
async def cluster(script: Script) -> AsyncIterator[Cluster]:
    async with serve(script.answer) as connected:
        yield connected
        script.closed.set()


class Heard(list[tuple[str, str, bool]]):
    """Name, version and whether it is gone, of what was handed on; and what else was told."""

    relisted = failed = 0

    def take(self, change: Change[Job]) -> None:
        metadata = change.object.metadata
        self.append((metadata.name, metadata.resource_version, change.deleted))

    def note_listing(self) -> None:
        self.relisted += 1

    def note_failure(self) -> None:
        self.failed += 1


async def follow(cluster: Cluster, script: Script, *answers: Any, backoff: Backoff = SOON) -> Heard:
    """What a follower hands on of these answers."""
    heard = Heard()
    script.answers += answers
    follower = Follower(cluster, JOBS, Change[Job], heard.take, heard.note_listing, heard.note_failure, backoff)
    following = asyncio.create_task(follower.run(lambda: 0.5))
    over = asyncio.create_task(script.over.wait())
    await asyncio.wait({following, over}, return_when=asyncio.FIRST_COMPLETED, timeout=20)
    for task in (following, over):
        task.cancel()
    ends = await asyncio.gather(following, over, return_exceptions=True)
    assert isinstance(ends[0], asyncio.CancelledError), ends[0]
    assert script.over.is_set()
    return heard


async def test_everything_there_is_is_handed_on_and_what_becomes_of_it(cluster: Cluster, script: Script) -> None:
    changes = [told("ADDED", 8, "new"), told("MODIFIED", 9) + told("DELETED", 10)]
    heard = await follow(cluster, script, page(7, job(3), more="more"), page(7, job(5, "other")), changes)
    assert heard == [
        ("job", "3", False),
        ("other", "5", False),
        ("new", "8", False),
        ("job", "9", False),
        ("job", "10", True),
    ]
    assert (heard.relisted, heard.failed, script.lists) == (1, 0, 2)
    assert all(query["labelSelector"] == MANAGED for query in script.asked)


async def test_a_watch_that_ends_goes_on_from_where_it_was(cluster: Cluster, script: Script) -> None:
    heard = await follow(cluster, script, page(7), [told("ADDED", 8)], [], [told("MODIFIED", 9), bookmark(20)], [])
    assert script.watched_from == ["7", "8", "8", "20", "20"]
    assert (heard.relisted, heard.failed, script.lists) == (1, 0, 1)


@pytest.mark.parametrize("gone", [410, [trouble(410)]], ids=["as the answer", "in the stream"])
async def test_a_version_that_is_too_old_means_listing_again(cluster: Cluster, script: Script, gone: Any) -> None:
    heard = await follow(cluster, script, page(7, job(3)), [told("MODIFIED", 8)], gone, page(30, job(25)), [])
    assert heard == [("job", "3", False), ("job", "8", False), ("job", "25", False)]
    assert script.watched_from == ["7", "8", "30", "30"]
    assert (heard.relisted, heard.failed) == (2, 0)


@pytest.mark.parametrize("fault", [500, 429, [told("MODIFIED", 8), trouble(500)]])
async def test_any_other_trouble_is_noted_and_nothing_is_listed_again(
    cluster: Cluster, script: Script, fault: Any
) -> None:
    heard = await follow(cluster, script, page(7, job(3)), fault, [told("MODIFIED", 9)])
    assert heard[-1] == ("job", "9", False)
    assert (heard.relisted, heard.failed, script.lists) == (1, 1, 1)


async def test_the_pause_grows_with_the_failures_in_a_row(cluster: Cluster, script: Script) -> None:
    Noted.asked.clear()
    pauses = Noted(first_seconds=0.001, max_seconds=0.001)
    await follow(cluster, script, 500, 500, page(7), 500, [told("ADDED", 8)], 500, [], backoff=pauses)
    assert Noted.asked == [1, 2, 3, 1]


async def test_who_is_asked_to_wait_waits(cluster: Cluster, script: Script) -> None:
    refusal = web.json_response({"message": "busy"}, status=429, headers={"Retry-After": "1"})
    await follow(cluster, script, page(7), refusal, [])
    assert script.asked_at[2] - script.asked_at[1] >= 1


def test_news_of_both_kinds_reach_the_intake() -> None:
    cache = Cache()
    queue = WorkQueue(ManualTimetable(), lambda: 0.5)
    intake = Intake(cache, queue, Pulse(queue, lambda: 0.0))
    jobs, pods = follow_children(cast(Cluster, None), intake, lambda: None, lambda: None)
    for follower, manifest, shelf in (
        (jobs, job(8), cache.jobs),
        (pods, pod_manifest(), cache.pods),
    ):
        take = cast(Callable[[object], None], follower.take)
        take(follower.change.model_validate({"type": "ADDED", "object": manifest}))
        assert len(shelf) == 1
        take(follower.change.model_validate({"type": "DELETED", "object": manifest}))
        assert len(shelf) == 0
    assert len(queue) > 0


async def test_a_list_that_breaks_off_begins_anew(cluster: Cluster, script: Script) -> None:
    whole = page(9, job(3), job(8, "other"))
    heard = await follow(cluster, script, page(7, job(3), more="more"), 500, whole, [])
    assert heard[1:] == [("job", "3", False), ("other", "8", False)]
    assert script.watched_from == ["9", "9"]
    assert (heard.relisted, heard.failed) == (1, 1)


async def test_a_change_may_be_large_and_come_in_pieces(cluster: Cluster, script: Script) -> None:
    large = job(8)
    large["metadata"]["annotations"] = {"note": "x" * 700_000}
    line = json.dumps({"type": "MODIFIED", "object": large}).encode() + b"\n" + told("MODIFIED", 9)
    heard = await follow(cluster, script, page(7), [line[:10], line[10:300_000], line[300_000:]])
    assert [version for _, version, _ in heard] == ["8", "9"]


async def test_an_object_that_is_not_as_it_should_be_is_left_out_and_told_of(
    cluster: Cluster, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    odd, odder = job(3, "odd"), job(8, "odder")
    odd["spec"] = odder["spec"] = {"backoffLimit": "many"}
    change = json.dumps({"type": "MODIFIED", "object": odder}).encode() + b"\n"
    heard = await follow(cluster, script, page(7, odd, job(5)), [change], [told("MODIFIED", 9)])
    assert heard == [("job", "5", False), ("job", "9", False)]
    assert script.watched_from == ["7", "8", "9"]
    assert (heard.relisted, heard.failed) == (1, 0)
    words = "One of the jobs cannot be read, and is left out of account until it is mended or deleted"
    assert [record.getMessage().split(": ")[:2] for record in caplog.records] == [
        [words, "object.spec.backoffLimit"]
    ] * 2


async def test_what_cannot_be_read_is_trouble(cluster: Cluster, script: Script) -> None:
    nameless = json.dumps({"type": "ADDED", "object": {"metadata": {}}}).encode() + b"\n"
    for line in (nameless, b"no json\n"):
        script.answers.append([line])
        with pytest.raises(ClusterError, match="broken off"):
            async for _ in cluster.watch(JOBS, Change[Job], "7", seconds=60):
                pass


async def test_a_stream_that_is_silent_is_given_up(cluster: Cluster, script: Script) -> None:
    script.answers.append([told("ADDED", 8)])
    script.silent = True
    heard = [change async for change in cluster.watch(JOBS, Change[Job], "7", seconds=60, silence=0.1)]
    assert len(heard) == 1
