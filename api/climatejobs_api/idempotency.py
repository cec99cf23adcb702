"""`Idempotency-Key`: a request that may be sent again without making a second job.

The name of the job is derived from who asks and the key, so that replicas which know nothing of each other collide
on it in the cluster; what was asked is remembered as a digest on the job.
"""

import hashlib
import json
import re
from collections.abc import Mapping

from pydantic import JsonValue

from climatejobs.errors import TYPE_PREFIX
from climatejobs.model import ClimateJob
from climatejobs.names import ANNOTATION_REQUEST_DIGEST
from climatejobs_api.problems import Problem

PATTERN = r"^[!-~]{1,255}$"
_DIGITS = 24


def derive_name(submitter: str, key: str) -> str:
    """Name of the job that a request under this key makes; `key` may be quoted, as a structured header is."""
    bare = re.sub(r'^"(.*)"$', r"\1", key)
    return f"job-{hashlib.sha256(f'{submitter}\0{bare}'.encode()).hexdigest()[:_DIGITS]}"


def digest_request(process_id: str, body: Mapping[str, JsonValue]) -> str:
    """What two requests have in common that ask for the same, however their members are ordered."""
    text = json.dumps([process_id, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def check_repetition(job: ClimateJob, digest: str | None) -> None:
    """Raise the `Problem` 409 where the job was made by another request under the same key."""
    if job.metadata.annotations.get(ANNOTATION_REQUEST_DIGEST) != digest:
        raise Problem(
            409,
            type=f"{TYPE_PREFIX}idempotency-key-reused",
            title="Idempotency-Key used before",
            detail=f"this Idempotency-Key belongs to job {job.metadata.name}, which was asked for with another body",
            hint="Use a new key for a new request; the same key repeats the same request.",
        )
