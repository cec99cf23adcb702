"""Why a job under way does not compute yet: in one sentence, and whether that can be expected to end by itself.

What a pod's status does not tell, the events of its Job or its own do: `Wait.puzzle` asks for them.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from climatejobs.model import ErrorDetail
from climatejobs_operator.error_details import (
    FOR_THE_INSTALLATION,
    Kind,
    describe_too_little_memory,
    is_for_want_of_memory,
    make_error,
)
from climatejobs_operator.jobs import Job
from climatejobs_operator.observation import ClusterWarning
from climatejobs_operator.pods import Pod, PodCondition

PULL_FAILURES = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
PATIENCE_FOR_A_POD = timedelta(seconds=3)
"""From when a pod is due to when the events of its Job are asked why there is none."""
PATIENCE_FOR_A_START = timedelta(seconds=10)
"""From when a pod has its node to when its events are asked why it has not started."""


@dataclass(frozen=True)
class Wait:
    """Why nothing computes."""

    message: str
    trouble: ErrorDetail | None = None
    """The error that this becomes if it lasts; None where waiting is the thing to do."""
    since: datetime | None = None
    """Since when the trouble may have been there."""
    puzzle: str | None = None
    """Uid of the object whose events may tell more, now."""
    puzzle_at: datetime | None = None
    """When to ask, if it still lasts then."""


def describe_missing_pod(job: Job, due: datetime, warning: ClusterWarning | None, now: datetime) -> Wait:
    """Why a Job has no pod that should have had one since `due`."""
    if warning is None:
        asked_at = due + PATIENCE_FOR_A_POD
        puzzle = job.metadata.uid if asked_at <= now else None
        return Wait("Waiting for a pod.", puzzle=puzzle, puzzle_at=asked_at)
    told = _shorten_refusal(warning.note)
    if "exceeded quota" in told:
        return Wait(f"The namespace's quota leaves no room for the pod yet: {told}", puzzle=job.metadata.uid)
    trouble = make_error(
        Kind.POD_REFUSED,
        f"the cluster refuses the pod: {told}",
        hint="Submit again with resources that the namespace allows."
        if "per Container" in told or "per Pod" in told
        else f"{FOR_THE_INSTALLATION} the namespace's rules do not let the runner's pods in.",
    )
    return Wait(f"The cluster refuses the pod: {told}", trouble, due, puzzle=job.metadata.uid)


def describe_waiting(pod: Pod, warning: ClusterWarning | None, now: datetime) -> Wait:
    """Why the runner in this pod does not compute yet."""
    if pod.metadata.deletion_timestamp is not None:
        return Wait("Waiting for the previous pod to end.")
    scheduled = pod.condition("PodScheduled")
    if scheduled is None or scheduled.status != "True":
        return _describe_scheduling(pod, scheduled)
    since = scheduled.last_transition_time or pod.metadata.creation_timestamp
    waiting = pod.runner.waiting
    if waiting is None or waiting.reason in (None, "ContainerCreating", "PodInitializing"):
        return _describe_creation(pod, since, warning, now)
    told = waiting.message or "no reason given"
    if waiting.reason in PULL_FAILURES:
        image = next((status.image for status in pod.status.container_statuses if status.image), "of the runner")
        message = f"The image {image} cannot be pulled ({waiting.reason}): {told}"
        hint = f"{FOR_THE_INSTALLATION} is the image's name right, does the node reach the registry, may it pull there?"
        return Wait(message, make_error(Kind.IMAGE_PULL, message, hint=hint), since)
    if is_for_want_of_memory(told):
        return _describe_too_little_memory(waiting.reason, told, since)
    message = f"The runner cannot start ({waiting.reason}): {told}"
    hint = f"{FOR_THE_INSTALLATION} the settings of the runner's pod do not work on this cluster."
    return Wait(message, make_error(Kind.CANNOT_START, message, hint=hint), since)


def is_pull_failure(sentence: str | None) -> bool:
    """Whether a sentence of `describe_waiting` tells of an image; the kubelet alternates between two wordings."""
    return sentence is not None and sentence.startswith("The image ")


def _describe_scheduling(pod: Pod, scheduled: PodCondition | None) -> Wait:
    if scheduled is None:
        return Wait("Waiting for a node.")
    told = scheduled.message or scheduled.reason or "no reason given"
    if scheduled.reason != "Unschedulable":
        return Wait(f"Waiting to be scheduled: {told}")
    if re.search(r"persistentvolumeclaim .* not found|unbound immediate PersistentVolumeClaims", told, re.IGNORECASE):
        message = f"The data volume is missing: {told}"
        hint = f"{FOR_THE_INSTALLATION} the claim of the data volume is not there or not bound (kubectl get pvc)."
        trouble = make_error(Kind.VOLUME_MISSING, message, hint=hint)
        return Wait(message, trouble, pod.metadata.creation_timestamp)
    return Wait(f"No node can take the pod yet: {told}")


def _describe_creation(pod: Pod, since: datetime, warning: ClusterWarning | None, now: datetime) -> Wait:
    starting = "Starting: the node mounts the data and pulls the image if it has to."
    if warning is None:
        asked_at = since + PATIENCE_FOR_A_START
        return Wait(starting, puzzle=pod.metadata.uid if asked_at <= now else None, puzzle_at=asked_at)
    if warning.reason in ("FailedMount", "FailedAttachVolume", "FailedMapVolume"):
        message = f"The data volume cannot be mounted ({warning.reason}): {warning.note}"
        hint = f"{FOR_THE_INSTALLATION} the volume behind the claim is not there, or not for this node."
        trouble = make_error(Kind.VOLUME_NOT_MOUNTED, message, hint=hint)
        return Wait(message, trouble, since, puzzle=pod.metadata.uid)
    if is_for_want_of_memory(warning.note):
        return _describe_too_little_memory(warning.reason, warning.note, since, pod.metadata.uid)
    return Wait(f"{starting} Latest warning ({warning.reason}): {warning.note}", puzzle=pod.metadata.uid)


def _describe_too_little_memory(reason: str, told: str, since: datetime, puzzle: str | None = None) -> Wait:
    message = f"The pod has too little memory to be made ({reason}): {told}"
    return Wait(message, describe_too_little_memory(message), since, puzzle)


def _shorten_refusal(note: str) -> str:
    """The note without the pod's name, which is another in each attempt, so that the words stay."""
    note = note.removeprefix("(combined from similar events): ").removeprefix("Error creating: ")
    return re.sub(r'^pods "[^"]*" is forbidden: ', "", note)
