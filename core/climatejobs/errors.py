"""The errors that people meet, each saying what is wrong, where, and what to do.

    ClimateJobsError
    ├── UserError            permanent: the request is at fault
    │   ├── InvalidInput     one or more inputs do not fit the process description
    │   ├── NoSuchProcess
    │   ├── NoSuchDataset
    │   ├── NoData           the inputs are well-formed, but select nothing that can be computed
    │   └── TooLarge         does not fit the memory or size it was given
    ├── DataError            permanent: stored data is not what its description says
    └── TemporaryError       may pass by itself; worth another attempt

The same facts travel as `ErrorDetail` through the runner's result, the ClimateJob's status and REST.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

TYPE_PREFIX = "urn:climatejobs:error:"


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a request: where, and what."""

    pointer: str
    """JSON pointer into the request body, such as ``/inputs/frequency``."""
    detail: str


class ClimateJobsError(Exception):
    """Base of all errors meant for people."""

    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, hint: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint

    @property
    def type(self) -> str:
        """URN that names the kind of error, the same in the runner, the status and REST."""
        return TYPE_PREFIX + self.slug


class UserError(ClimateJobsError):
    """The request is at fault; trying it again unchanged cannot help."""

    slug = "invalid-request"
    title = "Invalid request"


class InvalidInput(UserError, ValueError):
    """Inputs do not fit the description of the process.

    Also a ValueError, which is what pydantic collects from the validators of a field.
    """

    slug = "invalid-input"
    title = "Invalid input"

    def __init__(self, detail: str, *, hint: str | None = None, faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail, hint=hint)
        self.faults = tuple(faults)

    @classmethod
    def of(cls, faults: Sequence[Fault], *, hint: str | None = None) -> Self:
        """Join several faults into one error whose detail names each place."""
        detail = "; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults)
        return cls(detail, hint=hint, faults=faults)


class NoSuchProcess(UserError):
    """No process has the id that was asked for."""

    slug = "no-such-process"
    title = "No such process"


class NoSuchDataset(UserError):
    """The data root holds no data set of the id that was asked for."""

    slug = "no-such-dataset"
    title = "No such data set"


class NoData(UserError):
    """The request is well-formed, but there is nothing to compute it from."""

    slug = "no-data"
    title = "No data for this request"


class TooLarge(UserError):
    """The computation does not fit what it was given."""

    slug = "too-large"
    title = "Too large"


class DataError(ClimateJobsError):
    """Stored data cannot be used as it is; trying again cannot help."""

    slug = "unusable-data"
    title = "Unusable data"


class TemporaryError(ClimateJobsError):
    """A fault outside the request that may pass by itself."""

    slug = "temporary"
    title = "Temporary failure"
