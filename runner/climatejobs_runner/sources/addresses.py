"""Sources beyond this machine: their addresses, a client for each, and what the clients' errors mean for people.

Whoever imports names the address and runs the program, so it may lead anywhere; REST offers no import.
"""

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.exceptions import (
    BaseError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import HTTPStore, S3Store

from climatejobs.errors import ClimateJobsError, DataError, InvalidInput, TemporaryError

if TYPE_CHECKING:
    # Exist for type checkers alone.
    from obstore.store import ClientConfig, RetryConfig, S3Config

_BUCKET, _WEB = "s3://", ("https://", "http://")
SILENCE = timedelta(seconds=60)
"""How long a server may send nothing."""
_RETRY: "RetryConfig" = {"max_retries": 6, "retry_timeout": timedelta(seconds=60)}
_STATUS = re.compile(r"status code: ([0-9]{3})")
_PASSING = frozenset({"408", "425", "429"})
"""Of the answers 4xx, those that may be others the next time."""


@dataclass(frozen=True)
class Access:
    """How a bucket is got at, where that is not as the environment says."""

    endpoint: str | None = None
    region: str | None = None
    anonymous: bool = False
    """Send no credentials, whatever the environment holds."""


@dataclass(frozen=True)
class Address:
    """Where a source lies."""

    text: str
    """For people and for provenance: without the query, which may hold a signature."""
    objects: S3Store | HTTPStore
    """Rooted at the address: the object itself is the one without a name."""

    @property
    def name(self) -> str:
        """The last part."""
        return self.text.rstrip("/").rpartition("/")[2]

    @contextmanager
    def explaining(self) -> Generator[None]:
        """Turn errors of the client into those that people understand."""
        try:
            yield
        except (BaseError, FileNotFoundError) as error:
            raise _explain(error, self) from None


def is_address(text: str) -> bool:
    """Whether a source is named by an address, not by a path."""
    return text.startswith((_BUCKET, *_WEB))


def open_address(text: str, access: Access) -> Address:
    """A client for an address; raises `InvalidInput` for one that is none. Nothing is connected to yet."""
    if text.startswith(_BUCKET):
        bucket, _, prefix = text.removeprefix(_BUCKET).rstrip("/").partition("/")
        if not bucket:
            raise InvalidInput(f"{text} names no bucket", hint="Write s3://BUCKET/PREFIX.")
        return Address(text.rstrip("/"), _open_bucket(bucket, prefix, access))
    if access != Access():
        raise InvalidInput(
            "--endpoint, --region and --anonymous are for sources in a bucket", hint="Leave them out, or write s3://."
        )
    parts = urlsplit(text)
    if not parts.hostname:
        raise InvalidInput(f"{text} names no host", hint="Write https://HOST/PATH.")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput(
            f"the address at {parts.hostname} carries a password, which would be stored with the data",
            hint="Leave it out; use an address that needs none, such as a signed one.",
        )
    address = parts._replace(path=parts.path.rstrip("/"), fragment="")
    shown = address._replace(query="").geturl()
    return Address(shown, HTTPStore(address.geturl(), client_options=_client(text), retry_config=_RETRY))


def _open_bucket(bucket: str, prefix: str, access: Access) -> S3Store:
    endpoint = access.endpoint or os.environ.get("AWS_ENDPOINT_URL")
    options: S3Config = {}
    if access.endpoint:
        options["endpoint"] = access.endpoint
    if access.region:
        options["region"] = access.region
    if access.anonymous:
        options["skip_signature"] = True
    client = _client(endpoint or "")
    return S3Store(bucket, prefix=prefix or None, config=options, client_options=client, retry_config=_RETRY)


def _client(address: str) -> "ClientConfig":
    # A large file takes as long as it takes, but never stands still.
    return {"allow_http": address.startswith("http://"), "read_timeout": SILENCE, "timeout": timedelta(days=7)}


def _explain(error: BaseError | FileNotFoundError, address: Address) -> ClimateJobsError:
    """What went wrong at an address, and what to do; the client tells much of that in its words alone."""
    place, in_bucket = address.text, isinstance(address.objects, S3Store)
    if isinstance(error, FileNotFoundError):
        return InvalidInput(f"there is nothing at {place} (404)", hint="Check the address.")
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        status = 401 if isinstance(error, UnauthenticatedError) else 403
        hint = "Use an address that needs no login, such as a signed one, or fetch the data first and import the file."
        if in_bucket:
            hint = "Check the credentials and what they allow; a public bucket is read with --anonymous."
        return InvalidInput(f"{place} may not be read ({status})", hint=hint)
    if isinstance(error, PreconditionError):
        return DataError(f"{place} has changed while it was read", hint="Import it again.")
    if isinstance(error, NotSupportedError):
        return DataError(
            f"the server of {place} does not send parts of a file (Range)", hint="Fetch the data first and import that."
        )
    return _explain_words(str(error), place, in_bucket=in_bucket)


def _explain_words(words: str, place: str, *, in_bucket: bool) -> ClimateJobsError:
    status = _STATUS.search(words)
    if status is not None:
        return _explain_status(status[1], place, in_bucket=in_bucket)
    if "InvalidCertificate" in words:
        return DataError(
            f"the certificate of the server of {place} is not one that this machine trusts",
            hint="Check the address; where the server has an authority of its own, name it in SSL_CERT_FILE.",
        )
    if "Content-Length" in words:
        return DataError(
            f"the server does not say how long {place} is, so nobody can tell whether all of it has come",
            hint="Fetch the data first and import the file.",
        )
    if "Connect" in words:
        return TemporaryError(f"the server of {place} cannot be reached", hint="Check the address and the network.")
    detail = f"{place} cannot be read: {words.partition(chr(10))[0].partition(': <')[0]}"
    return TemporaryError(detail, hint="The server may be back for the next attempt.")


def _explain_status(status: str, place: str, *, in_bucket: bool) -> ClimateJobsError:
    if status.startswith("3") and in_bucket:
        return InvalidInput(f"{place} lies in another region ({status})", hint="Name it with --region.")
    if status.startswith("4") and status not in _PASSING:
        return InvalidInput(f"the server refuses to send {place} ({status})", hint="Check the address.")
    return TemporaryError(f"the server cannot send {place} now ({status})", hint="Try again later.")
