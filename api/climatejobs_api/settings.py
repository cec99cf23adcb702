"""What the API can be told from outside: environment variables, read once at the start."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from climatejobs.model import Quantity
from climatejobs.outbound import Network
from climatejobs.quantities import parse_quantity
from climatejobs_api.buckets import SCHEME, Bucket

PREFIX = "CLIMATEJOBS_API_"


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _readable_quantity(text: str) -> str:
    parse_quantity(text)
    return text


def _open_bucket(value: object) -> object:
    return Bucket(value) if isinstance(value, str) and value.startswith(SCHEME) else value


Networks = Annotated[Sequence[Network], NoDecode, BeforeValidator(_split)]
Names = Annotated[Sequence[str], NoDecode, BeforeValidator(_split)]
Bound = Annotated[Quantity, AfterValidator(_readable_quantity)]
UrlPrefix = Annotated[str, Field(pattern=r"^https?://[^ ?#]+$"), AfterValidator(lambda url: url.rstrip("/"))]
Issuer = Annotated[str, Field(pattern=r"^https?://[^ #]+$")]
"""Taken letter by letter: tokens name it so."""
Prefix = Annotated[str, BeforeValidator(lambda text: "" if text == "-" else text)]
PathPrefix = Annotated[str, Field(pattern=r"^(/[^ ?#]*)?$"), AfterValidator(lambda path: path.rstrip("/"))]


class Settings(BaseSettings):
    """Settings of one replica; every one has a default that works."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    namespace: str = Field(default="default", validation_alias="CLIMATEJOBS_NAMESPACE")
    host: str = "0.0.0.0"  # noqa: S104  # a container is reached from outside; the chart decides from where
    port: int = Field(default=8080, ge=0, le=65535)
    data: Annotated[Path | Bucket, BeforeValidator(_open_bucket)] = Path("/data")
    """Folder of the data root, or its address in an object store: s3://BUCKET/PREFIX."""
    public_url: UrlPrefix | None = None
    """Address under which clients reach the API; wins over everything a request says."""
    trusted_proxies: Networks = ()
    """Addresses whose X-Forwarded-* headers are believed."""
    root_path: PathPrefix = ""
    """Path prefix under which a proxy publishes the API."""
    cors_origins: Names = ()
    """Web pages of these origins may use the API from a browser; `*` is every one."""
    fetch_allow: Names = ()
    """Hosts and networks that inputs by reference may come from; every public address where it is empty."""
    strict: bool = False
    """Answer to the letter of OGC API - Processes 1.0: 201 instead of 202, several outputs as multipart/related."""
    sync_wait_seconds: float = Field(default=25.0, ge=0)
    """How long a synchronous request is kept waiting before it is answered as an asynchronous one."""
    stream_seconds: float = Field(default=3600.0, ge=0)
    """How long events are sent over one connection; the client then makes a new one and misses nothing."""
    max_attempts: int = Field(default=10, ge=1, le=10)
    max_timeout_seconds: int = Field(default=86400, ge=1)
    max_priority: int = Field(default=100, ge=0, le=1000000)
    max_parallelism: int = Field(default=16, ge=1, le=1000)
    max_cpu: Bound | None = None
    max_memory: Bound | None = None
    max_ttl_seconds: int = Field(default=2592000, ge=0)
    max_body_bytes: int = Field(default=262144, ge=1024)
    """Of a request. Six times the largest inputs: enough for the same text with every character escaped."""
    submissions_per_minute: int = Field(default=1200, ge=0)
    """Of one submitter, at one replica; 0 is no limit."""
    stale_seconds: float = Field(default=300.0, gt=0)
    """How far reads may be behind the cluster, while it cannot be reached, before they are refused."""
    auth_mode: Literal["none", "kubernetes", "oidc"] = "none"
    auth_keep_seconds: float = Field(default=30.0, ge=0)
    """For how long it is remembered who a token belongs to and what they may do."""
    auth_audiences: Names = ()
    """Of tokens in the mode kubernetes; that of the API server itself where there are none."""
    oidc_issuer: Issuer | None = None
    oidc_audience: str | None = None
    oidc_keys_url: Issuer | None = None
    """Where the issuer's keys are; its own configuration says so where this is absent."""
    oidc_username_claim: str = "sub"
    oidc_username_prefix: Prefix = "oidc:"
    """Put before names, so that nobody is taken for one of the cluster's own users; `-` is none."""
    oidc_groups_claim: str = "groups"
    oidc_groups_prefix: Prefix = "oidc:"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.auth_mode == "oidc" and not (self.oidc_issuer and self.oidc_audience):
            raise ValueError(f"{PREFIX}AUTH_MODE=oidc needs {PREFIX}OIDC_ISSUER and {PREFIX}OIDC_AUDIENCE")
        return self


def exceeds(quantity: str | None, bound: str | None) -> bool:
    """Whether a quantity is more than its bound; where either is absent it is not."""
    if quantity is None or bound is None:
        return False
    return parse_quantity(quantity) > max(parse_quantity(bound), Decimal(0))
