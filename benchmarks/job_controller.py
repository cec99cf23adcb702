"""Everything that turns a Job into an ended pod, played on a bare control plane.

Jobs and pods get the writes that the Job controller, the scheduler and a kubelet give them, in the order and with the
pauses that a watch of a real node's Jobs shows. Nothing runs, so what is measured is how fast decisions are made and
written.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from pydantic import JsonValue

from api_server import ApiServer, Object
from climatejobs import names
from climatejobs.results import ResultDocument
from node import Node

SYNCS = 10
"""Jobs that the Job controller looks at at a time: our clusters' `--concurrent-job-syncs`."""
NODES = 10
"""Each has a kubelet, which tells of one pod at a time."""
SYNC_SECONDS = 1.0
"""The Job controller takes up what has become of a Job's pods so long afterwards."""
TEARDOWN_SECONDS = 1.1
"""From what a kubelet says of a container's end to what it says of the pod's."""
_FINALIZER = "batch.kubernetes.io/job-tracking"
_DATASET: dict[str, JsonValue] = {
    "id": "era5-land-hourly_1d_mean",
    "version": "0123456789abcdef",
    "store": "datasets/era5-land-hourly_1d_mean/versions/0123456789abcdef.zarr",
    "variables": ["t2m"],
    "coverage": {"start": "2025-01-01T00:00:00Z", "end": "2025-12-31T00:00:00Z"},
    "reused": False,
}
_RESULT = ResultDocument(outputs={"dataset": _DATASET}).to_json()


class JobController:
    """Plays the life of every Job of one namespace."""

    def __init__(self, server: ApiServer, compute: Callable[[str], Awaitable[None]]) -> None:
        self._server = server
        self._all_nodes = [Node(server, f"node-{number}") for number in range(NODES)]
        self._nodes = itertools.cycle(self._all_nodes)
        """Whose turn it is to get a pod."""
        self._syncs = asyncio.Semaphore(SYNCS)
        self._compute = compute
        """Returns when the pod of the Job of that name is to end."""
        self._lives: set[str] = set()
        self.seen_at: dict[str, float] = {}
        """When a Job was first seen, by the monotonic clock."""
        self.pod_ended: set[str] = set()
        """Jobs whose pod has ended: from then on the slot is free, though the Job controller has yet to say so."""
        self._changed = asyncio.Condition()

    @property
    def running(self) -> int:
        """Jobs whose life is not over."""
        return len(self._lives)

    async def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait for something that becomes true when a Job is made, its pod ends, or its life is over."""
        async with self._changed:
            await self._changed.wait_for(holds)

    async def run(self) -> None:
        """Follow the namespace until cancelled. A write that fails ends it: then nothing that is measured counts."""
        async with asyncio.TaskGroup() as lives:
            for node in self._all_nodes:
                await node.register()
                lives.create_task(node.beat())
            async for job in self._server.watch_additions(self._server.path("batch/v1", "jobs")):
                name = job["metadata"]["name"]
                if name not in self.seen_at:
                    self.seen_at[name] = time.monotonic()
                    self._lives.add(name)
                    lives.create_task(self._follow(job))
                    await self._tell()

    async def _follow(self, job: Object) -> None:
        await self._live(job)
        self._lives.discard(job["metadata"]["name"])
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _live(self, job: Object) -> None:
        name = job["metadata"]["name"]
        node = next(self._nodes)
        pod = f"{name}-0"
        begun: Object = {"startTime": _now(), "active": 1, "ready": 0}
        async with self._syncs:
            uid = await self._make_pod(job)
            await self._tell_of(job, begun)
        await node.bind(pod)
        creating = {"waiting": {"reason": "ContainerCreating"}}
        await node.tell(pod, _pod_says("Pending", creating))
        started = _now()
        phase = "Pending"
        computing = asyncio.ensure_future(self._compute(name))
        await asyncio.wait({computing}, timeout=0)
        ready = False
        if not computing.done():  # a container that has ended when the kubelet looks first is never said to run
            phase = "Running"
            await node.tell(pod, _pod_says(phase, {"running": {"startedAt": started}}))
            await asyncio.wait({computing}, timeout=SYNC_SECONDS)
            ready = not computing.done()
            if ready:
                async with self._syncs:
                    await self._tell_of(job, {**begun, "ready": 1})
        await computing
        terminated = {"exitCode": 0, "reason": "Completed", "message": _RESULT}
        terminated |= {"startedAt": started, "finishedAt": _now()}
        await node.tell(pod, _pod_says(phase, {"terminated": terminated}))
        self.pod_ended.add(name)
        await self._tell()
        await asyncio.sleep(SYNC_SECONDS)
        if ready:
            async with self._syncs:
                await self._tell_of(job, begun)
        await asyncio.sleep(TEARDOWN_SECONDS - SYNC_SECONDS)
        await node.tell(pod, _pod_says("Succeeded", {"terminated": terminated}))
        await asyncio.sleep(SYNC_SECONDS)
        async with self._syncs:
            await self._count(job, uid, begun)

    async def _make_pod(self, job: Object) -> str:
        pod = await self._server.post(self._server.path("v1", "pods"), _pod(job))
        return pod["metadata"]["uid"]

    async def _count(self, job: Object, uid: str, begun: Object) -> None:
        """What the Job controller does of a pod that has succeeded."""
        pod = self._server.path("v1", "pods", f"{job['metadata']['name']}-0")
        accepted = _condition("SuccessCriteriaMet")
        over: Object = {**begun, "active": 0}
        counting: Object = {"uncountedTerminatedPods": {"succeeded": [uid]}}
        await self._tell_of(job, {**over, **counting, "conditions": [accepted]})
        await self._server.merge(pod, {"metadata": {"finalizers": None}})
        counted: Object = {"uncountedTerminatedPods": {}, "succeeded": 1, "completionTime": _now()}
        await self._tell_of(job, {**over, **counted, "conditions": [accepted, _condition("Complete")]})

    async def _tell_of(self, job: Object, status: Object) -> None:
        """Replace a Job's status, as the Job controller does."""
        metadata = {key: value for key, value in job["metadata"].items() if key != "resourceVersion"}
        path = self._server.path("batch/v1", "jobs", metadata["name"], "status")
        await self._server.replace(path, {**job, "metadata": metadata, "status": status})


def _pod(job: Object) -> Object:
    name, uid = job["metadata"]["name"], job["metadata"]["uid"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid, "controller": True}
    template = job["spec"]["template"]
    metadata = {"name": f"{name}-0", "finalizers": [_FINALIZER], "ownerReferences": [owner]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**metadata, "labels": template["metadata"]["labels"]},
        "spec": template["spec"],
    }


def _pod_says(phase: str, state: Object) -> Object:
    running = "running" in state
    return {
        "phase": phase,
        "conditions": [
            {"type": "PodScheduled", "status": "True"},
            {"type": "Ready", "status": "True" if running else "False", "lastTransitionTime": _now()},
        ],
        "containerStatuses": [
            {
                "name": names.RUNNER_CONTAINER,
                "image": "runner",
                "imageID": "",
                "ready": running,
                "restartCount": 0,
                "state": state,
            }
        ],
    }


def _condition(type_: str) -> Object:
    return {
        "type": type_,
        "status": "True",
        "reason": "CompletionsReached",
        "message": "Reached expected number of succeeded pods",
        "lastProbeTime": _now(),
        "lastTransitionTime": _now(),
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
