"""A small model of a cluster for one ClimateJob: API server, watches, Job controller, kubelet, garbage collector.

It keeps manifests as the API server would and tells of every change on a stream per kind, which a test delivers,
delays or loses. A write can be made to fail as if the operator had died right before or right after it.
"""

from collections import deque
from collections.abc import AsyncIterator, Mapping
from copy import deepcopy
from typing import Any, cast

from pydantic import JsonValue

from climatejobs import names
from climatejobs.model import Phase
from climatejobs_operator import cluster as real
from climatejobs_operator.attempts import FIRST_DELAY
from climatejobs_operator.cluster import CLIMATEJOBS, EVENTS, JOBS, PODS, Conflict, NotFound, Page, Resource
from climatejobs_operator.expiry import ENDED
from climatejobs_operator.pods import TRACKING
from tests.unit.operator import builders
from tests.unit.operator.builders import Manifest

NAME = "job"
UID = "uid-of-job"
RIVAL = "rival"
"""Another ClimateJob; the model knows no more of it than that it takes up a slot."""


class Died(Exception):
    """The operator's process ended in the middle of a call."""


class ModelCluster(real.Cluster):
    """The model; it is also the client with which the operator calls it."""

    def __init__(self, **spec: Any) -> None:
        self.version = 1
        self.seconds = 0.0
        self.made = 0
        """Jobs and pods made so far, for uids."""
        self.stored: dict[str, dict[str, Manifest]] = {kind.plural: {} for kind in (CLIMATEJOBS, JOBS, PODS, EVENTS)}
        self.streams: dict[str, deque[tuple[bool, Manifest]]] = {
            kind.plural: deque() for kind in (CLIMATEJOBS, JOBS, PODS)
        }
        self.dies: tuple[int, bool] | None = None
        """After how many more writes the operator dies, and whether that write is still carried out."""
        self.slow = False
        """Whether writes take long."""
        self.counted: dict[str, int] = {}
        """Failures that the Job controller has counted, by Job uid."""
        self.failed: list[str] = []
        """The pods whose failure is that of an attempt, in their order."""
        self.pause_ends = 0.0
        """The second before which no pod follows the one that failed last."""
        self.vanished = 0
        """Pods that had succeeded and are gone."""
        self.started = 0
        """Pods in which the runner has started."""
        self.faults: list[str] = []
        """What the operator did that it must never do."""
        manifest = builders.climatejob_manifest(**spec)
        manifest["spec"] = {"maxAttempts": 3, "cancel": False, **manifest["spec"]}
        self._store(CLIMATEJOBS, manifest)

    # What the operator calls

    async def list_pages(
        self, resource: Resource, *, labels: str = "", fields: str = "", limit: int = 500
    ) -> AsyncIterator[Page]:
        items = [deepcopy(item) for item in self.stored[resource.plural].values()]
        if resource is CLIMATEJOBS:
            items = [item for item in items if _ended(item) is (fields == ENDED)]
        yield Page(tuple(items), str(self.version))

    async def get(self, resource: Resource, name: str) -> Manifest:
        try:
            return deepcopy(self.stored[resource.plural][name])
        except KeyError:
            raise NotFound(f"{resource.plural} {name} not found", status=404) from None

    async def create(self, resource: Resource, manifest: real.Manifest) -> Manifest:
        survives = self._write_begins()
        made = cast(Manifest, deepcopy(dict(manifest)))
        name: str = made["metadata"]["name"]
        if name in self.stored[resource.plural]:
            raise Conflict(f"{name} exists", status=409)
        self.made += 1
        made["metadata"] |= {"uid": f"{resource.plural}-{self.made}", "creationTimestamp": self._time()}
        if resource is JOBS:
            made["status"] = {}
            if self.live_pods():
                self.faults.append("a Job was made while a pod of an earlier one lived")
        self._store(resource, made)
        self._write_ends(survives)
        return deepcopy(made)

    async def write_status(self, resource: Resource, name: str, version: str, status: real.Manifest) -> Manifest:
        survives = self._write_begins()
        current = await self.get(resource, name)
        if current["metadata"]["resourceVersion"] != version:
            raise Conflict("changed meanwhile", status=409)
        self._judge_status(current, status)
        current["status"] = deepcopy(dict(status))
        self._store(resource, current)
        self._write_ends(survives)
        return deepcopy(current)

    async def change_spec(
        self, resource: Resource, name: str, version: str, members: Mapping[str, JsonValue]
    ) -> Manifest:
        survives = self._write_begins()
        current = await self.get(resource, name)
        if current["metadata"]["resourceVersion"] != version:
            raise Conflict("changed meanwhile", status=409)
        current["spec"] |= members
        self._store(resource, current)
        self._write_ends(survives)
        return deepcopy(current)

    async def merge_status(self, resource: Resource, name: str, uid: str, status: real.Manifest) -> None:
        survives = self._write_begins()
        item = self.stored[resource.plural].get(name)
        if item is not None and item["metadata"]["uid"] == uid:
            changed = deepcopy(item)
            changed["status"] |= status
            self._store(resource, changed)
        self._write_ends(survives)

    async def delete(
        self, resource: Resource, name: str, uid: str, *, version: str | None = None, grace_seconds: int | None = None
    ) -> None:
        survives = self._write_begins()
        item = self.stored[resource.plural].get(name)
        if (
            item is not None
            and item["metadata"]["uid"] == uid
            and version in (None, item["metadata"]["resourceVersion"])
        ):
            if resource is PODS:
                self._mark_deleted(item)
            else:
                self._remove(resource, name)
        self._write_ends(survives)

    # What others do

    def occupy(self) -> None:
        """Another ClimateJob runs."""
        self._store(CLIMATEJOBS, builders.climatejob_manifest(RIVAL))
        self._store(JOBS, builders.job_manifest(RIVAL, uid="uid-of-the-rivals-job", owner=f"uid-of-{RIVAL}"))

    def vacate(self) -> None:
        """The other ClimateJob ends, and everything of it is deleted."""
        for kind in (CLIMATEJOBS, JOBS):
            if RIVAL in self.stored[kind.plural]:
                self._remove(kind, RIVAL)

    @property
    def occupied(self) -> bool:
        return RIVAL in self.stored[JOBS.plural]

    @property
    def climatejob(self) -> Manifest:
        return self.stored[CLIMATEJOBS.plural][NAME]

    @property
    def status(self) -> Manifest:
        return self.climatejob.get("status", {})

    @property
    def job(self) -> Manifest | None:
        return self.stored[JOBS.plural].get(NAME)

    def pods(self) -> list[Manifest]:
        return list(self.stored[PODS.plural].values())

    def live_pods(self) -> list[Manifest]:
        return [pod for pod in self.pods() if pod["status"]["phase"] in ("Pending", "Running")]

    @property
    def failures(self) -> int:
        """Attempts that have failed, counted yet or not."""
        uncounted = [pod for pod in self.pods() if not pod["metadata"].get("counted") and _costs_attempt(pod)]
        return sum(self.counted.values()) + len(uncounted)

    @property
    def told_failures(self) -> int:
        """What the Job and the pods that are there tell of these: less, where one that was counted is gone."""
        told = [pod for pod in self.pods() if pod["metadata"]["name"] in self.failed]
        return max(sum(self.counted.values()), len(told))

    def cancel(self) -> None:
        """Somebody does not want the job any more."""
        self.change_climatejob(cancel=True)

    def suspend(self, *, suspend: bool = True) -> None:
        """Somebody holds the job, or lets it go on."""
        self.change_climatejob(suspend=suspend)

    def delete_job(self) -> None:
        """Somebody deletes the Job behind everyone's back."""
        if self.job is not None:
            self._remove(JOBS, NAME)

    def start_pod(self, pod: Manifest) -> None:
        """The kubelet starts the runner."""
        self.started += 1
        self._write_pod(pod, "Running", {"running": {"startedAt": self._time()}})

    def end_pod(self, pod: Manifest, exit_code: int, *, disrupted: bool = False) -> None:
        """The runner ends."""
        self.started += 1
        terminated = {
            "exitCode": exit_code,
            "message": builders.success_text() if exit_code == 0 else words_of(pod["metadata"]["name"]),
            "startedAt": pod["status"].get("startTime", self._time()),
            "finishedAt": self._time(),
        }
        conditions = [{"type": "DisruptionTarget", "status": "True"}] if disrupted else []
        phase = "Succeeded" if exit_code == 0 else "Failed"
        self._write_pod(pod, phase, {"terminated": terminated}, conditions)
        ended = self.stored[PODS.plural][pod["metadata"]["name"]]
        if exit_code:
            self.pause_ends = self.seconds + FIRST_DELAY.total_seconds()
        if not ended["metadata"].get("counted") and _costs_attempt(ended):
            self.failed.append(ended["metadata"]["name"])

    def evict_finished_pod(self, pod: Manifest) -> None:
        """The node is drained when the runner has just finished: the pod fails although its container has not."""
        changed = deepcopy(pod)
        changed["status"] |= {"phase": "Failed", "conditions": [{"type": "DisruptionTarget", "status": "True"}]}
        self._store(PODS, changed)

    def delete_pod(self, pod: Manifest) -> None:
        """Somebody deletes a pod."""
        self._mark_deleted(pod)

    def stop_deleted_pods(self) -> None:
        """The kubelet ends what has been deleted, and what it ended is removed once it has been counted."""
        for pod in self.pods():
            if "deletionTimestamp" not in pod["metadata"]:
                continue
            if pod in self.live_pods():
                self.end_pod(pod, 143)
            elif pod["metadata"].get("counted") or _controller(pod) != self._job_uid():
                self._remove(PODS, pod["metadata"]["name"])

    def sweep_ended_pods(self) -> None:
        """Pods that have ended are deleted for good, once the Job controller has counted them."""
        for pod in self.pods():
            if pod not in self.live_pods() and pod["metadata"].get("counted"):
                self._remove(PODS, pod["metadata"]["name"])

    def collect_garbage(self) -> None:
        """Pods of a Job that is gone are deleted."""
        for pod in self.pods():
            if _controller(pod) != self._job_uid():
                self._mark_deleted(pod)

    def control_job(self) -> None:
        """One round of the Job controller: count what has ended, judge, replace."""
        job = self.job
        if job is None:
            return
        job = deepcopy(job)
        uid: str = job["metadata"]["uid"]
        before = deepcopy(job["status"])
        mine = [pod for pod in self.pods() if _controller(pod) == uid]
        for pod in mine:
            if pod in self.live_pods() or pod["metadata"].get("counted"):
                continue
            self._count(job, pod)
        if job["status"].get("failed", 0) > job["spec"]["backoffLimit"]:
            _judge(job, "FailureTarget", "BackoffLimitExceeded", self._time())
        if not _judged(job):
            self._obey_suspension(job, [pod for pod in mine if pod in self.live_pods()])
        if job["status"] != before:
            self._store(JOBS, job)
        if not _judged(job) and not job["spec"].get("suspend") and not self.live_pods():
            self.seconds = max(self.seconds, self.pause_ends)
            self._make_pod(uid)

    def _obey_suspension(self, job: Manifest, active: list[Manifest]) -> None:
        """Let go of the pods first, then delete them: so they are not counted."""
        suspend: bool = job["spec"].get("suspend", False)
        conditions: list[Manifest] = job["status"].setdefault("conditions", [])
        known = [condition for condition in conditions if condition["type"] == "Suspended"]
        if suspend:
            for pod in active:
                if "deletionTimestamp" not in pod["metadata"]:
                    released = deepcopy(pod)
                    released["metadata"] |= {"counted": True, "finalizers": []}
                    self._store(PODS, released)
                    self._mark_deleted(released)
        elif not known:
            job["status"].setdefault("startTime", self._time())
            return
        value = "True" if suspend else "False"
        if not known or known[0]["status"] != value:
            conditions[:] = [{"type": "Suspended", "status": value}]
            job["status"] |= {} if suspend else {"startTime": self._time()}

    def _count(self, job: Manifest, pod: Manifest) -> None:
        counted = deepcopy(pod)
        counted["metadata"] |= {"counted": True, "finalizers": []}
        self._store(PODS, counted)
        uid: str = job["metadata"]["uid"]
        if pod["status"]["phase"] == "Succeeded":
            _judge(job, "SuccessCriteriaMet", "CompletionsReached", self._time())
        elif _costs_attempt(pod):
            job["status"]["failed"] = job["status"].get("failed", 0) + 1
            self.counted[uid] = self.counted.get(uid, 0) + 1
            if _exit_code(pod) == names.ExitCode.PERMANENT:
                _judge(job, "FailureTarget", "PodFailurePolicy", self._time())

    def _make_pod(self, job_uid: str) -> None:
        self.made += 1
        pod = builders.pod_manifest(f"pod-{self.made}", controller=job_uid, job_uid=UID)
        pod["metadata"] |= {"creationTimestamp": self._time(), "finalizers": [TRACKING]}
        self._store(PODS, pod)

    def _write_pod(self, pod: Manifest, phase: str, state: Manifest, conditions: list[Manifest] | None = None) -> None:
        changed = deepcopy(pod)
        changed["status"] = {
            "phase": phase,
            "startTime": changed["status"].get("startTime", self._time()),
            "conditions": conditions or [],
            "containerStatuses": [{"name": names.RUNNER_CONTAINER, "state": state}],
        }
        self._store(PODS, changed)

    def change_climatejob(self, **members: Any) -> None:
        """Somebody changes the spec."""
        changed = deepcopy(self.climatejob)
        changed["spec"] |= members
        changed["metadata"]["generation"] += 1
        self._store(CLIMATEJOBS, changed)

    def _mark_deleted(self, pod: Manifest) -> None:
        if "deletionTimestamp" not in pod["metadata"]:
            changed = deepcopy(pod)
            changed["metadata"]["deletionTimestamp"] = self._time()
            self._store(PODS, changed)

    def _judge_status(self, current: Manifest, status: real.Manifest) -> None:
        phase = status["phase"]
        if _ended(current) and phase != current["status"]["phase"]:
            self.faults.append(f"{current['status']['phase']} was left for {phase}")
        if phase == "Suspended" and self.live_pods():
            self.faults.append("Suspended was said while a pod lived")
        if phase == "Cancelled" and self.live_pods():
            self.faults.append("Cancelled was said while a pod lived")
        error = cast(Manifest, status.get("error") or {})
        if phase == "Failed" and error["type"].endswith("job-deleted") and not self.started:
            self.faults.append("an attempt was counted in which nothing had run")

    def _job_uid(self) -> str | None:
        return None if self.job is None else self.job["metadata"]["uid"]

    def _store(self, resource: Resource, manifest: Manifest) -> None:
        self.version += 1
        manifest["metadata"]["resourceVersion"] = str(self.version)
        self.stored[resource.plural][manifest["metadata"]["name"]] = manifest
        if resource is not EVENTS:
            gone = resource is CLIMATEJOBS and _ended(manifest)
            self.streams[resource.plural].append((gone, deepcopy(manifest)))

    def _remove(self, resource: Resource, name: str) -> None:
        self.version += 1
        manifest = self.stored[resource.plural].pop(name)
        self.vanished += resource is PODS and manifest["status"]["phase"] == "Succeeded"
        manifest["metadata"]["resourceVersion"] = str(self.version)
        self.streams[resource.plural].append((True, deepcopy(manifest)))

    def _write_begins(self) -> bool:
        """Whether the operator survives this write; raises where it dies before it."""
        if self.dies is None:
            return True
        left, carried_out = self.dies
        if left > 0:
            self.dies = (left - 1, carried_out)
            return True
        self.dies = None
        if not carried_out:
            raise Died
        return False

    def _write_ends(self, survives: bool) -> None:
        if not survives:
            raise Died

    def _time(self) -> str:
        return builders.at(self.seconds)


def words_of(pod: str) -> str:
    """The end of the log of a pod that failed."""
    return f"last words of {pod}"


def _ended(climatejob: Manifest) -> bool:
    phase = climatejob.get("status", {}).get("phase")
    return phase is not None and Phase(phase).terminal


def _exit_code(pod: Manifest) -> int | None:
    """None of a pod that was given up before its kubelet said a word."""
    states = [container["state"] for container in pod["status"].get("containerStatuses") or ()]
    return next((state["terminated"]["exitCode"] for state in states if "terminated" in state), None)


def _costs_attempt(pod: Manifest) -> bool:
    if pod["status"]["phase"] != "Failed":
        return False
    return _exit_code(pod) == names.ExitCode.PERMANENT or not pod["status"]["conditions"]


def _controller(pod: Manifest) -> str:
    return pod["metadata"]["ownerReferences"][0]["uid"]


def _judge(job: Manifest, type_: str, reason: str, time: str) -> None:
    if not _judged(job):
        condition = {"type": type_, "status": "True", "reason": reason, "message": "", "lastTransitionTime": time}
        job["status"].setdefault("conditions", []).append(condition)


def _judged(job: Manifest) -> bool:
    return any(condition["type"] != "Suspended" for condition in job["status"].get("conditions", ()))
