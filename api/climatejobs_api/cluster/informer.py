"""Keeps the copy of all jobs up to date: list, watch, and list again where the watch has lost its place.

It never gives up. A watch that has been silent for longer than the API server's bookmarks are apart is taken for
dead, because a connection may be gone without either end being told.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Protocol

from climatejobs_api.cluster.cache import JobCache
from climatejobs_api.cluster.client import WatchExpired
from climatejobs_api.cluster.records import (
    Record,
    decode_bookmark,
    decode_event,
    decode_failure,
    decode_page,
    decode_record,
)
from climatejobs_api.store import StoreAway, StoreError

PAGE = 500
WATCH_SECONDS = 300
SILENCE_SECONDS = 70.0
LONGEST_PAUSE = 30.0

_log = logging.getLogger(__name__)


class Source(Protocol):
    """Where jobs are listed and watched."""

    async def list_page(self, limit: int, following: str) -> bytes: ...

    def watch(self, version: str, *, seconds: int, silence: float) -> AsyncGenerator[bytes]:
        """Lines, an empty one first as soon as the watch is open."""
        ...


class Informer:
    """Follows a source into a cache, for as long as it runs."""

    def __init__(
        self,
        source: Source,
        cache: JobCache,
        *,
        jitter: Callable[[], float],
        listed: Callable[[], None] = lambda: None,
        silence: float = SILENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`jitter` gives numbers between 0 and 1, `clock` seconds that never go back; `listed` is told of lists."""
        self._source = source
        self._cache = cache
        self._jitter = jitter
        self._listed = listed
        self._silence = silence
        self._clock = clock
        self._failures = 0
        self._version = ""
        """Up to which all changes have been taken; empty where everything has to be listed first."""
        self._watching = False
        self._heard = clock()
        """When the source was last heard of."""
        self.lists = 0
        """How often all jobs have been listed."""
        self.synced = asyncio.Event()

    @property
    def age(self) -> float:
        """Seconds by which the cache may be behind: 0 while a watch is open, else those since the last word."""
        return 0.0 if self._watching else self._clock() - self._heard

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                if not self._version:
                    await self._list()
                begun = self._version
                await self._follow()
                if self._version == begun:
                    # Even a quiet watch brings bookmarks; one that brings nothing must not be renewed in a loop.
                    await self._pause(StoreAway("the watch ended without a word"))
            except WatchExpired:
                _log.info("the watch has lost its place; listing all jobs again")
                self._version = ""
            except StoreError as error:
                await self._pause(error)

    async def _follow(self) -> None:
        """Take all that one watch brings."""
        # Spread, so that replicas which started together do not renew their watches together.
        seconds = round(WATCH_SECONDS * (1 + self._jitter()))
        try:
            async with aclosing(self._source.watch(self._version, seconds=seconds, silence=self._silence)) as lines:
                async for line in lines:
                    self._watching, self._heard = True, self._clock()
                    if line:
                        self._version = self._take(line) or self._version
                        self._cache.advance(int(self._version))
                        self._failures = 0
        finally:
            self._watching = False

    async def _list(self) -> None:
        begun = self._clock()
        removed_before = self._cache.removed()
        records: list[Record] = []
        following, version = "", ""
        while not version or following:
            page = decode_page(await self._source.list_page(PAGE, following))
            records += page.records
            version, following = page.version, page.following
        self._cache.replace(records, int(version), removed_before=removed_before)
        self._listed()
        self.lists += 1
        self._version, self._heard = version, begun
        self.synced.set()
        self._failures = 0
        _log.info("listed %s jobs", len(records), extra={"jobs": len(records), "resourceVersion": version})

    def _take(self, line: bytes) -> str | None:
        """Take one line of a watch; gives the version that it brings us to."""
        event = decode_event(line)
        match event.type:
            case "ADDED" | "MODIFIED":
                record = decode_record(event.object)
                self._cache.put(record)
                return str(record.version)
            case "DELETED":
                record = decode_record(event.object)
                self._cache.drop(record.name, record.uid)
                return str(record.version)
            case "BOOKMARK":
                return decode_bookmark(event.object)
            case "ERROR":
                failure = decode_failure(event.object)
                if failure.code == 410:
                    raise WatchExpired
                raise StoreAway(f"the watch ended: {failure.code} {failure.reason} {failure.message}")
            case other:
                _log.warning("a watch event of unknown type %s is ignored", other)
                return None

    async def _pause(self, error: StoreError) -> None:
        seconds = min(0.1 * 2**self._failures, LONGEST_PAUSE) * (0.5 + self._jitter() / 2)
        self._failures = min(self._failures + 1, 16)
        _log.warning("following the jobs failed (%s); trying again in %.1f s", error, seconds)
        await asyncio.sleep(seconds)
