"""The ClimateJob: what is asked (`spec`), what has become of it (`status`). The only definition there is.

The CustomResourceDefinition is generated from these models; the descriptions are the text of `kubectl explain`.
Python is snake_case, Kubernetes camelCase: one alias generator keeps them in step.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    TypeAdapter,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from climatejobs import names

MAX_CLOCK_SKEW = timedelta(minutes=1)
QUANTITY = r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][0-9]+|m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$"
_URL = "^https?://[^ ]+$"
FORMS = {QUANTITY: "a quantity such as 500m, 2 or 4Gi", _URL: "an http or https address"}
"""What the patterns of these models mean, in words for messages."""


class KubernetesModel(BaseModel):
    """Base of everything written to or read from the cluster: camelCase outside, unknown members ignored."""

    # Built at its first use: a runner that needs few of these models starts all the sooner.
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True, defer_build=True
    )

    def to_manifest(self) -> dict[str, JsonValue]:
        """The JSON form: camelCase, without the members that are not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Phase(StrEnum):
    """Where a ClimateJob stands in its life."""

    PENDING = "Pending"
    SUSPENDED = "Suspended"
    RUNNING = "Running"
    RETRYING = "Retrying"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"

    @property
    def terminal(self) -> bool:
        """Whether this phase is an end: nothing leaves it."""
        return self in TERMINAL_PHASES


TERMINAL_PHASES = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED})


def _utc(moment: datetime) -> datetime:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _whole_seconds(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _microseconds(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Time = Annotated[datetime, AfterValidator(_utc), PlainSerializer(_whole_seconds, return_type=str)]
"""A moment in UTC, written in whole seconds as Kubernetes does."""
MicroTime = Annotated[datetime, AfterValidator(_utc), PlainSerializer(_microseconds, return_type=str)]
"""A moment in UTC, written in microseconds."""
Quantity = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int | float) else value),
    Field(pattern=QUANTITY, max_length=32),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": QUANTITY,
            "x-kubernetes-int-or-string": True,
        }
    ),
]
"""A Kubernetes quantity such as ``500m`` or ``2Gi``."""
Url = Annotated[
    str,
    Field(max_length=2048, pattern=_URL),
    AfterValidator(lambda value: str(TypeAdapter(AnyHttpUrl).validate_python(value)) and value),
]
"""An http or https address, kept exactly as it was given."""


class Resources(KubernetesModel):
    """What one attempt may use."""

    cpu: Quantity | None = Field(default=None, description="CPU request and limit of the runner, such as 1 or 500m.")
    memory: Quantity | None = Field(default=None, description="Memory request and limit of the runner, such as 2Gi.")


class Output(KubernetesModel):
    """How one output is wanted."""

    transmission_mode: Literal["value", "reference"] | None = Field(
        default=None, description="Whether the output is wanted in the answer (value) or as a link (reference)."
    )
    format: dict[str, JsonValue] | None = Field(default=None, description="Media type, encoding and schema wanted.")


class Subscriber(KubernetesModel):
    """Addresses that are told of the job's progress."""

    success_uri: Url | None = Field(default=None, description="Receives the results once the job has succeeded.")
    in_progress_uri: Url | None = Field(default=None, description="Receives the job's status when it starts.")
    failed_uri: Url | None = Field(default=None, description="Receives the job's status if it fails or is cancelled.")


class ClimateJobSpec(KubernetesModel):
    """What is asked for. All but suspend, cancel, priority and ttlSecondsAfterFinished is immutable."""

    process: str = Field(
        min_length=1,
        max_length=63,
        pattern=r"^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$",
        description="Id of the process to run, such as resample.",
    )
    inputs: dict[str, JsonValue] = Field(
        default_factory=dict, description="Inputs of the process, by name; at most 32 KiB as JSON."
    )
    outputs: dict[Annotated[str, Field(max_length=63)], Output] | None = Field(
        default=None, description="The outputs wanted, by name; all of them where this is absent."
    )
    response: Literal["raw", "document"] | None = Field(
        default=None, description="Whether REST answers with bare values (raw) or one JSON document."
    )
    subscriber: Subscriber | None = Field(default=None, description="Addresses to be told of progress and end.")
    max_attempts: int = Field(default=3, ge=1, le=10, description="How often the computation is tried at most.")
    timeout_seconds: int = Field(
        default=21600, ge=1, le=31536000, description="Wall time in seconds for all attempts together."
    )
    ttl_seconds_after_finished: int | None = Field(
        default=None,
        ge=0,
        le=3153600000,
        description="Seconds after the end until this object is deleted; results stay.",
    )
    priority: int = Field(default=0, ge=-1000000, le=1000000, description="Higher starts earlier among waiting jobs.")
    parallelism: int = Field(default=1, ge=1, le=1000, description="How many pods share the computation.")
    resources: Resources | None = Field(
        default=None, description="What one pod may use; defaults are the installation's."
    )
    suspend: bool = Field(default=False, description="Hold the job: its pods are stopped until this is false again.")
    cancel: bool = Field(default=False, description="Stop the job for good; cannot be taken back.")
    submitted_by: str | None = Field(default=None, max_length=253, description="Who asked for the job.")


class Progress(KubernetesModel):
    """How far the computation has come."""

    percent: int = Field(ge=0, le=100, description="Share of the work that is done.")
    done: int | None = Field(default=None, ge=0, description="Units done.")
    total: int | None = Field(default=None, ge=0, description="Units in all.")
    unit: str | None = Field(default=None, max_length=63, description="What is counted, such as steps.")
    rate: float | None = Field(default=None, ge=0, description="Units a second, of all pods together.")
    message: str | None = Field(default=None, max_length=1024, description="What the runner is doing.")
    time: Time | None = Field(default=None, description="When this was reported.")


class ErrorDetail(KubernetesModel):
    """Why a job or an attempt failed: what, where, and what to do."""

    type: str = Field(max_length=256, description="URI that names the kind of error.")
    title: str = Field(max_length=256, description="The kind of error in words.")
    detail: str = Field(max_length=2048, description="What happened in this case.")
    hint: str | None = Field(default=None, max_length=1024, description="What to do about it.")
    exit_code: int | None = Field(default=None, description="Exit status of the runner, where it ended by itself.")
    attempt: int | None = Field(default=None, ge=0, description="The attempt this happened in, counted from 1.")


class Condition(KubernetesModel):
    """One aspect of the job's state, as metav1.Condition."""

    type: Literal["Complete", "Failed", "Suspended", "Finished"] = Field(description="The aspect.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: str = Field(
        max_length=1024,
        pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        description="Why, in one CamelCase word.",
    )
    message: str = Field(default="", max_length=2048, description="Why, in words.")
    last_transition_time: Time = Field(description="When status last changed.")
    observed_generation: int | None = Field(default=None, description="The generation this speaks of.")


CallbackEvent = Literal["success", "inProgress", "failed"]
CallbackState = Literal["Pending", "Delivered", "Abandoned"]


class Callback(KubernetesModel):
    """What has become of telling the subscriber of one event."""

    event: CallbackEvent = Field(description="What is told; spec.subscriber says where.")
    state: CallbackState = Field(description="Pending until it is delivered, or given up after many tries.")
    tries: int = Field(default=0, ge=0, description="How often delivery has been tried.")
    time: Time | None = Field(default=None, description="When it was tried last.")
    retry_at: Time | None = Field(default=None, description="When it is tried again.")
    detail: str | None = Field(default=None, max_length=256, description="Why the last try failed.")


class ClimateJobStatus(KubernetesModel):
    """What has become of the request. Written by the operator alone."""

    observed_generation: int | None = Field(default=None, description="The generation of spec this status speaks of.")
    phase: Phase | None = Field(
        default=None, description="Where the job stands; Succeeded, Failed and Cancelled are ends."
    )
    message: str | None = Field(default=None, max_length=2048, description="The state in one sentence.")
    attempts: int | None = Field(default=None, ge=0, description="Attempts begun, the current one included.")
    retry_at: Time | None = Field(default=None, description="When the next attempt is expected to start.")
    progress: Progress | None = Field(default=None, description="How far the computation has come.")
    started_at: Time | None = Field(default=None, description="When the first attempt began to compute.")
    finished_at: Time | None = Field(default=None, description="When the job came to its end.")
    held_seconds: int | None = Field(
        default=None,
        ge=0,
        description="Seconds that the job was suspended, or waited for a slot after that, once it had begun; "
        "they do not count against timeoutSeconds. Set once the job has been suspended.",
    )
    held_since: Time | None = Field(
        default=None,
        description="Since when a job that had begun is suspended, or waits for a slot after that; "
        "heldSeconds has the time from then on when it goes on.",
    )
    job_name: str | None = Field(default=None, max_length=63, description="The batch/v1 Job that runs this.")
    results: dict[str, JsonValue] | None = Field(
        default=None, description="The outputs, by name, as the runner gave them."
    )
    error: ErrorDetail | None = Field(default=None, description="Why the job failed, or its latest attempt did.")
    log_tail: str | None = Field(
        default=None, max_length=1024, description="Last lines of the log of the attempt that `error` is of."
    )
    callbacks: list[Callback] | None = Field(
        default=None,
        max_length=3,
        description="What the subscriber has been told, and is still to be told.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["event"]},
    )
    callbacks_due: bool | None = Field(default=None, description="Whether a callback is still to be delivered.")
    conditions: list[Condition] = Field(
        default_factory=list[Condition],
        max_length=8,
        description="Complete, Failed, Suspended, and Finished (True at either end).",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type, if it is set."""
        return next((condition for condition in self.conditions if condition.type == type_), None)


class ObjectMeta(KubernetesModel):
    """The part of Kubernetes' object metadata that this project reads."""

    name: str
    namespace: str
    uid: str
    resource_version: str
    generation: int = 1
    creation_timestamp: Time
    deletion_timestamp: Time | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class ClimateJob(KubernetesModel):
    """One request for a computation and its life."""

    metadata: ObjectMeta
    spec: ClimateJobSpec
    status: ClimateJobStatus = Field(default_factory=ClimateJobStatus)

    @property
    def phase(self) -> Phase:
        """The phase; Pending until the operator has seen the job."""
        return self.status.phase or Phase.PENDING

    @property
    def submitted_at(self) -> datetime:
        """When the job was submitted, in microseconds where the submitter said so."""
        return submission_time(self.metadata.annotations, self.metadata.creation_timestamp)

    @property
    def order_key(self) -> tuple[datetime, str]:
        """Sorts jobs oldest first, ties broken by name; reverse it for lists."""
        return (self.submitted_at, self.metadata.name)

    @classmethod
    def from_manifest(cls, manifest: object) -> Self:
        """Read a ClimateJob as the API server gives it."""
        return cls.model_validate(manifest)


def submission_time(annotations: dict[str, str], created: datetime) -> datetime:
    """Time of submission from the annotation, else the time of creation.

    The annotation is the submitter's word. One that cannot be read, or that is further from the time of
    creation than clocks differ, is ignored: nobody gets ahead in line by dating a job back.
    """
    try:
        stated = _utc(datetime.fromisoformat(annotations[names.ANNOTATION_SUBMITTED_AT]))
    except (KeyError, ValueError):
        return created
    return stated if abs(stated - created) <= MAX_CLOCK_SKEW else created
