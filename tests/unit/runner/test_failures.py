"""What a failure comes to: an exit status that the operator can act on, and words."""

import errno

import pytest

from climatejobs.errors import ClimateJobsError, DataError, InvalidInput, NoData, TemporaryError, TooLarge
from climatejobs.names import ExitCode
from climatejobs_runner.failures import UNEXPECTED, classify


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (InvalidInput("wrong"), ExitCode.PERMANENT),
        (NoData("none"), ExitCode.PERMANENT),
        (TooLarge("large"), ExitCode.PERMANENT),
        (DataError("bad"), ExitCode.PERMANENT),
        (TemporaryError("later"), ExitCode.TEMPORARY),
        (MemoryError(), ExitCode.PERMANENT),
        (PermissionError(errno.EACCES, "Permission denied", "/data"), ExitCode.PERMANENT),
        (OSError(errno.ENOSPC, "No space left on device"), ExitCode.TEMPORARY),
        (OSError(errno.EIO, "Input/output error"), ExitCode.TEMPORARY),
        (ZeroDivisionError("division by zero"), UNEXPECTED),
        (ClimateJobsError("bug"), UNEXPECTED),
    ],
)
def test_exit_status_tells_whether_another_attempt_may_help(error: Exception, exit_code: int) -> None:
    assert classify(error).exit_code == exit_code


def test_errors_meant_for_people_stay_as_they_are() -> None:
    error = InvalidInput("wrong", hint="do this")
    assert classify(error).error is error


def test_a_full_volume_says_what_to_do_and_where() -> None:
    failure = classify(OSError(errno.ENOSPC, "No space left on device", "/data/datasets"))
    assert "/data/datasets: No space left" in failure.error.detail
    assert failure.error.hint == "Free space on the volume."


def test_a_fault_of_the_program_names_itself() -> None:
    failure = classify(KeyError("t2m"))
    assert failure.unexpected
    assert "KeyError" in failure.error.detail
