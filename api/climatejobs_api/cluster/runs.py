"""Pods, as far as logs need them: which attempt each was, and whether it has anything to say yet. Pure."""

from collections.abc import Sequence

import msgspec

from climatejobs import names
from climatejobs.model import ClimateJobStatus, Phase
from climatejobs_api.store import Run

SHARD_LABEL = "batch.kubernetes.io/job-completion-index"
FAILURES_ANNOTATION = "batch.kubernetes.io/job-index-failure-count"
"""On the pods of an Indexed Job that counts the failures of each index: how many there were before this pod."""


class _Metadata(msgspec.Struct, rename="camel"):
    name: str
    creation_timestamp: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class _State(msgspec.Struct):
    running: dict[str, object] | None = None
    terminated: dict[str, object] | None = None


class _Container(msgspec.Struct):
    name: str
    state: _State = msgspec.field(default_factory=_State)


class _Condition(msgspec.Struct):
    type: str
    status: str


class _Status(msgspec.Struct, rename="camel"):
    phase: str = ""
    conditions: list[_Condition] = []
    container_statuses: list[_Container] = []


class _Pod(msgspec.Struct):
    metadata: _Metadata
    status: _Status = msgspec.field(default_factory=_Status)

    @property
    def started(self) -> bool:
        return any(
            container.name == names.RUNNER_CONTAINER
            and (container.state.running is not None or container.state.terminated is not None)
            for container in self.status.container_statuses
        )

    @property
    def counts(self) -> bool:
        """Whether its failure, if it failed, was an attempt: a disruption is none."""
        return self.status.phase != "Failed" or not any(
            condition.type == "DisruptionTarget" and condition.status == "True" for condition in self.status.conditions
        )


class _Pods(msgspec.Struct):
    items: list[_Pod]


_read_pods = msgspec.json.Decoder(_Pods)


def select_pods(job_uid: str, *, shard: int | None) -> str:
    """The label selector of a job's pods, or of those of one shard."""
    own = f"{names.LABEL_JOB_UID}={job_uid}"
    return own if shard is None else f"{own},{SHARD_LABEL}={shard}"


def decode_runs(content: bytes, status: ClimateJobStatus) -> Sequence[Run]:
    """The runs that a list of the pods of a job of that status shows, newest first."""
    pods = sorted(
        _read_pods.decode(content).items,
        key=lambda pod: (pod.metadata.creation_timestamp, pod.metadata.name),
        reverse=True,
    )
    runs: list[Run] = []
    number = max(_newest_attempt(pods, status), 1)
    for index, pod in enumerate(pods):
        # Counted back from the newest: older pods may be gone. A pod that was taken away is repeated, and what
        # follows it has the same number.
        if index and pod.counts:
            number = max(number - 1, 1)
        failures = pod.metadata.annotations.get(FAILURES_ANNOTATION, "")
        counted = int(failures) + 1 if failures.isdecimal() else number
        runs.append(Run(key=pod.metadata.name, attempt=counted, started=pod.started))
    return runs


def _newest_attempt(pods: Sequence[_Pod], status: ClimateJobStatus) -> int:
    # While a job waits for its next attempt, the status counts that one already, and its newest pod is the last one.
    waits = status.phase is Phase.RETRYING and pods and pods[0].status.phase == "Failed" and pods[0].counts
    if waits and status.error is not None and status.error.attempt is not None:
        return status.error.attempt
    return status.attempts or 1
