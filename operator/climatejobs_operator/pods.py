"""The part of a pod that decisions are made from."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from climatejobs import names
from climatejobs.model import KubernetesModel, Time
from climatejobs_operator.children import ChildMeta

TRACKING = "batch.kubernetes.io/job-tracking"
"""The finalizer that a pod carries until the Job controller has counted it, or wants nothing more of it."""
COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
"""Annotation of a pod that shares the work with others: which of them it is, counted from 0."""
INDEX_FAILURES = "batch.kubernetes.io/job-index-failure-count"
"""Annotation of such a pod: how many attempts had failed in its place before it."""


class Waiting(KubernetesModel):
    """Why a container does not run yet."""

    reason: str | None = None
    message: str | None = None


class Running(KubernetesModel):
    """Since when a container runs."""

    started_at: Time | None = None


class Terminated(KubernetesModel):
    """How a container ended."""

    exit_code: int
    reason: str | None = None
    message: str | None = None
    """The result document; or, of a container that failed without writing one, the end of its log."""
    started_at: Time | None = None
    finished_at: Time | None = None


class ContainerState(KubernetesModel):
    """One of the three."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(KubernetesModel):
    """A container of a pod."""

    name: str
    image: str = ""
    state: ContainerState = Field(default_factory=ContainerState)


class PodCondition(KubernetesModel):
    """One condition of a pod."""

    type: str
    status: str
    reason: str | None = None
    message: str | None = None
    last_transition_time: Time | None = None


class PodStatus(KubernetesModel):
    """What the scheduler and the kubelet say."""

    phase: str = "Pending"
    reason: str | None = None
    message: str | None = None
    conditions: tuple[PodCondition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


class ContainerResources(KubernetesModel):
    """What a container may use."""

    limits: Mapping[str, str] = Field(default_factory=dict[str, str])


class Container(KubernetesModel):
    """What a container was asked to be."""

    name: str
    resources: ContainerResources = Field(default_factory=ContainerResources)


class PodSpec(KubernetesModel):
    """Where the pod is, and what is in it."""

    node_name: str | None = None
    containers: tuple[Container, ...] = ()


class Pod(KubernetesModel):
    """A pod as this operator sees it."""

    metadata: ChildMeta
    spec: PodSpec = Field(default_factory=PodSpec)
    status: PodStatus = Field(default_factory=PodStatus)

    def condition(self, type_: str) -> PodCondition | None:
        """The condition of that type, whatever its status."""
        return next((condition for condition in self.status.conditions if condition.type == type_), None)

    @property
    def runner(self) -> ContainerState:
        """State of the container that computes; empty while the kubelet has not said anything."""
        for status in self.status.container_statuses:
            if status.name == names.RUNNER_CONTAINER:
                return status.state
        return ContainerState()

    @property
    def memory_limit(self) -> str | None:
        """The memory that the runner may use, as a quantity."""
        for container in self.spec.containers:
            if container.name == names.RUNNER_CONTAINER:
                return container.resources.limits.get("memory")
        return None

    @property
    def running_since(self) -> datetime | None:
        """When the runner started, if it runs now."""
        running = self.runner.running
        return None if running is None else running.started_at or self.metadata.creation_timestamp

    @property
    def started_at(self) -> datetime | None:
        """When the runner started, whether or not it still runs."""
        terminated = self.runner.terminated
        if terminated is None:
            return self.running_since
        started = terminated.started_at
        # Of a container that could not be started, the kubelet says the beginning of time.
        return started if started is not None and started.timestamp() > 0 else None

    @property
    def ended(self) -> bool:
        """Whether nothing of this pod runs or will run: restartPolicy is Never, so an exit is final."""
        return self.status.phase in ("Succeeded", "Failed") or self.runner.terminated is not None

    @property
    def failed(self) -> bool:
        """Whether this pod ended without success."""
        terminated = self.runner.terminated
        return self.status.phase == "Failed" or (terminated is not None and terminated.exit_code != 0)

    @property
    def undone(self) -> bool:
        """Whether the pod was taken away when its runner had succeeded: its Job counts no success then."""
        terminated = self.runner.terminated
        return self.status.phase == "Failed" and terminated is not None and terminated.exit_code == 0

    @property
    def tracked(self) -> bool:
        """Whether the Job controller has still to take in how this pod ended."""
        return TRACKING in self.metadata.finalizers

    @property
    def index(self) -> int | None:
        """Which of the pods that share the work this is; None where it does it alone."""
        return _read_number(self.metadata.annotations.get(COMPLETION_INDEX))

    @property
    def failures_before(self) -> int:
        """Attempts that had failed in the place of this pod before it, where several share the work."""
        return _read_number(self.metadata.annotations.get(INDEX_FAILURES)) or 0

    @property
    def disrupted(self) -> bool:
        """Whether the cluster took the pod away: preemption, eviction, a lost node. Not a plain deletion."""
        condition = self.condition("DisruptionTarget")
        return condition is not None and condition.status == "True"

    @property
    def ended_at(self) -> datetime:
        """When the pod ended, looked up in the order in which the Job controller does."""
        terminated = self.runner.terminated
        if terminated is not None and terminated.finished_at is not None:
            return terminated.finished_at
        ready = self.condition("Ready")
        if ready is not None and ready.status == "False" and ready.last_transition_time is not None:
            return ready.last_transition_time
        return self.metadata.deletion_timestamp or self.metadata.creation_timestamp


def _read_number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
