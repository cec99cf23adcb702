"""The full comparison: lists what there is and puts right what a watch has lost, deletions above all.

Nobody is told of a deletion that happens between two watches (a 410, a restart), so a comparison follows every list
with which a watch begins, and one is made every resync period in any case.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from climatejobs_operator.cache import Cache, pod_job_name
from climatejobs_operator.children import MANAGED
from climatejobs_operator.cluster import CLIMATEJOBS, JOBS, PODS, Cluster, ClusterError, Page, Resource
from climatejobs_operator.entries import Entry, identify, read_entry
from climatejobs_operator.faults import describe, leave_out
from climatejobs_operator.handlers import LIVE
from climatejobs_operator.jobs import Job
from climatejobs_operator.logs import fields
from climatejobs_operator.pods import Pod
from climatejobs_operator.pulse import Pulse
from climatejobs_operator.shelf import HasMetadata, Shelf
from climatejobs_operator.workqueue import Backoff, WorkQueue

SETTLE_SECONDS = 10.0
"""From the last object of a watch's list to the comparison that follows it; less where comparisons come more often."""

logger = logging.getLogger(__name__)


class Resync:
    """Compares the cache with the cluster, when told to and every now and then."""

    def __init__(
        self,
        cluster: Cluster,
        cache: Cache,
        queue: WorkQueue,
        pulse: Pulse,
        period: float,
        *,
        count_put_right: Callable[[str, int], None] = lambda _kind, _number: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._queue = queue
        self._pulse = pulse
        self._period = period
        self._count_put_right = count_put_right
        self._sleep = sleep
        self._relisted = asyncio.Event()
        self.synced = asyncio.Event()
        """Set once the cache holds all there is, so that decisions can be made from it."""

    def note_listing(self) -> None:
        """A watch hands on what it begins with, a list: what vanished before that, it does not know."""
        self._relisted.set()

    async def run(self, chance: Callable[[], float]) -> None:
        """Compare for ever; `chance` gives jitter in [0, 1)."""
        failures = 0
        backoff = Backoff(first_seconds=0.5, max_seconds=60)
        while True:
            try:
                await self.compare()
            except ClusterError as error:
                failures += 1
                logger.warning("The comparison with the cluster failed: %s", error)
                await self._sleep(backoff.delay(failures, chance()))
                continue
            failures = 0
            if not self.synced.is_set():
                self.synced.set()
                self._relisted.set()  # the watches list at about the same time, and need not find anything to tell of
            try:
                await asyncio.wait_for(self._relisted.wait(), self._period * (0.9 + chance() / 5))
            except TimeoutError:
                continue
            await self._settle()

    async def _settle(self) -> None:
        """Wait until the watches have handed on all they list, which takes a while where there are thousands.

        Where they never come to an end of it, a comparison is due after its period in any case.
        """
        pause = min(SETTLE_SECONDS, self._period)
        for _ in range(round(self._period / pause)):
            self._relisted.clear()
            await self._sleep(pause)
            if not self._relisted.is_set():
                return

    async def compare(self) -> None:
        """One comparison; every job in hand is looked at afterwards."""
        # Jobs and pods before ClimateJobs: one that is known then has all that had been made for it.
        pods = _Comparison(PODS, self._cache.pods, Pod.model_validate, pod_job_name)
        jobs = _Comparison(JOBS, self._cache.jobs, Job.model_validate, lambda job: job.metadata.name)
        climatejobs = _Comparison(CLIMATEJOBS, self._cache.climatejobs, read_entry, lambda entry: entry.metadata.name)
        for children in (pods, jobs):
            async for page in self._cluster.list_pages(children.resource, labels=MANAGED):
                children.look_at(page)
        # Both at once: a pod that has gone with its Job would be missed while the Job is still believed in.
        repaired = {JOBS.plural: self._put_right(jobs), PODS.plural: self._put_right(pods)}
        count = 0
        async for page in self._cluster.list_pages(CLIMATEJOBS, fields=LIVE):
            climatejobs.look_at(page)
            count += self._take_in(climatejobs)  # page by page: there may be thousands
        repaired[CLIMATEJOBS.plural] = count + self._put_right(climatejobs)
        for kind, number in repaired.items():
            self._count_put_right(kind, number)
        for name in self._cache.climatejobs.names():
            self._queue.add(name, patient=True)
        logger.info(
            "Compared with the cluster: %s",
            ", ".join(f"{count} {kind} put right" for kind, count in repaired.items()),
            extra=fields(jobs=len(self._cache.climatejobs)),
        )

    def _put_right[T: HasMetadata](self, seen: "_Comparison[T]") -> int:
        """Take in what a whole list has shown; how much was new."""
        repaired = self._take_in(seen)
        gone = seen.shelf.find_gone(seen.listed, seen.version)
        for item in gone:
            self._pulse.hear(seen.resource.plural, item.metadata.name, seen.version)
            if isinstance(item, Entry):
                self._cache.end(item.metadata.name, item.metadata.version)
            else:
                seen.shelf.discard([item])
            self._queue.add(seen.key(item))
        return repaired + len(gone)

    def _take_in[T: HasMetadata](self, seen: "_Comparison[T]") -> int:
        news, seen.news = seen.news, []
        for item in news:
            if seen.shelf.put(item):
                self._queue.add(seen.key(item))
        return len(news)


@dataclass
class _Comparison[T: HasMetadata]:
    """A list of one kind, held against what is known."""

    resource: Resource
    shelf: Shelf[T]
    read: Callable[[Mapping[str, object]], T]
    key: Callable[[T], str]
    """Which ClimateJob an object belongs to."""
    version: int = 0
    """Of the list."""
    listed: set[str] = field(default_factory=set[str])
    news: list[T] = field(default_factory=list[T])
    """Objects of which a later version is listed than is known."""

    def look_at(self, page: Page) -> None:
        """Note what is there, and read what is new."""
        self.version = int(page.version)
        for manifest in page.items:
            identity = identify(manifest)
            self.listed.add(identity.name)
            if not self.shelf.is_news(identity.name, identity.version):
                continue
            try:
                self.news.append(self.read(manifest))
            except ValidationError as error:
                leave_out(self.resource.plural, identity.name, describe(error))
