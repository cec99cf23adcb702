"""Delivers callbacks: finds those that are due, sends them, and records what came of it.

A job that has ended is outside the operator's watch; what is due of it is found by a list that selects on the status,
at the start and every now and then. In between, whatever writes or hears such a status adds it here.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Protocol

from climatejobs import names
from climatejobs.model import Callback, ClimateJob
from climatejobs.ogc.links import Links
from climatejobs_operator.callbacks import (
    Outcome,
    build_payload,
    find_address,
    find_next,
    record_outcome,
    replace_record,
)
from climatejobs_operator.cluster import CLIMATEJOBS, Cluster, ClusterError, Conflict, NotFound
from climatejobs_operator.entries import identify, read_entry
from climatejobs_operator.logs import fields
from climatejobs_operator.workqueue import WorkQueue

DUE = "status.callbacksDue=true"
"""Field selector of the ClimateJobs of which somebody is still to be told."""
WORKERS = 4
"""A receiver that takes its time holds up a quarter of the others, for ten seconds."""

logger = logging.getLogger(__name__)


class Post(Protocol):
    """Sends a body somewhere."""

    async def post(self, url: str, body: str, headers: Mapping[str, str]) -> Outcome:
        """What came of it; never raises because of the receiver."""
        ...


class Deliveries:
    """Works callbacks off, in a queue of its own."""

    def __init__(
        self, cluster: Cluster, post: Post, queue: WorkQueue, *, public_url: str | None, now: Callable[[], datetime]
    ) -> None:
        self._cluster = cluster
        self._post = post
        self._queue = queue
        self._public_url = public_url
        self._now = now
        self._unrecorded: dict[tuple[str, str], Outcome] = {}
        """What has been delivered, by job uid and event, while the cluster does not take the record of it."""

    def parts(self, period: float) -> list[Coroutine[None, None, None]]:
        """What runs for as long as callbacks are delivered; `period` (seconds) is that of looking for what is due."""
        return [self.sweep(period), *(self.work() for _ in range(WORKERS))]

    async def sweep(self, period: float) -> None:
        """Look for what is due, now and every period (seconds), for ever."""
        while True:
            try:
                async for page in self._cluster.list_pages(CLIMATEJOBS, fields=DUE):
                    for manifest in page.items:
                        self._queue.add(identify(manifest).name)
            except ClusterError as error:
                logger.warning("Callbacks that are due cannot be listed: %s", error)
                await asyncio.sleep(min(period, 10))
                continue
            await asyncio.sleep(period)

    async def work(self) -> None:
        """Deliver for ever. Whatever goes wrong with one job costs that job a pause and nothing else."""
        while True:
            name = await self._queue.take()
            try:
                due_at = await self.deliver(name)
            except ClusterError as error:
                pause = self._queue.retry(name)
                logger.warning("%s; trying again in %.1f s", error, pause, extra=fields(job=name))
            except Exception:
                pause = self._queue.retry(name)
                logger.exception("Unexpected failure; trying again in %.1f s", pause, extra=fields(job=name))
            else:
                self._queue.forget(name)
                if due_at is not None:
                    self._queue.add_after(name, max(0.0, (due_at - self._now()).total_seconds()))
            finally:
                self._queue.finish(name)

    async def deliver(self, name: str) -> datetime | None:
        """Deliver one callback of a job and record it; the time at which to look again, if anything is left."""
        try:
            climatejob = read_entry(await self._cluster.get(CLIMATEJOBS, name)).climatejob
        except NotFound:
            return None
        now = self._now()
        record, due_at = find_next(climatejob.status, now)
        if record is None:
            return due_at
        key = (climatejob.metadata.uid, record.event)
        # Remembered until it is recorded: only a death in between makes a second delivery of it.
        outcome = self._unrecorded.get(key) or await self._send(climatejob, record)
        self._unrecorded[key] = outcome
        await self._record(climatejob, record_outcome(record, outcome, self._now()))
        del self._unrecorded[key]
        return self._now()

    async def _send(self, climatejob: ClimateJob, record: Callback) -> Outcome:
        subscriber = climatejob.spec.subscriber
        url = find_address(subscriber, record.event) if subscriber is not None else None
        if url is None:
            return Outcome("the job names no address for this event", final=True)
        metadata = climatejob.metadata
        base = self._public_url or metadata.annotations.get(names.ANNOTATION_BASE_URL) or ""
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "climatejobs",
            # The same for every try, so that a receiver can tell a repetition.
            "Idempotency-Key": f'"{metadata.uid}-{record.event}"',
        }
        outcome = await self._post.post(url, build_payload(climatejob, record.event, Links(base)), headers)
        logger.info("Callback %s", outcome.failure or "delivered", extra=fields(job=metadata.name, event=record.event))
        return outcome

    async def _record(self, climatejob: ClimateJob, record: Callback) -> None:
        """Write the record; a status that has moved on meanwhile is read again, and the record put into that."""
        metadata = climatejob.metadata
        while True:
            status = replace_record(climatejob.status, record).to_manifest()
            members = {member: status[member] for member in ("callbacks", "callbacksDue")}
            try:
                await self._cluster.patch_status(CLIMATEJOBS, metadata.name, metadata.resource_version, members)
                return
            except NotFound:
                return
            except Conflict:
                climatejob = read_entry(await self._cluster.get(CLIMATEJOBS, metadata.name)).climatejob
                if climatejob.metadata.uid != metadata.uid or not climatejob.status.callbacks:
                    return
                metadata = climatejob.metadata
