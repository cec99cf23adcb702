"""What a failure means: whose fault it is, whether another attempt may help, and the words for it."""

import errno
from dataclasses import dataclass

from climatejobs.errors import ClimateJobsError, DataError, TemporaryError, TooLarge
from climatejobs.names import ExitCode

UNEXPECTED = 1
"""Exit status for what nobody foresaw: tried again, as it may be."""
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True)
class Failure:
    """An error for people and the exit status that goes with it."""

    error: ClimateJobsError
    exit_code: int

    @property
    def unexpected(self) -> bool:
        """Whether this is a fault of the program, which its author will want to see in full."""
        return self.exit_code == UNEXPECTED


def classify(error: Exception) -> Failure:
    """Say what an exception comes to."""
    from obstore.exceptions import BaseError  # noqa: PLC0415 - the client of object stores, which most runs do without

    if isinstance(error, TemporaryError):
        return Failure(error, ExitCode.TEMPORARY)
    if type(error) is not ClimateJobsError and isinstance(error, ClimateJobsError):
        return Failure(error, ExitCode.PERMANENT)
    if isinstance(error, MemoryError):
        hint = "Ask for more memory in resources.memory."
        return Failure(TooLarge("the computation ran out of memory", hint=hint), ExitCode.PERMANENT)
    if isinstance(error, BaseError):
        return _classify_bucket_error(error)
    if isinstance(error, OSError):
        return _classify_file_error(error)
    return Failure(
        ClimateJobsError(
            f"{type(error).__name__}: {error}", hint="This is a fault of the program; the log tells more."
        ),
        UNEXPECTED,
    )


def _classify_file_error(error: OSError) -> Failure:
    place = f" at {error.filename}" if error.filename else ""
    detail = f"a file operation failed{place}: {error.strerror or error}"
    if error.errno in _REFUSED:
        hint = "Let the runner's group write to the data root."
        return Failure(DataError(detail, hint=hint), ExitCode.PERMANENT)
    hint = "Free space on the volume." if error.errno in _FULL else "The storage may be back for the next attempt."
    return Failure(TemporaryError(detail, hint=hint), ExitCode.TEMPORARY)


def _classify_bucket_error(error: Exception) -> Failure:
    from obstore.exceptions import PermissionDeniedError, UnauthenticatedError  # noqa: PLC0415 - as above

    # What follows the first line is the client's own view of the request.
    words = str(error).partition("\n")[0].partition(": <")[0]
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        hint = "Check the credentials, and what they allow on the bucket."
        return Failure(DataError(f"the object store refused access: {words}", hint=hint), ExitCode.PERMANENT)
    detail = f"the object store failed: {words}"
    return Failure(TemporaryError(detail, hint="The storage may be back for the next attempt."), ExitCode.TEMPORARY)
