"""What the installation decides, read from the environment once at the start."""

import os
import socket
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Json, JsonValue, ValidationError, model_validator

from climatejobs.model import Quantity

PREFIX = "CLIMATEJOBS_OPERATOR_"
NAMESPACE = "CLIMATEJOBS_NAMESPACE"


class SettingsError(Exception):
    """The environment does not say what the operator needs to know; the text names each variable."""


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class Settings(BaseModel):
    """The settings; `from_environment` says how the variables are called."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    namespace: str = Field(min_length=1)
    """The one namespace that is served."""
    runner_image: str = Field(min_length=1)
    runner_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    runner_service_account: str = "default"
    runner_cpu: Quantity = "1"
    runner_memory: Quantity = "1Gi"
    runner_user: Annotated[int, Field(ge=1)] = 10001
    runner_group: Annotated[int, Field(ge=1)] = 10001
    """Also the fsGroup of the data volume, shared with the API."""
    runner_pod: Json[dict[str, JsonValue]] = Field(default_factory=dict[str, JsonValue])
    """Laid over the spec of every runner pod: nodeSelector, tolerations, imagePullSecrets and the like."""
    runner_grace_seconds: Annotated[int, Field(ge=0)] = 30
    data_claim: str | None = None
    """Name of the PersistentVolumeClaim that holds the data root."""
    data_bucket: Annotated[str, Field(pattern="^s3://[^/]+(/.*)?$")] | None = None
    """Address of the data root in an object store, instead of a claim."""
    data_endpoint: str | None = None
    """Where the object store is reached; the one of the region of AWS if absent."""
    data_region: str = "us-east-1"
    data_secret: str | None = None
    """Name of the Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; without it runners need an identity."""
    max_running: Annotated[int, Field(ge=0)] = 10
    """ClimateJobs that have a Job at the same time; 0 is no limit."""
    max_running_per_submitter: Annotated[int, Field(ge=0)] = 0
    job_retention_seconds: Annotated[int, Field(ge=0)] = 600
    """How long a Job and its pods stay after the end, for a look at them."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=-1, le=3153600000)] = 604800
    """For ClimateJobs that do not say themselves; -1 keeps them."""
    fetch_allow: Annotated[tuple[str, ...], BeforeValidator(_split)] = ()
    """Hosts and networks that callbacks may go to; every public address where it is empty."""
    public_url: str | None = None
    """Address under which clients reach the API: what links in callbacks begin with."""
    start_timeout_seconds: Annotated[int, Field(ge=0)] = 600
    """How long a pod that cannot start (image, volume, refusal) is waited for; 0 is for ever."""
    lost_pod_seconds: Annotated[int, Field(ge=0)] = 120
    """How long past its grace a pod may be terminating before its node is given up."""
    identity: str = Field(default_factory=socket.gethostname, min_length=1)
    """The name of this operator's pod: no two operators of a namespace have the same at a time."""
    lease_name: str = Field(default="climatejobs-operator", min_length=1)
    """Name of the Lease that elects the one operator that acts."""
    slow_write_seconds: Annotated[float, Field(ge=0)] = 0.05
    """Where the API server takes longer for a write, first words on new Jobs wait up to 3 s; 0 has them never wait."""
    workers: Annotated[int, Field(ge=1, le=64)] = 16
    resync_seconds: Annotated[float, Field(ge=1)] = 600
    report_port: Annotated[int, Field(ge=0, le=65535)] = 8081
    report_url: str = ""
    """Where runners report; they do not, and leave their result in the termination message, where it is empty."""
    report_address: str = ""
    """Where other operators reach this one's report port, as host:port."""
    progress_per_second: Annotated[float, Field(gt=0)] = 20
    """Writes of progress in all; each job has at most one a second."""
    probe_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"

    @model_validator(mode="after")
    def _one_place_for_data(self) -> Self:
        if (self.data_claim is None) == (self.data_bucket is None):
            raise ValueError(f"set either {variable_name('data_claim')} or {variable_name('data_bucket')}")
        return self

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read CLIMATEJOBS_NAMESPACE and, for every other field, CLIMATEJOBS_OPERATOR_<FIELD>.

        A variable that is empty counts as absent. Raises `SettingsError`.
        """
        given = {name: environ.get(variable_name(name), "") for name in cls.model_fields}
        try:
            return cls.model_validate({name: text for name, text in given.items() if text})
        except ValidationError as error:
            faults = (
                f"{variable_name(str(fault['loc'][0]))}: {fault['msg']}" if fault["loc"] else fault["msg"]
                for fault in error.errors(include_url=False)
            )
            raise SettingsError("; ".join(faults)) from None


def variable_name(field: str) -> str:
    """The environment variable that holds a setting."""
    return NAMESPACE if field == "namespace" else PREFIX + field.upper()
