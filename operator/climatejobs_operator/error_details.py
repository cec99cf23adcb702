"""The errors only the operator meets, in the form in which they travel: what happened, and what to do."""

import re
from enum import Enum

from climatejobs.errors import TYPE_PREFIX
from climatejobs.model import ErrorDetail

MAX_DETAIL = 2048
FOR_THE_INSTALLATION = "Whoever runs the installation has to look at this:"
"""How a hint begins that is of no use to whoever submitted the job."""
_TOO_LITTLE_MEMORY = re.compile(
    r"memory limit|memory\.(max|limit_in_bytes)|cannot start a stopped process", re.IGNORECASE
)
"""The last is what containerd says of a sandbox that was killed between its making and its start."""


class Kind(Enum):
    """What goes wrong with a job outside of its runner."""

    CANNOT_START = "cannot-start", "Runner cannot start"
    DEADLINE_EXCEEDED = "deadline-exceeded", "Deadline exceeded"
    DISRUPTED = "disrupted", "Disrupted"
    IMAGE_PULL = "image-pull", "Image cannot be pulled"
    JOB_DELETED = "job-deleted", "The Job was deleted"
    JOB_FAILED = "job-failed", "The Job failed"
    JOB_REFUSED = "job-refused", "Job refused"
    KILLED = "killed", "Killed"
    NOT_STARTED = "not-started", "Not started"
    NO_RESULT = "no-result", "No result"
    OUT_OF_MEMORY = "out-of-memory", "Out of memory"
    POD_REFUSED = "pod-refused", "Pod refused"
    RESULT_LOST = "result-lost", "Result lost"
    STOPPED = "stopped", "Stopped"
    UNEXPECTED = "unexpected", "Unexpected failure"
    UNKNOWN = "unknown", "Unknown failure"
    VOLUME_MISSING = "volume-missing", "Volume missing"
    VOLUME_NOT_MOUNTED = "volume-not-mounted", "Volume cannot be mounted"

    def __init__(self, slug: str, title: str) -> None:
        self.slug = slug
        """The end of the error's type."""
        self.title = title


def make_error(
    kind: Kind,
    detail: str,
    *,
    hint: str,
    exit_code: int | None = None,
    attempt: int | None = None,
) -> ErrorDetail:
    """An error, its detail cut to what a status holds."""
    return ErrorDetail(
        type=TYPE_PREFIX + kind.slug,
        title=kind.title,
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
    return make_error(Kind.OUT_OF_MEMORY, detail, hint=hint, exit_code=exit_code, attempt=attempt)
