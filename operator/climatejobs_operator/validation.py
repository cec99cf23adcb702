"""Whether a ClimateJob can be run at all: the same check as REST makes, for those who come by kubectl."""

from climatejobs.errors import ClimateJobsError, UserError
from climatejobs.model import ClimateJobSpec, ErrorDetail
from climatejobs.processes import find_process
from climatejobs.results import describe_error


def find_fault(spec: ClimateJobSpec) -> ErrorDetail | None:
    """What is wrong with the process or its inputs, as REST would have said it; None where nothing is."""
    try:
        find_process(spec.process).validate_inputs(spec.inputs)
    except ClimateJobsError as error:
        return describe_error(error)
    return None


def describe_unreadable(reason: str) -> ErrorDetail:
    """The error of an object that the API server let through and that cannot be read all the same."""
    return describe_error(
        UserError(f"the spec cannot be read: {reason}", hint="Correct it and create a new ClimateJob.")
    )
