"""A job store without a cluster: the API's own cache, with the test in the operator's place."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from climatejobs.model import ClimateJob
from climatejobs_api.cluster.cache import JobCache
from climatejobs_api.cluster.jobs import await_change, build_manifest
from climatejobs_api.cluster.records import Record, decode_record
from climatejobs_api.store import EVERY_JOB, JobGone, NameTaken, NoLog, Position, Run, Selection, Submission

type Manifest = dict[str, Any]


class MemoryJobs:
    """Jobs that live as long as the test."""

    def __init__(self) -> None:
        self.cache = JobCache()
        self.alive = True
        self.synced = True
        self.age = 0.0
        self.runs: list[Run] = []
        self.logs: dict[str, asyncio.Queue[bytes | Exception | None]] = {}
        """What each run writes, by its key; None is its end."""
        self.asked: list[tuple[str, int | None]] = []
        """Logs that were opened, with the lines asked for."""
        self.reading = 0
        self._version = 0
        self._manifests: dict[str, Manifest] = {}

    def older(self, limit: int, *, than: Position | None = None, selection: Selection = EVERY_JOB) -> list[ClimateJob]:
        return _read(self.cache.newest_first(selection, before=than), limit)

    def newer(self, limit: int, *, than: Position, selection: Selection = EVERY_JOB) -> list[ClimateJob]:
        return _read(self.cache.oldest_first(selection, after=than), limit)[::-1]

    def place_in_line(self, job: ClimateJob) -> int | None:
        return self.cache.place_in_line(job.metadata.name)

    async def find(self, name: str) -> ClimateJob | None:
        record = self.cache.find(name)
        return record.read() if record else None

    async def submit(self, submission: Submission) -> ClimateJob:
        if submission.name in self._manifests:
            raise NameTaken
        manifest: Manifest = build_manifest(submission)
        created = submission.submitted_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        manifest["metadata"] |= {
            "namespace": "test",
            "uid": f"uid-{submission.name}",
            "creationTimestamp": created,
            "generation": 1,
        }
        return self._keep(manifest)

    async def cancel(self, job: ClimateJob) -> ClimateJob:
        return self.change(job.metadata.name, spec={"cancel": True})

    async def remove(self, job: ClimateJob) -> None:
        if self._manifests.pop(job.metadata.name, None) is None:
            raise JobGone
        self.cache.remove(job.metadata.name, job.metadata.uid)

    async def wait_for_end(self, job: ClimateJob, seconds: float) -> ClimateJob | None:
        await self.cache.wait_for_end(job.metadata.name, seconds)
        record = self.cache.find(job.metadata.name)
        return record.read() if record and record.ended else None

    async def wait_for_change(self, job: ClimateJob, seconds: float) -> ClimateJob | None:
        return await await_change(self.cache, job, seconds)

    async def list_runs(self, job: ClimateJob, shard: int) -> Sequence[Run]:
        return self.runs

    @asynccontextmanager
    async def open_log(self, run: Run, *, follow: bool, tail: int | None) -> AsyncGenerator[AsyncIterator[bytes]]:
        if run.key not in self.logs:
            raise NoLog
        self.asked.append((run.key, tail))
        self.reading += 1
        try:
            yield _drain(self.logs[run.key])
        finally:
            self.reading -= 1

    @property
    def stopping(self) -> bool:
        return not self.cache.open

    def stop_waiting(self) -> None:
        self.cache.stop_waiting()

    def change(self, name: str, *, spec: Manifest | None = None, **status: object) -> ClimateJob:
        """What the operator, or kubectl, does to a job."""
        manifest = self._manifests[name]
        manifest["spec"] |= spec or {}
        manifest["status"] = manifest.get("status", {}) | status
        return self._keep(manifest)

    def succeed(self, name: str, **results: object) -> ClimateJob:
        return self.change(name, phase="Succeeded", results=results, finishedAt=_now(), attempts=1)

    def fail(self, name: str, *, type_: str, detail: str = "no such data") -> ClimateJob:
        error = {"type": type_, "title": "No data for this request", "detail": detail, "hint": "Choose another start."}
        return self.change(name, phase="Failed", error=error, finishedAt=_now(), attempts=1)

    def manifest(self, name: str) -> Manifest:
        return self._manifests[name]

    def names(self) -> list[str]:
        return list(self._manifests)

    def _keep(self, manifest: Manifest) -> ClimateJob:
        self._version += 1
        manifest["metadata"]["resourceVersion"] = str(self._version)
        self._manifests[manifest["metadata"]["name"]] = manifest
        record = decode_record(json.dumps(manifest).encode())
        self.cache.put(record)
        return record.read()


async def _drain(written: asyncio.Queue[bytes | Exception | None]) -> AsyncIterator[bytes]:
    while (piece := await written.get()) is not None:
        if isinstance(piece, Exception):
            raise piece
        yield piece


def _read(records: Iterable[Record], limit: int) -> list[ClimateJob]:
    return [record.read() for record in islice(records, limit)]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
