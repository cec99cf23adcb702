"""ClimateJobs that have ended and are to be deleted: found by a sweep over all of them, followed by a watch.

The operator holds nothing of a ClimateJob that has ended but, if that is soon, the time of its deletion. What ends
later, and a time that somebody changes after the end, comes over a watch of what has ended; a sweep in pages, at the
start and every now and then, finds what no watch has told of.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from climatejobs.model import Phase
from climatejobs_operator.cluster import CLIMATEJOBS, Change, Cluster, ClusterError
from climatejobs_operator.entries import read_entry
from climatejobs_operator.retention import find_expiry
from climatejobs_operator.settings import Settings
from climatejobs_operator.workqueue import Backoff, WorkQueue

ENDED = ",".join(["status.phase!=", *(f"status.phase!={phase}" for phase in Phase if not phase.terminal)])
"""Field selector of the ClimateJobs that have ended."""

logger = logging.getLogger(__name__)


class Expiry:
    """Knows which ClimateJobs fall due before the next sweep, and puts them in the queue when they do."""

    def __init__(self, cluster: Cluster, queue: WorkQueue, settings: Settings, *, now: Callable[[], datetime]) -> None:
        self._cluster = cluster
        self._queue = queue
        self._settings = settings
        self._now = now
        self._due: dict[str, datetime] = {}

    def __len__(self) -> int:
        return len(self._due)

    def get(self, name: str) -> datetime | None:
        """When a ClimateJob that has ended is to be deleted, if that is soon."""
        return self._due.get(name)

    def take(self, manifest: Mapping[str, object], *, deleted: bool = False) -> None:
        """News of a ClimateJob that has ended."""
        climatejob = read_entry(manifest).climatejob
        name = climatejob.metadata.name
        expires_at = None if deleted else find_expiry(climatejob, self._settings)
        wait = None if expires_at is None else expires_at - self._now()
        if expires_at is None or wait is None or wait > 2 * timedelta(seconds=self._settings.resync_seconds):
            self._due.pop(name, None)
        else:
            self._due[name] = expires_at
            self._queue.add_after(name, max(0.0, wait.total_seconds()))

    async def run(self, chance: Callable[[], float]) -> None:
        """Sweep and follow, for ever; `chance` gives jitter in [0, 1)."""
        failures = 0
        backoff = Backoff(first_seconds=0.5, max_seconds=60)
        while True:
            try:
                version = await self.sweep()
                failures = 0
                await self.follow(version, self._settings.resync_seconds * (0.9 + chance() / 5))
            except ClusterError as error:
                failures += 1
                logger.warning("The watch of ended ClimateJobs was interrupted: %s", error)
                await asyncio.sleep(backoff.delay(failures, chance()))

    async def sweep(self) -> str:
        """Look at every ClimateJob that has ended; the version from which to follow."""
        self._due.clear()
        version = ""
        async for page in self._cluster.list_pages(CLIMATEJOBS, fields=ENDED):
            for manifest in page.items:
                self.take(manifest)
            version = page.version
        return version

    async def follow(self, version: str, seconds: float) -> None:
        """Hear of those that end, and of changes after the end, for a time."""
        changes = self._cluster.watch(CLIMATEJOBS, Change[Mapping[str, object]], version, fields=ENDED, seconds=seconds)
        async for change in changes:
            if isinstance(change, Change):
                self.take(change.object, deleted=change.deleted)
