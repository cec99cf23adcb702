"""From a key in the queue to a cluster that is as it should be: fetch from the cache, plan, carry out.

Level-based: what is done follows from what is there, so it may be done at any time and any number of times.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from pydantic import JsonValue

from climatejobs import names
from climatejobs.model import ClimateJob
from climatejobs.names import Reason
from climatejobs_operator.abandonment import describe_abandoned
from climatejobs_operator.actions import (
    AbandonPod,
    Action,
    ConfirmGone,
    CreateJob,
    DeleteClimateJob,
    DeleteJob,
    DeletePod,
    LookAgain,
    ResumeJob,
    SuspendJob,
)
from climatejobs_operator.announcements import Announcements
from climatejobs_operator.cache import Cache
from climatejobs_operator.cluster import (
    CLIMATEJOBS,
    CORE_EVENTS,
    JOBS,
    PODS,
    Cluster,
    ClusterError,
    Conflict,
    NotFound,
    NotLeading,
    Refused,
)
from climatejobs_operator.deferral import find_latest_word
from climatejobs_operator.entries import read_entry
from climatejobs_operator.expiry import Expiry
from climatejobs_operator.intake import Intake
from climatejobs_operator.job_manifest import build_job
from climatejobs_operator.jobs import Job
from climatejobs_operator.logs import fields
from climatejobs_operator.metrics import Metrics
from climatejobs_operator.observation import ClusterWarning, Observation, Obstacle
from climatejobs_operator.plan import Plan, make_plan
from climatejobs_operator.pods import Pod
from climatejobs_operator.queue import Line
from climatejobs_operator.reports import Reports
from climatejobs_operator.retention import find_next_look
from climatejobs_operator.settings import Settings
from climatejobs_operator.warnings import WarningEvent, find_latest
from climatejobs_operator.workqueue import WorkQueue

logger = logging.getLogger(__name__)


class Unhurried(Exception):
    """The job stands in line and has nothing to do but say so, while others have to be looked at."""


class Outdated(Exception):
    """The plan was made from knowledge that has just proved old; the cache is right now, so plan again."""


class Hindered(Exception):
    """The Job cannot be made for now."""

    def __init__(self, obstacle: Obstacle, retry_after: float | None = None) -> None:
        super().__init__(obstacle.message)
        self.obstacle = obstacle
        self.retry_after = retry_after


class Reconciler:
    """Works the queue off."""

    def __init__(
        self,
        cluster: Cluster,
        cache: Cache,
        queue: WorkQueue,
        intake: Intake,
        settings: Settings,
        *,
        line: Line,
        expiry: Expiry,
        reports: Reports,
        announcements: Announcements,
        metrics: Metrics | None = None,
        now: Callable[[], datetime],
        slow: Callable[[], bool] = lambda: False,
    ) -> None:
        """`slow` says whether writes take so long that what can wait has to."""
        self._cluster = cluster
        self._cache = cache
        self._queue = queue
        self._intake = intake
        self._line = line
        self._expiry = expiry
        self._reports = reports
        self._announcements = announcements
        self._metrics = metrics or Metrics()
        self._settings = settings
        self._now = now
        self._slow = slow
        self._refused_since: dict[str, datetime] = {}
        """Since when a ClimateJob's Job is refused; begins anew with the operator, which only prolongs a wait."""

    async def work(self, synced: asyncio.Event) -> None:
        """Once the cache is complete, take keys and reconcile them, for ever.

        Whatever goes wrong with one key costs that key a pause and nothing else.
        """
        await synced.wait()
        while True:
            key = await self._queue.take()
            begun, outcome = time.perf_counter(), "failed"
            try:
                outcome = await self._attend(key)
            except ClusterError as error:
                outcome = "not-leading" if isinstance(error, NotLeading) else "cluster-error"
                pause = self._queue.retry(key, error.retry_after)
                logger.warning("%s; trying again in %.1f s", error, pause, extra=fields(job=key, status=error.status))
            except Exception:
                pause = self._queue.retry(key)
                logger.exception("Unexpected failure; trying again in %.1f s", pause, extra=fields(job=key))
            finally:
                self._queue.finish(key)
                self._metrics.observe_reconciliation(outcome, time.perf_counter() - begun)

    async def _attend(self, key: str) -> str:
        """Reconcile, and see to it that the job is looked at again in time; what came of it, in a word."""
        try:
            wake_at = await self.reconcile(key)
        except Outdated:
            self._queue.add(key)
            return "outdated"
        except Unhurried:
            self._queue.add(key, patient=True)
            return "put-off"
        except Hindered as hindrance:
            self._queue.retry(key, hindrance.retry_after)
            return "hindered"
        self._queue.forget(key)
        if wake_at is not None:
            self._queue.add_after(key, max(0.0, (wake_at - self._now()).total_seconds()))
        due = self._reports.due_seconds(key)
        if due is not None:
            self._queue.add_after(key, due)
        return "done"

    async def reconcile(self, key: str) -> datetime | None:
        """Bring one ClimateJob forward; the time at which to look again if nothing happens."""
        seen = self._cache.observe(key)
        if seen is not None:
            seen = replace(
                seen,
                place=self._line.secure(key, self._now()),
                reported=self._reports.result_of(key),
                progress=self._reports.progress_of(seen),
            )
            if seen.place is not None and self._queue.pressed:
                raise Unhurried
        else:
            self._refused_since.pop(key, None)
            look_at = self._find_next_look(key)
            if look_at is None or look_at > self._now():
                return look_at
            seen = await self._look_behind(key)
        if seen is None:
            return None
        latest = self._find_latest_word(seen)
        return latest if latest is not None else await self._bring_forward(seen)

    async def _bring_forward(self, seen: Observation) -> datetime | None:
        """Do what is to be done, and say how the ClimateJob stands then; the time at which to look again."""
        key = seen.climatejob.metadata.name
        plan = make_plan(seen, self._now(), self._settings)
        if plan.puzzle is not None:
            seen = replace(seen, warning=await self._find_warning(plan.puzzle))
            plan = make_plan(seen, self._now(), self._settings)
        hindrance: Hindered | None = None
        try:
            for action in plan.actions:
                await self._carry_out(action, seen, plan)
        except Hindered as caught:
            hindrance = caught
            self._line.step_aside(key)
            plan = make_plan(replace(seen, obstacle=caught.obstacle), self._now(), self._settings)
        latest = self._find_latest_word(replace(seen, job=self._cache.jobs.get(key))) if seen.job is None else None
        if latest is not None:
            return latest
        await self._write(seen, plan)
        if hindrance is not None and not plan.ends:
            raise hindrance
        return plan.wake_at

    def _find_latest_word(self, seen: Observation) -> datetime | None:
        """Until when nothing need be said of a ClimateJob; None where something is to be said now."""
        return find_latest_word(seen, self._now()) if self._slow() else None

    def _find_next_look(self, key: str) -> datetime | None:
        job, pods = self._cache.jobs.get(key), self._cache.pods.of_job(key)
        return find_next_look(job, pods, self._expiry.get(key), self._now(), self._settings)

    async def _look_behind(self, key: str) -> Observation | None:
        """A ClimateJob that is not in the cache: ended, deleted, or not heard of yet."""
        try:
            entry = read_entry(await self._cluster.get(CLIMATEJOBS, key))
        except NotFound:
            return None  # the garbage collector takes Job and pods along
        if not entry.climatejob.phase.terminal and self._cache.climatejobs.put(entry):
            raise Outdated
        return self._cache.observe_entry(entry)

    async def _carry_out(self, action: Action, seen: Observation, plan: Plan) -> None:
        climatejob = seen.climatejob
        match action:
            case CreateJob():
                await self._create_job(action, climatejob, plan)
            case DeleteJob(name, uid):
                await self._cluster.delete(JOBS, name, uid)
                logger.info("Deleted Job", extra=_about(climatejob, plan))
            case SuspendJob(name, version, deadline_seconds):
                deadline = {} if deadline_seconds is None else {"activeDeadlineSeconds": deadline_seconds}
                await self._change_job(name, version, {"suspend": True, **deadline})
                logger.info("Suspended Job", extra=_about(climatejob, plan, secondsLeft=deadline_seconds))
            case ResumeJob(name, version):
                await self._change_job(name, version, {"suspend": False})
                logger.info("Resumed Job", extra=_about(climatejob, plan))
            case DeletePod(name, uid):
                await self._cluster.delete(PODS, name, uid)
                logger.info("Deleted pod", extra=_about(climatejob, plan, pod=name))
            case AbandonPod(name, uid, node):
                await self._cluster.merge_status(PODS, name, uid, describe_abandoned(node, self._now()))
                await self._cluster.delete(PODS, name, uid, grace_seconds=0)
                logger.warning("Gave up on a pod", extra=_about(climatejob, plan, pod=name, node=node))
            case DeleteClimateJob(name, uid, version):
                await self._cluster.delete(CLIMATEJOBS, name, uid, version=version)
                logger.info("Deleted ClimateJob, as its time after the end is over", extra=_about(climatejob, plan))
            case ConfirmGone() | LookAgain():
                await self._ask(action, seen)

    async def _create_job(self, action: CreateJob, climatejob: ClimateJob, plan: Plan) -> None:
        name = climatejob.metadata.name
        try:
            made = await self._cluster.create(JOBS, build_job(climatejob, action, self._settings))
        except Conflict:
            await self._adopt_job(climatejob)
        except NotFound as error:
            raise ClusterError(f"the namespace is not there: {error}") from error
        except Refused as error:
            since = None if "exceeded quota" in str(error) else self._refused_since.setdefault(name, self._now())
            raise Hindered(Obstacle(Reason.REFUSED, str(error), since), error.retry_after) from error
        else:
            self._refused_since.pop(name, None)
            self._intake.take_written_job(Job.model_validate(made))
            logger.info("Made Job", extra=_about(climatejob, plan, attemptsBefore=action.attempts_before))

    async def _change_job(self, name: str, version: str, members: Mapping[str, JsonValue]) -> None:
        try:
            changed = await self._cluster.change_spec(JOBS, name, version, members)
        except NotFound:
            self._cache.jobs.discard(self._cache.jobs.of_job(name))
            raise Outdated from None
        except Conflict:
            self._cache.jobs.put(Job.model_validate(await self._cluster.get(JOBS, name)))
            raise Outdated from None
        self._intake.take_written_job(Job.model_validate(changed))

    async def _adopt_job(self, climatejob: ClimateJob) -> None:
        """There is a Job of that name: ours, made before a restart or unheard of yet, or somebody else's."""
        name = climatejob.metadata.name
        try:
            job = Job.model_validate(await self._cluster.get(JOBS, name))
        except NotFound:
            raise Outdated from None
        if job.metadata.controller_uid == climatejob.metadata.uid:
            self._cache.jobs.put(job)
            raise Outdated
        message = (
            f"Waiting: the name {name} is taken by a Job of another owner; delete it or submit under another name."
        )
        raise Hindered(Obstacle(Reason.NAME_TAKEN, message))

    async def _find_warning(self, uid: str) -> ClusterWarning | None:
        """The latest warning about an object. It only improves words, so it is never worth a failed reconciliation."""
        warnings: list[WarningEvent] = []
        try:
            async for page in self._cluster.list_pages(CORE_EVENTS, fields=f"involvedObject.uid={uid},type=Warning"):
                warnings.extend(WarningEvent.model_validate(item) for item in page.items)
        except ClusterError as error:
            logger.warning("Events not read: %s", error)
        return find_latest(warnings, self._now())

    async def _ask(self, question: ConfirmGone | LookAgain, seen: Observation) -> None:
        pods = await self._ask_for_pods(question.uid)
        if isinstance(question, ConfirmGone):
            confirmed = all(pod.ended for pod in pods)
        else:
            # Not whether the answer was news: a watch may have told of it while the question was on its way.
            confirmed = self._cache.find_pods(seen.climatejob) == seen.pods
        if not confirmed:
            raise Outdated

    async def _ask_for_pods(self, uid: str) -> list[Pod]:
        """The pods of a ClimateJob as the API server has them, which the cache then has as well."""
        found: list[Pod] = []
        async for page in self._cluster.list_pages(PODS, labels=f"{names.LABEL_JOB_UID}={uid}"):
            found.extend(Pod.model_validate(manifest) for manifest in page.items)
        for pod in found:
            self._cache.pods.put(pod)
        return found

    async def _write(self, seen: Observation, plan: Plan) -> None:
        climatejob = seen.climatejob
        metadata = climatejob.metadata
        if plan.status == climatejob.status:
            self._reports.note_written(metadata.name, plan.status, seen.progress)
            return
        try:
            written = await self._cluster.write_status(
                CLIMATEJOBS, metadata.name, metadata.resource_version, plan.status.to_manifest()
            )
        except NotFound:
            self._cache.end(metadata.name, int(metadata.resource_version))
            return
        except Conflict:
            await self._refresh(climatejob)
            raise Outdated from None
        self._reports.note_written(metadata.name, plan.status, seen.progress)
        if plan.status.phase is not None and plan.status.phase.terminal:
            self._metrics.count_end(climatejob.spec.process, plan.status.phase)
        self._intake.take_written(read_entry(written))
        if plan.reason is Reason.QUEUED:
            self._line.note_announced(metadata.name, self._now())
        transition = (plan.status.phase, plan.status.message) != (climatejob.status.phase, climatejob.status.message)
        logger.log(
            logging.INFO if transition else logging.DEBUG,
            plan.status.message,
            extra=_about(climatejob, plan, attempt=plan.status.attempts),
        )
        for event in plan.events:
            self._announcements.announce(event, metadata)

    async def _refresh(self, climatejob: ClimateJob) -> None:
        try:
            entry = read_entry(await self._cluster.get(CLIMATEJOBS, climatejob.metadata.name))
        except NotFound:
            return
        if entry.climatejob.phase.terminal:
            self._cache.end(entry.metadata.name, entry.metadata.version)
        else:
            self._cache.climatejobs.put(entry)


def _about(climatejob: ClimateJob, plan: Plan, **more: object) -> Mapping[str, Mapping[str, object]]:
    """The fields of a line that tells of a decision: for which job, and why."""
    return fields(job=climatejob.metadata.name, phase=plan.status.phase, reason=plan.reason, **more)
