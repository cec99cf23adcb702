"""ClimateJobs, Jobs and pods for tests, each with just what a test cares for."""

from datetime import UTC, datetime, timedelta
from typing import Any

from climatejobs import names
from climatejobs.errors import NoData
from climatejobs.model import ClimateJob, Phase
from climatejobs.results import ResultDocument, describe_error
from climatejobs_operator.jobs import Job
from climatejobs_operator.observation import ClusterWarning, Observation, Obstacle, Place
from climatejobs_operator.plan import Plan, make_plan
from climatejobs_operator.pods import COMPLETION_INDEX, INDEX_FAILURES, TRACKING, Pod
from climatejobs_operator.settings import Settings

type Manifest = dict[str, Any]

NOW = datetime(2026, 2, 1, 12, 0, 0, tzinfo=UTC)
OUTPUTS: Manifest = {"message": "hello"}
SETTINGS = Settings(namespace="climate", runner_image="registry.example/runner:1", data_claim="data")


def at(seconds: float) -> str:
    """A moment that many seconds after NOW (before it, if negative), as Kubernetes writes it."""
    return (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


RUNNING: Manifest = {"phase": "Running", "attempts": 1, "jobName": "job", "startedAt": at(-30)}
PENDING: Manifest = {"phase": "Pending", "attempts": 1, "jobName": "job"}
RETRYING: Manifest = {"phase": "Retrying", "attempts": 2, "jobName": "job", "startedAt": at(-100)}
PERMANENT = ResultDocument(error=describe_error(NoData("the year 3000 has no data"))).to_json()


def success_text(outputs: Manifest | None = None) -> str:
    return ResultDocument(outputs=OUTPUTS if outputs is None else outputs).to_json()


def climatejob_manifest(
    name: str = "job", *, status: Manifest | None = None, version: int = 1, **spec: Any
) -> Manifest:
    manifest: Manifest = {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {
            "name": name,
            "namespace": "climate",
            "uid": f"uid-of-{name}",
            "resourceVersion": str(version),
            "generation": 1,
            "creationTimestamp": at(-60),
        },
        "spec": {"process": "echo", "inputs": {"message": "hello"}, **spec},
    }
    return manifest if status is None else {**manifest, "status": status}


def make_climatejob(name: str = "job", *, status: Manifest | None = None, **spec: Any) -> ClimateJob:
    return ClimateJob.from_manifest(climatejob_manifest(name, status=status, **spec))


def job_manifest(
    name: str = "job",
    *,
    uid: str = "uid-of-batch-job",
    owner: str = "uid-of-job",
    backoff_limit: int = 2,
    failed: int = 0,
    uncounted: tuple[str, ...] = (),
    condition: tuple[str, str, str] | None = None,
    decided: float = -5,
    version: int = 1,
    deleting: bool = False,
    deadline: int = 21600,
    created: float = -50,
    started: float = -50,
    suspend: bool = False,
    suspended: bool | None = None,
    retries_per_index: int | None = None,
) -> Manifest:
    """A Job; `condition` is type, reason and message of one that is True, `suspended` the condition of that name."""
    conditions = (
        [
            dict(
                zip(("type", "reason", "message"), condition, strict=True),
                status="True",
                lastTransitionTime=at(decided),
            )
        ]
        if condition
        else []
    )
    if suspended is not None:
        conditions.append({"type": "Suspended", "status": str(suspended)})
    metadata: Manifest = {
        "name": name,
        "namespace": "climate",
        "uid": uid,
        "resourceVersion": str(version),
        "creationTimestamp": at(created),
        "ownerReferences": [{"kind": names.KIND, "name": name, "uid": owner, "controller": True}],
    }
    if deleting:
        metadata["deletionTimestamp"] = at(0)
    return {
        "metadata": metadata,
        "spec": {
            "backoffLimit": backoff_limit,
            "backoffLimitPerIndex": retries_per_index,
            "activeDeadlineSeconds": deadline,
            "suspend": suspend,
        },
        "status": {
            "failed": failed,
            "startTime": at(started),
            "conditions": conditions,
            "uncountedTerminatedPods": {"failed": list(uncounted)} if uncounted else {},
        },
    }


def make_job(name: str = "job", **facts: Any) -> Job:
    return Job.model_validate(job_manifest(name, **facts))


def pod_manifest(
    name: str = "pod-1",
    *,
    job: str = "job",
    job_uid: str = "uid-of-job",
    controller: str = "uid-of-batch-job",
    phase: str = "Pending",
    state: Manifest | None = None,
    conditions: tuple[Manifest, ...] = ({"type": "PodScheduled", "status": "True"},),
    created: float = -40,
    deleting: float | None = None,
    grace: int = 30,
    tracked: bool = True,
    index: int | None = None,
    failures_before: int = 0,
    version: int = 1,
    **status: Any,
) -> Manifest:
    metadata: Manifest = {
        "name": name,
        "namespace": "climate",
        "uid": f"uid-of-{name}",
        "resourceVersion": str(version),
        "creationTimestamp": at(created),
        "labels": {names.LABEL_JOB_NAME: job, names.LABEL_JOB_UID: job_uid},
        "ownerReferences": [{"kind": "Job", "name": job, "uid": controller, "controller": True}],
    }
    if index is not None:
        metadata["annotations"] = {COMPLETION_INDEX: str(index), INDEX_FAILURES: str(failures_before)}
    if tracked:
        metadata["finalizers"] = [TRACKING]
    if deleting is not None:
        metadata |= {"deletionTimestamp": at(deleting), "deletionGracePeriodSeconds": grace}
    containers = [] if state is None else [{"name": names.RUNNER_CONTAINER, "image": "runner:1", "state": state}]
    return {
        "metadata": metadata,
        "status": {"phase": phase, "conditions": list(conditions), "containerStatuses": containers, **status},
    }


def make_pod(name: str = "pod-1", **facts: Any) -> Pod:
    return Pod.model_validate(pod_manifest(name, **facts))


def running_pod(name: str = "pod-1", *, started: float = -30, **facts: Any) -> Pod:
    return make_pod(name, phase="Running", state={"running": {"startedAt": at(started)}}, **facts)


def ended_pod(
    name: str = "pod-1",
    *,
    exit_code: int,
    message: str = "",
    reason: str | None = None,
    started: float = -30,
    finished: float = -5,
    disrupted: bool = False,
    **facts: Any,
) -> Pod:
    terminated: Manifest = {
        "exitCode": exit_code,
        "message": message,
        "reason": reason,
        "startedAt": at(started),
        "finishedAt": at(finished),
    }
    if disrupted:
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "EvictionByEvictionAPI",
            "message": "drain",
        }
        facts["conditions"] = (condition,)
    phase = "Succeeded" if exit_code == 0 else "Failed"
    return make_pod(name, phase=phase, state={"terminated": terminated}, **facts)


def plan_for(
    climatejob: ClimateJob,
    job: Job | None = None,
    *pods: Pod,
    obstacle: Obstacle | None = None,
    unreadable: str | None = None,
    place: Place | None = None,
    now: datetime = NOW,
    settings: Settings = SETTINGS,
    warning: ClusterWarning | None = None,
) -> Plan:
    seen = Observation(climatejob, job, pods, obstacle, place, unreadable, warning)
    return make_plan(seen, now, settings)


def figures(plan: Plan) -> tuple[Phase | None, int | None]:
    return plan.status.phase, plan.status.attempts


def true_conditions(plan: Plan) -> set[str]:
    return {condition.type for condition in plan.status.conditions if condition.status == "True"}
