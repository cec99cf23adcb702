"""The Jobs and pods that this operator made, followed without kopf.

Each of them changes up to ten times, and kopf gives each change a worker, a memory, causes and handlers, of which
nothing is used here: more than a third of what an operator under load does. The ClimateJobs are kopf's.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from climatejobs_operator.children import MANAGED
from climatejobs_operator.cluster import (
    JOBS,
    PODS,
    Bookmark,
    Change,
    Cluster,
    ClusterError,
    Expired,
    Resource,
    Unreadable,
)
from climatejobs_operator.entries import identify
from climatejobs_operator.faults import describe, leave_out
from climatejobs_operator.intake import Intake
from climatejobs_operator.jobs import Job
from climatejobs_operator.logs import fields
from climatejobs_operator.pods import Pod
from climatejobs_operator.workqueue import Backoff

WATCH_SECONDS = 600.0
"""The API server is asked to end a watch after so long."""
SILENT_SECONDS = 70.0
"""A stream that brings nothing for so long, not even a bookmark, is opened anew."""
REOPEN_SECONDS = 0.1
"""From the end of a watch to the next."""

_BACKOFF = Backoff(first_seconds=0.2, max_seconds=30)

logger = logging.getLogger(__name__)


@dataclass
class Follower[T: (Job, Pod)]:
    """Hands on what there is of one kind, and what becomes of it."""

    cluster: Cluster
    resource: Resource
    change: type[Change[T]]
    take: Callable[[Change[T]], None]
    relisted: Callable[[], None]
    """Called once a list has been handed on: what vanished before that is not known."""
    failed: Callable[[], None]
    """Called for every watch that breaks off."""
    backoff: Backoff = _BACKOFF
    _version: str = ""
    """What has been handed on; empty before a list."""
    _failures: int = 0
    """In a row."""

    async def run(self, chance: Callable[[], float]) -> None:
        """Follow for ever; `chance` gives jitter in [0, 1)."""
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
                pause = REOPEN_SECONDS
            except Expired:
                self._failures += 1
                self._version = ""
                pause = self.backoff.delay(self._failures, chance())
            except ClusterError as error:
                self._failures += 1
                pause = max(self.backoff.delay(self._failures, chance()), error.retry_after or 0)
                self.failed()
                logger.warning(
                    "The watch of %s broke off: %s; beginning anew in %.1f s",
                    self.resource.plural,
                    error,
                    pause,
                    extra=fields(n=self._failures),
                )
            await asyncio.sleep(pause)

    async def _list(self) -> None:
        version = ""
        async for page in self.cluster.list_pages(self.resource, labels=MANAGED):
            for manifest in page.items:
                try:
                    change = self.change.model_validate({"type": "ADDED", "object": manifest})
                except ValidationError as error:
                    leave_out(self.resource.plural, identify(manifest).name, describe(error))
                else:
                    self.take(change)
            version = page.version
        self._version = version
        self.relisted()

    async def _watch(self) -> None:
        changes = self.cluster.watch(
            self.resource, self.change, self._version, labels=MANAGED, seconds=WATCH_SECONDS, silence=SILENT_SECONDS
        )
        async for change in changes:
            self._failures = 0
            match change:
                case Change():
                    self.take(change)
                    self._version = change.object.metadata.resource_version
                case Unreadable(name, version, fault):
                    leave_out(self.resource.plural, name, fault)
                    self._version = version
                case Bookmark(version):
                    self._version = version


def follow_children(
    cluster: Cluster, intake: Intake, relisted: Callable[[], None], failed: Callable[[], None]
) -> Sequence[Follower[Job] | Follower[Pod]]:
    """Followers of everything that this operator makes."""

    def take_job(change: Change[Job]) -> None:
        intake.take_job(change.object, deleted=change.deleted)

    def take_pod(change: Change[Pod]) -> None:
        intake.take_pod(change.object, deleted=change.deleted)

    return (
        Follower(cluster, JOBS, Change[Job], take_job, relisted, failed),
        Follower(cluster, PODS, Change[Pod], take_pod, relisted, failed),
    )
