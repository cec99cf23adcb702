"""What is known of one ClimateJob at one moment, and what is decided from it: the two ends of planning."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from climatejobs.model import ClimateJob, ClimateJobStatus, Progress
from climatejobs.names import Reason
from climatejobs_operator.actions import Action
from climatejobs_operator.jobs import Job
from climatejobs_operator.pods import Pod


@dataclass(frozen=True)
class Obstacle:
    """Why the Job could not be made, as the cluster said it."""

    reason: Reason
    message: str
    since: datetime | None = None
    """Since when it has been refused, as far as this operator knows; None where waiting is the thing to do."""


@dataclass(frozen=True)
class Place:
    """Where a job stands in the line for a slot."""

    number: int
    """From 1."""
    near_since: datetime | None = None
    """Since when it is among the first in line and was not told that it moves on; None where it is none of them."""


@dataclass(frozen=True)
class ClusterWarning:
    """The latest warning among the events of an object."""

    reason: str
    note: str


@dataclass(frozen=True)
class Reported:
    """A result that a pod has reported by itself and that was found to be in order."""

    pod_uid: str
    outputs: Mapping[str, JsonValue]
    started_at: datetime
    at: datetime


@dataclass(frozen=True)
class Observation:
    """A ClimateJob with what belongs to it."""

    climatejob: ClimateJob
    job: Job | None = None
    """The Job of the ClimateJob's name, whoever owns it."""
    pods: tuple[Pod, ...] = ()
    """Every pod labelled with the ClimateJob's uid, also of a Job that is gone."""
    obstacle: Obstacle | None = None
    place: Place | None = None
    """Set while the job has to wait for a slot."""
    unreadable: str | None = None
    """Why the object's spec could not be read, where it could not."""
    warning: ClusterWarning | None = None
    """What the events say that the plan without them has asked for."""
    reported: Reported | None = None
    progress: Progress | None = None
    """Set when there is news of it and it is time to write them."""

    @property
    def own_job(self) -> Job | None:
        """The Job, if it is this ClimateJob's."""
        if self.job is not None and self.job.metadata.controller_uid == self.climatejob.metadata.uid:
            return self.job
        return None

    @property
    def live_pods(self) -> tuple[Pod, ...]:
        """Pods in which something runs or is going to."""
        return tuple(pod for pod in self.pods if not pod.ended)


@dataclass(frozen=True)
class Decision:
    """Where the ClimateJob stands and what to do about it, without the bookkeeping every status needs."""

    status: ClimateJobStatus
    reason: Reason
    actions: tuple[Action, ...] = ()
    wake_at: datetime | None = None
    """When to look again even if nothing happens."""
    puzzle: str | None = None
    """Uid of an object whose events may tell more; to be decided again with the latest warning among them."""
