"""An operator that dies in the middle of a call, and the world in which it does: for one ClimateJob each.

It is the operator's own parts on a real API server, in this process, so that it can be dropped between two
instructions: nothing of it is closed, released or written any more. What it knew is gone, and a new one begins.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, cast

import aiohttp

from climatejobs import names
from climatejobs.reports import Report
from climatejobs_operator.acceptance import Refused, check
from climatejobs_operator.announcements import Announcements
from climatejobs_operator.cache import Cache, pod_job_name
from climatejobs_operator.children import MANAGED
from climatejobs_operator.cluster import CLIMATEJOBS, JOBS, PODS, Cluster, Resource
from climatejobs_operator.expiry import Expiry
from climatejobs_operator.handlers import LIVE
from climatejobs_operator.intake import Intake
from climatejobs_operator.jobs import Job
from climatejobs_operator.observation import Place
from climatejobs_operator.pods import COMPLETION_INDEX, Pod
from climatejobs_operator.pulse import Pulse
from climatejobs_operator.queue import Limits, Line
from climatejobs_operator.reconcile import Reconciler
from climatejobs_operator.reports import Reports
from climatejobs_operator.resync import Resync
from climatejobs_operator.settings import Settings
from climatejobs_operator.workqueue import Backoff, WorkQueue
from tests.cluster_objects import Manifest

FOREVER = aiohttp.ClientTimeout(total=None)


class Died(BaseException):
    """The operator's process has ended."""


@dataclass(frozen=True)
class Fate:
    """At which call an operator dies, counted from 0, and whether the call is still carried out."""

    call: int
    carried_out: bool

    def __str__(self) -> str:
        return f"{'after' if self.carried_out else 'before'} call {self.call}"


class MortalSession:
    """The connection of an operator that knows of one ClimateJob only; every call may be its last."""

    def __init__(self, session: aiohttp.ClientSession, job: str, fate: Fate | None) -> None:
        self._session = session
        self._job = job
        self._fate = fate
        self.calls = 0
        """Calls that were made for a decision: all but the lists of a comparison."""
        self._dead = False

    @asynccontextmanager
    async def request(
        self, method: str, url: str, *, params: dict[str, str] | None = None, **arguments: Any
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        if self._dead:
            raise Died
        narrowed = self._narrow(params or {})
        fate = self._fate if narrowed is None else None
        due = fate is not None and fate.call == self.calls
        self.calls += narrowed is None
        if due and not (fate and fate.carried_out):
            self._die()
        async with self._session.request(method, url, params=narrowed or params, **arguments) as response:
            if due:
                await response.read()
                self._die()
            yield response

    def _narrow(self, query: dict[str, str]) -> dict[str, str] | None:
        """The query of a comparison's list, for one job; None where it is anything else."""
        if query.get("labelSelector") == MANAGED:
            return query | {"labelSelector": f"{MANAGED},{names.LABEL_JOB_NAME}={self._job}"}
        if query.get("fieldSelector") == LIVE:
            return query | {"fieldSelector": f"{LIVE},metadata.name={self._job}"}
        return None

    @property
    def died(self) -> bool:
        """Whether a call was its last."""
        return self._dead

    def _die(self) -> None:
        self._dead = True
        raise Died


class CrowdedLine(Line):
    """The line of an operator that knows of one ClimateJob, in front of which there are others now and then."""

    def __init__(self, cache: Cache, call: Callable[[str], None], full: Callable[[], bool]) -> None:
        super().__init__(cache, Limits(), call)
        self._full = full

    def secure(self, name: str, now: datetime) -> Place | None:
        return Place(1, now) if self._full() and name in self._tickets else super().secure(name, now)


class MortalOperator:
    """An operator for one ClimateJob; `full` says whether the others have all slots, `slow` whether writes are."""

    def __init__(
        self, session: MortalSession, server: str, namespace: str, *, full: Callable[[], bool], slow: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        self.queue = WorkQueue(loop, lambda: 0.5, Backoff(first_seconds=0.05, max_seconds=0.5))
        pulse = Pulse(self.queue, loop.time)
        self._cache = cache = Cache()
        self.intake = Intake(cache, self.queue, pulse)

        def now() -> datetime:
            return datetime.now(UTC)

        self._reports = reports = Reports(
            cache, lambda job, _seconds: self.queue.add(job), per_second=20, clock=loop.time, now=now
        )
        # It has all of a session that the client uses.
        cluster = Cluster(cast(aiohttp.ClientSession, session), server, namespace)
        self._resync = Resync(cluster, cache, self.queue, pulse, 600)
        settings = Settings(namespace=namespace, runner_image="runner:test", data_claim="data")
        self._announcements = Announcements(cluster, instance="mortal", now=now)
        self._reconciler = Reconciler(
            cluster,
            cache,
            self.queue,
            self.intake,
            settings,
            line=CrowdedLine(cache, self.queue.add, full),
            expiry=Expiry(cluster, self.queue, settings, now=now),
            reports=reports,
            announcements=self._announcements,
            now=now,
            slow=lambda: slow,
        )

    @property
    def idle(self) -> bool:
        """Whether it has compared, and nothing is left to be looked at."""
        calm = len(self.queue) == len(self._announcements) == 0 and self.queue.oldest_seconds() == 0
        return self._resync.synced.is_set() and calm

    async def take_result(self, pod_name: str, outputs: Manifest) -> None:
        """The runner in that pod reports a result; returns when it has an answer, or there is none within a second."""
        pod, report = self._cache.pods.get(pod_name), Report(outputs=outputs, seconds=1)
        if pod is None:
            return
        try:
            check(pod, self._cache.observe(pod_job_name(pod)), report)
            await asyncio.wait_for(self._reports.put_result(pod_job_name(pod), pod, report), timeout=1)
        except (Refused, TimeoutError):
            return

    async def run(self) -> None:
        """Operate until it dies."""
        reconciling = (self._reconciler.work(self._resync.synced) for _ in range(2))
        parts = [self._resync.run(lambda: 0.5), *reconciling, self._announcements.work()]
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()


@dataclass
class World:
    """What the watches tell of a namespace; handed on to the operator that serves the job it is about."""

    session: aiohttp.ClientSession
    server: str
    namespace: str
    operators: dict[str, MortalOperator] = field(default_factory=dict[str, MortalOperator])
    climatejobs: dict[str, Manifest] = field(default_factory=dict[str, Manifest])
    pods: dict[str, dict[str, Manifest]] = field(default_factory=dict[str, dict[str, Manifest]])
    """By ClimateJob and name, in the order in which they were made; also those that are gone."""
    jobs: set[str] = field(default_factory=set[str])
    """ClimateJobs that have a Job."""
    crowded: set[str] = field(default_factory=set[str])
    """ClimateJobs for which there is no slot."""
    faults: list[str] = field(default_factory=list[str])
    """What must never be seen."""
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def follow(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(CLIMATEJOBS, self._take_climatejob))
            group.create_task(self._follow(JOBS, self._take_job))
            group.create_task(self._follow(PODS, self._take_pod))

    async def wait_for[T](self, look: Callable[[], T | None], what: str) -> T:
        """Wait until there is something to be seen."""
        try:
            async with asyncio.timeout(180), self._news:
                while (seen := look()) is None:
                    await self._news.wait()
                return seen
        except TimeoutError:
            raise TimeoutError(f"waited for {what}") from None

    async def _follow(self, resource: Resource, take: Callable[[Manifest, bool], None]) -> None:
        url, version = self.server + resource.path(self.namespace), ""
        while True:  # a watch ends now and then, as when the API server has just learnt of the resource
            query = {"watch": "true", **({"resourceVersion": version} if version else {})}
            async with self.session.get(url, params=query, timeout=FOREVER) as response:
                if response.status == HTTPStatus.TOO_MANY_REQUESTS:  # the same, some moments earlier
                    await asyncio.sleep(0.2)  # as busy servers ask for; nothing tells when it is over
                    continue
                response.raise_for_status()
                async for line in response.content:
                    event = json.loads(line)
                    version = event["object"]["metadata"]["resourceVersion"]
                    take(event["object"], event["type"] == "DELETED")
                    async with self._news:
                        self._news.notify_all()

    def _take_climatejob(self, manifest: Manifest, deleted: bool) -> None:
        name = manifest["metadata"]["name"]
        before, now = self.climatejobs.get(name, {}).get("status", {}), manifest.get("status", {})
        if before.get("attempts", 0) > now.get("attempts", 0):
            self.faults.append(f"{name}: attempts went from {before['attempts']} to {now.get('attempts')}")
        if before.get("phase") in ("Succeeded", "Failed", "Cancelled") and now.get("phase") != before["phase"]:
            self.faults.append(f"{name}: {before['phase']} was left")
        self.climatejobs[name] = manifest
        if name in self.operators:
            self.operators[name].intake.take_climatejob(manifest, deleted=deleted)

    def _take_job(self, manifest: Manifest, deleted: bool) -> None:
        name = manifest["metadata"]["name"]
        (self.jobs.discard if deleted else self.jobs.add)(name)
        if name in self.operators:
            self.operators[name].intake.take_job(Job.model_validate(manifest), deleted=deleted)

    def _take_pod(self, manifest: Manifest, deleted: bool) -> None:
        job = manifest["metadata"]["labels"][names.LABEL_JOB_NAME]
        pods = self.pods.setdefault(job, {})
        pods[manifest["metadata"]["name"]] = manifest | {"gone": deleted}
        live = [pod for pod in pods.values() if not pod["gone"] and pod["status"]["phase"] in ("Pending", "Running")]
        if len(live) > len({share_of(pod) for pod in live}):
            self.faults.append(f"{job}: two pods of one share live at the same time")
        if job in self.operators:
            self.operators[job].intake.take_pod(Pod.model_validate(manifest), deleted=deleted)


def share_of(pod: Manifest) -> int:
    """The share of the work that a pod does, from 0."""
    return int(pod["metadata"].get("annotations", {}).get(COMPLETION_INDEX, 0))


@dataclass
class Life:
    """A ClimateJob from its submission to its end, whatever happens to the operators that serve it."""

    world: World
    name: str
    fate: Fate | None = None
    slow: bool = False
    """Whether writes take so long that what can wait has to."""
    deaths: int = 0
    calls: int = 0
    """Calls that the first operator has made."""

    async def serve(self) -> None:
        """One operator after another."""
        fate = self.fate
        while True:
            session = MortalSession(self.world.session, self.name, fate)
            operator = MortalOperator(
                session,
                self.world.server,
                self.world.namespace,
                full=lambda: self.name in self.world.crowded,
                slow=self.slow,
            )
            self.world.operators[self.name] = operator
            try:
                await operator.run()
            except Died:
                fate = None
            finally:
                # Counted where it happened: the end of the test may come in the same moment.
                self.deaths += session.died
                self.calls = self.calls or session.calls

    async def pod(self, number: int = 1, share: int = 0) -> Manifest:
        """The number-th pod that was made for a share of it, once it is there."""

        def look() -> Manifest | None:
            pods = [pod for pod in self.world.pods.get(self.name, {}).values() if share_of(pod) == share]
            return pods[number - 1] if len(pods) >= number else None

        return await self.world.wait_for(look, f"pod {number} of {self.name}, whose operator died {self.fate}")

    async def status(self, fits: Callable[[Manifest], bool], what: str) -> Manifest:
        """Its status, once it fits."""

        def look() -> Manifest | None:
            status: Manifest = self.world.climatejobs.get(self.name, {}).get("status", {})
            return status if fits(status) else None

        return await self.world.wait_for(look, f"{self.name}, whose operator died {self.fate}, to {what}")

    async def phase(self, *phases: str) -> Manifest:
        """Its status, once it is in one of these phases."""
        return await self.status(lambda status: status.get("phase") in phases, f"be {phases}")

    async def job_gone(self) -> None:
        """Wait until its Job has been deleted."""
        what = f"the Job of {self.name}, whose operator died {self.fate}, to be gone"
        await self.world.wait_for(lambda: True if self.name not in self.world.jobs else None, what)

    async def report(self, pod: Manifest, outputs: Manifest) -> None:
        """The runner reports its result, to whichever operator there is, until that is known."""
        async with asyncio.timeout(180):
            while self.world.climatejobs[self.name]["status"]["phase"] == "Running":
                await self.world.operators[self.name].take_result(pod["metadata"]["name"], outputs)
                await asyncio.sleep(0.02)  # between two reports

    async def stand_in_line(self, seconds: float) -> None:
        """Wait until it has been told that it stands in line, and for so long; then it may have a slot."""
        told = await self.status(lambda status: (status.get("message") or "").startswith(names.IN_LINE), "be in line")
        since = datetime.fromisoformat(told["heldSince"])
        await asyncio.sleep(max(0.0, seconds - (datetime.now(UTC) - since).total_seconds()))  # time is what is held
        self.world.crowded.discard(self.name)
        self.world.operators[self.name].queue.add(self.name)

    async def rest(self) -> None:
        """Wait until the operator has nothing left to do."""
        for _ in range(1500):
            if self.world.operators[self.name].idle:
                return
            await asyncio.sleep(0.02)  # between two looks
        raise TimeoutError(f"waited for the operator of {self.name} to come to rest")
