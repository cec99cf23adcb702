"""The job store over a cluster: writes go to the API server, reads come from the copy that an informer keeps."""

import asyncio
import logging
import random
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from pydantic import JsonValue

from climatejobs import names
from climatejobs.model import ClimateJob
from climatejobs_api.cluster.cache import JobCache
from climatejobs_api.cluster.client import ClusterClient
from climatejobs_api.cluster.informer import Informer
from climatejobs_api.cluster.records import Record, decode_record
from climatejobs_api.cluster.runs import decode_runs, select_pods
from climatejobs_api.store import EVERY_JOB, Position, Run, Selection, StoreAway, Submission, UnreadableJob

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,251}[a-z0-9])?")
_log = logging.getLogger(__name__)


class ClusterJobs:
    """All ClimateJobs of one namespace."""

    def __init__(
        self, client: ClusterClient, *, stale_seconds: float, listed: Callable[[], None] = lambda: None
    ) -> None:
        """Reads are refused once they may be so far behind; `listed` is told whenever all jobs have been read."""
        self._client = client
        self._stale_seconds = stale_seconds
        self._cache = JobCache()
        self._informer = Informer(client, self._cache, jitter=random.random, listed=listed)
        self._following: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def follow(self) -> AsyncGenerator[None]:
        """Keep the copy up to date for as long as the block lasts."""
        self._following = asyncio.create_task(self._informer.run(), name="informer")
        self._following.add_done_callback(_report_defect)
        try:
            yield
        finally:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following
            await self._client.close()

    @property
    def alive(self) -> bool:
        return self._following is not None and not self._following.done()

    @property
    def synced(self) -> bool:
        return self._informer.synced.is_set()

    @property
    def age(self) -> float:
        return self._informer.age

    @property
    def lists(self) -> int:
        """How often all jobs have been listed: once, and again whenever the watch has lost its place."""
        return self._informer.lists

    def __len__(self) -> int:
        return len(self._cache)

    def older(self, limit: int, *, than: Position | None = None, selection: Selection = EVERY_JOB) -> list[ClimateJob]:
        self._require_current()
        return _read_some(self._cache.newest_first(selection, before=than), limit)

    def newer(self, limit: int, *, than: Position, selection: Selection = EVERY_JOB) -> list[ClimateJob]:
        self._require_current()
        return _read_some(self._cache.oldest_first(selection, after=than), limit)[::-1]

    def place_in_line(self, job: ClimateJob) -> int | None:
        return self._cache.place_in_line(job.metadata.name)

    async def find(self, name: str) -> ClimateJob | None:
        self._require_current()
        record = self._cache.find(name)
        if record is None and _NAME.fullmatch(name):
            # Another replica may have made it a moment ago: nobody is told 404 after a 202.
            content = await self._client.get(name)
            if content is not None:
                record = self._take(content)
        return record.read() if record else None

    async def submit(self, submission: Submission) -> ClimateJob:
        return self._take(await self._client.create(build_manifest(submission))).read()

    async def cancel(self, job: ClimateJob) -> ClimateJob:
        return self._take(await self._client.patch(job.metadata.name, {"spec": {"cancel": True}})).read()

    async def remove(self, job: ClimateJob) -> None:
        await self._client.delete(job.metadata.name, job.metadata.uid)
        self._cache.remove(job.metadata.name, job.metadata.uid)

    async def wait_for_end(self, job: ClimateJob, seconds: float) -> ClimateJob | None:
        await self._cache.wait_for_end(job.metadata.name, seconds)
        record = self._cache.find(job.metadata.name)
        return record.read() if record and record.ended and record.uid == job.metadata.uid else None

    async def wait_for_change(self, job: ClimateJob, seconds: float) -> ClimateJob | None:
        return await await_change(self._cache, job, seconds)

    async def list_runs(self, job: ClimateJob, shard: int) -> Sequence[Run]:
        selector = select_pods(job.metadata.uid, shard=shard if job.spec.parallelism > 1 else None)
        return decode_runs(await self._client.list_pods(selector), job.status)

    def open_log(
        self, run: Run, *, follow: bool, tail: int | None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        return self._client.open_log(run.key, follow=follow, tail=tail)

    @property
    def stopping(self) -> bool:
        return not self._cache.open

    def stop_waiting(self) -> None:
        self._cache.stop_waiting()
        self._client.end_logs()

    def _take(self, content: bytes) -> Record:
        """Keep what a call has brought, so that every later read sees it."""
        record = decode_record(content)
        self._cache.put_own(record)
        return self._cache.find(record.name) or record

    def _require_current(self) -> None:
        if not self.synced:
            raise StoreAway("the jobs have not been read from the cluster yet", retry_after=1)
        if self.age > self._stale_seconds:
            raise StoreAway(f"the cluster has not been heard of for {self.age:.0f} s; what is known of jobs is too old")


async def await_change(cache: JobCache, job: ClimateJob, seconds: float) -> ClimateJob | None:
    """The job as soon as the cache has a newer state of it; `job` itself where that takes longer, None once removed."""
    name, version = job.metadata.name, int(job.metadata.resource_version)
    await cache.wait_for_change(name, version, seconds)
    record = cache.find(name)
    if record is None or record.uid != job.metadata.uid:
        return None
    return record.read() if record.version > version else job


def build_manifest(submission: Submission) -> dict[str, JsonValue]:
    """The ClimateJob that a submission asks for."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {
            "name": submission.name,
            "labels": {names.LABEL_PROCESS: submission.spec.process},
            "annotations": {
                names.ANNOTATION_SUBMITTED_AT: submission.submitted_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                names.ANNOTATION_REQUEST_ID: submission.request_id,
                **({names.ANNOTATION_BASE_URL: submission.base_url} if submission.base_url else {}),
                **({names.ANNOTATION_REQUEST_DIGEST: submission.digest} if submission.digest else {}),
            },
        },
        "spec": {**submission.spec.to_manifest(), "inputs": dict(submission.inputs)},
    }


def _read_some(records: Iterable[Record], limit: int) -> list[ClimateJob]:
    jobs: list[ClimateJob] = []
    for record in records:
        if len(jobs) == limit:
            break
        try:
            jobs.append(record.read())
        except UnreadableJob as error:
            # One record that somebody has bent must not take the list from everyone.
            _log.warning("left out of a list: %s", error, exc_info=error.__cause__)
    return jobs


def _report_defect(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.critical("jobs are no longer followed; /livez fails from now on", exc_info=task.exception())
