"""The informer against a source that the test scripts line by line."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

from climatejobs_api.cluster.cache import JobCache
from climatejobs_api.cluster.client import WatchExpired
from climatejobs_api.cluster.informer import Informer
from climatejobs_api.store import StoreAway
from tests.unit.api.conftest import until
from tests.unit.api.manifests import manifest

type Step = bytes | Exception


class ScriptedSource:
    """Lists and watches that go as written; after the last watch there is silence."""

    def __init__(self, lists: list[list[dict[str, Any]] | Exception], watches: list[list[Step]]) -> None:
        self._lists = lists
        self._watches = watches
        self.watched_from: list[str] = []

    async def list_page(self, limit: int, following: str) -> bytes:
        items = self._lists[0]
        if isinstance(items, Exception):
            self._lists.pop(0)
            raise items
        start = int(following or 0)
        page: dict[str, Any] = {"metadata": {"resourceVersion": "100"}, "items": items[start : start + 1]}
        if start + 1 < len(items):
            page["metadata"]["continue"] = str(start + 1)
        else:
            self._lists.pop(0)
        return json.dumps(page).encode()

    async def watch(self, version: str, *, seconds: int, silence: float) -> AsyncGenerator[bytes]:
        self.watched_from.append(version)
        steps = self._watches.pop(0) if self._watches else None
        if steps is None:
            yield b""
            await asyncio.Event().wait()
        for step in steps or ():
            if isinstance(step, Exception):
                raise step
            yield step


def event(kind: str, **members: Any) -> bytes:
    return json.dumps({"type": kind, "object": manifest(**members)}).encode()


def bookmark(version: int) -> bytes:
    return json.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(version)}}}).encode()


def failure(code: int) -> bytes:
    return json.dumps({"type": "ERROR", "object": {"code": code, "reason": "X", "message": "m"}}).encode()


async def follow(source: ScriptedSource, done: Callable[[JobCache], bool]) -> JobCache:
    cache = JobCache()
    informer = Informer(source, cache, jitter=lambda: 0.0)
    task = asyncio.create_task(informer.run())
    try:
        await until(lambda: task.done() or (informer.synced.is_set() and done(cache)))
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return cache


def version_of(cache: JobCache, name: str) -> int | None:
    found = cache.find(name)
    return found.version if found else None


async def test_all_pages_are_listed_and_then_watched() -> None:
    source = ScriptedSource([[manifest("a"), manifest("b"), manifest("c")]], [[event("ADDED", name="d", version=101)]])
    cache = await follow(source, lambda cache: len(cache) == 4)
    assert version_of(cache, "d") == 101
    assert source.watched_from[0] == "100"


async def test_a_watch_is_renewed_from_where_it_ended() -> None:
    source = ScriptedSource(
        [[manifest("a")]],
        [
            [event("MODIFIED", name="a", version=105), bookmark(120)],
            [event("DELETED", name="a", version=121), b""],
        ],
    )
    await follow(source, lambda cache: len(cache) == 0 and len(source.watched_from) == 3)
    assert source.watched_from == ["100", "120", "121"]


async def test_a_lost_place_means_listing_again_and_taking_away_what_is_gone() -> None:
    for lost in (failure(410), WatchExpired()):
        source = ScriptedSource([[manifest("a"), manifest("b")], [manifest("b", version=50)]], [[lost]])
        cache = await follow(source, lambda cache: cache.find("a") is None)
        assert version_of(cache, "b") == 50


async def test_every_failure_is_survived() -> None:
    source = ScriptedSource(
        [StoreAway("down"), WatchExpired(), [manifest("a")]],
        [[StoreAway("cut off")], [failure(500)], [], [event("ADDED", name="b", version=101)]],
    )
    cache = await follow(source, lambda cache: len(cache) == 2)
    assert version_of(cache, "b") == 101


async def test_unknown_events_are_ignored() -> None:
    source = ScriptedSource([[]], [[b'{"type":"NEW","object":{}}', event("ADDED", name="a", version=101)]])
    await follow(source, lambda cache: len(cache) == 1)


async def test_the_age_counts_from_the_last_word_while_no_watch_is_open() -> None:
    now = 0.0
    ages: list[float] = []

    class Source(ScriptedSource):
        """A second passes with every step; the second watch is refused."""

        async def list_page(self, limit: int, following: str) -> bytes:
            nonlocal now
            now += 1
            return await super().list_page(limit, following)

        async def watch(self, version: str, *, seconds: int, silence: float) -> AsyncGenerator[bytes]:
            nonlocal now
            now += 1
            ages.append(informer.age)
            async for line in super().watch(version, seconds=seconds, silence=silence):
                yield line
                now += 1
                ages.append(informer.age)

    source = Source([[manifest("a")]], [[b"", bookmark(120)], [StoreAway("refused")]])
    informer = Informer(source, JobCache(), jitter=lambda: 0.0, clock=lambda: now)
    task = asyncio.create_task(informer.run())
    await until(lambda: len(source.watched_from) == 3)
    await until(lambda: informer.age == 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    # Listed from 0 on, open at 2, a word at 3, over at 4, refused at 5, tried again and open at 6.
    assert ages == [2, 0, 0, 2, 3, 0]


async def test_every_list_is_told_of_once_its_jobs_are_in_the_cache() -> None:
    source = ScriptedSource([[manifest("a")], [manifest("b"), manifest("c")]], [[failure(410)]])
    cache = JobCache()
    sizes: list[int] = []
    informer = Informer(source, cache, jitter=lambda: 0.0, listed=lambda: sizes.append(len(cache)))
    task = asyncio.create_task(informer.run())
    try:
        await until(lambda: informer.lists == 2)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert sizes == [1, 2]
