"""The errors only the operator meets, in the form in which they travel: what happened, and what to do."""

import re

from climatejobs.errors import TYPE_PREFIX
from climatejobs.model import ErrorDetail

MAX_DETAIL = 2048
_TOO_LITTLE_MEMORY = re.compile(
    r"memory limit|memory\.(max|limit_in_bytes)|cannot start a stopped process", re.IGNORECASE
)
"""The last is what containerd says of a sandbox that was killed between its making and its start."""


def make_error(
    slug: str,
    title: str,
    detail: str,
    *,
    hint: str | None = None,
    exit_code: int | None = None,
    attempt: int | None = None,
) -> ErrorDetail:
    """An error of the kind `slug`, its detail cut to what a status holds."""
    return ErrorDetail(
        type=TYPE_PREFIX + slug,
        title=title,
        detail=shorten(detail, MAX_DETAIL),
        hint=hint,
        exit_code=exit_code,
        attempt=attempt,
    )


def shorten(text: str, length: int) -> str:
    """The text, cut to at most `length` characters with a sign that it was."""
    return text if len(text) <= length else text[: length - 1] + "…"


def is_for_want_of_memory(told: str) -> bool:
    """Whether a container runtime says that it could not make a container within its memory; each has its words."""
    return _TOO_LITTLE_MEMORY.search(told) is not None


def describe_too_little_memory(detail: str, *, exit_code: int | None = None, attempt: int | None = None) -> ErrorDetail:
    """The error of a pod with too little memory to be made at all."""
    hint = "Submit again with more in resources.memory; the smallest computations take about 64Mi."
    return make_error("out-of-memory", "Out of memory", detail, hint=hint, exit_code=exit_code, attempt=attempt)
