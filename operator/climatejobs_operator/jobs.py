"""The part of a batch/v1 Job that decisions are made from; everything else of it is dropped on reading."""

from datetime import datetime

from pydantic import Field

from climatejobs.model import KubernetesModel, Time
from climatejobs_operator.children import ChildMeta


class JobCondition(KubernetesModel):
    """One condition of a Job."""

    type: str
    status: str
    reason: str | None = None
    message: str | None = None
    last_transition_time: Time | None = None


class UncountedPods(KubernetesModel):
    """Uids of pods that have ended and are about to be counted."""

    failed: tuple[str, ...] = ()
    succeeded: tuple[str, ...] = ()


class JobSpec(KubernetesModel):
    """What the Job controller was asked for."""

    backoff_limit: int = 6
    backoff_limit_per_index: int | None = None
    """Set where several pods share the work: each may fail so often by itself."""
    active_deadline_seconds: int | None = None
    suspend: bool = False


class JobStatus(KubernetesModel):
    """What the Job controller says."""

    failed: int = 0
    start_time: Time | None = None
    completed_indexes: str = ""
    """Where several pods share the work: whose places are done, as in `0,2-4`. The Job keeps it when pods go."""
    uncounted_terminated_pods: UncountedPods = Field(default_factory=UncountedPods)
    conditions: tuple[JobCondition, ...] = ()


class Job(KubernetesModel):
    """A Job as this operator sees it."""

    metadata: ChildMeta
    spec: JobSpec = Field(default_factory=JobSpec)
    status: JobStatus = Field(default_factory=JobStatus)

    def condition(self, *types: str) -> JobCondition | None:
        """The first condition of one of these types that is True."""
        return next((c for c in self.status.conditions if c.type in types and c.status == "True"), None)

    @property
    def failure(self) -> JobCondition | None:
        """Why the Job failed; set before its pods are gone, so as soon as the decision stands."""
        return self.condition("FailureTarget", "Failed")

    @property
    def complete(self) -> bool:
        """Whether the Job controller has accepted a pod as the success."""
        return self.condition("SuccessCriteriaMet", "Complete") is not None

    @property
    def ended(self) -> bool:
        """Whether no further pod will be started."""
        return self.complete or self.failure is not None

    @property
    def ended_at(self) -> datetime | None:
        """When the decision fell that no further pod will be started."""
        final = self.condition("SuccessCriteriaMet", "Complete", "FailureTarget", "Failed")
        return final.last_transition_time if final is not None else None

    @property
    def held(self) -> bool:
        """Whether it is suspended and the Job controller has acted on that: its pods were told to stop."""
        return self.spec.suspend and self.condition("Suspended") is not None

    @property
    def running_since(self) -> datetime | None:
        """Since when its time runs; a start from before a suspension stands until the Job controller sees its end."""
        return self.status.start_time if self.condition("Suspended") is None else None

    @property
    def was_suspended(self) -> bool:
        """Whether it is or ever was suspended."""
        return self.spec.suspend or any(condition.type == "Suspended" for condition in self.status.conditions)

    @property
    def resumed_at(self) -> datetime | None:
        """Since when it runs again after a suspension; None while it is suspended, and where it never was."""
        return self.running_since if self.was_suspended and not self.spec.suspend else None

    @property
    def shared(self) -> bool:
        """Whether several pods share the work, each with attempts of its own."""
        return self.spec.backoff_limit_per_index is not None

    @property
    def retries(self) -> int:
        """How many failures the Job allows, in each of the pods' places where several share the work."""
        limit = self.spec.backoff_limit_per_index
        return self.spec.backoff_limit if limit is None else limit

    @property
    def completed_indexes(self) -> frozenset[int]:
        """The places of pods that share the work whose part is done, as far as the Job controller has counted."""
        spans = (span.partition("-") for span in self.status.completed_indexes.split(",") if span)
        return frozenset(index for first, _, last in spans for index in range(int(first), int(last or first) + 1))

    @property
    def counted_failures(self) -> int:
        """Pods that the Job controller has counted as failed, or is just counting."""
        return self.status.failed + len(self.status.uncounted_terminated_pods.failed)
