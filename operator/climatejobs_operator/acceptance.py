"""Whether a pod's report is believed: a closed list of conditions, each with the reason it is refused for. Pure."""

import json
from dataclasses import dataclass
from enum import StrEnum

from pydantic import ValidationError

from climatejobs.errors import ClimateJobsError
from climatejobs.processes import find_process
from climatejobs.reports import Report
from climatejobs.results import MAX_TERMINATION_MESSAGE
from climatejobs_operator.observation import Observation
from climatejobs_operator.pods import Pod


class Refusal(StrEnum):
    """Why a report is not taken."""

    MALFORMED = "malformed"
    NOT_IDENTIFIED = "not-identified"
    """The token is not that of a pod with the runner's account, or was made for somebody else."""
    NO_SUCH_POD = "no-such-pod"
    POD_ENDED = "pod-ended"
    NOT_ITS_JOB = "not-its-job"
    """The pod was not made by the very Job that was made for the ClimateJob."""
    JOB_ENDED = "job-ended"
    CANCELLED = "cancelled"
    OUTPUTS = "outputs"
    """They are not what the process gives."""
    NOT_WRITTEN = "not-written"
    UNAVAILABLE = "unavailable"


STATUSES = {
    Refusal.MALFORMED: 400,
    Refusal.NOT_IDENTIFIED: 401,
    Refusal.NO_SUCH_POD: 403,
    Refusal.POD_ENDED: 403,
    Refusal.NOT_ITS_JOB: 403,
    Refusal.JOB_ENDED: 409,
    Refusal.CANCELLED: 409,
    Refusal.OUTPUTS: 422,
    Refusal.NOT_WRITTEN: 503,
    Refusal.UNAVAILABLE: 503,
}
"""HTTP statuses. 503 alone means: ask again."""


@dataclass(frozen=True)
class Refused(Exception):
    """A report was not taken."""

    refusal: Refusal
    detail: str


def check(pod: Pod, seen: Observation | None, report: Report) -> None:
    """Raise `Refused` unless this pod may report this. `seen` is the ClimateJob it says it belongs to."""
    if pod.ended:
        raise Refused(Refusal.POD_ENDED, "the pod has ended")
    if seen is None or seen.climatejob.phase.terminal:
        raise Refused(Refusal.JOB_ENDED, "the ClimateJob has ended or is gone")
    job = seen.own_job
    if job is None or pod.metadata.controller_uid != job.metadata.uid:
        raise Refused(Refusal.NOT_ITS_JOB, "the pod was not made by the Job of this ClimateJob")
    if all(pod.metadata.uid != other.metadata.uid for other in seen.pods):
        raise Refused(Refusal.NOT_ITS_JOB, "the pod does not belong to this ClimateJob")
    if seen.climatejob.spec.cancel:
        raise Refused(Refusal.CANCELLED, "the ClimateJob is to be cancelled")
    if report.outputs is not None:
        _check_outputs(seen.climatejob.spec.process, report)


def _check_outputs(process: str, report: Report) -> None:
    outputs = report.outputs or {}
    size = len(json.dumps(outputs, separators=(",", ":"), ensure_ascii=False).encode(errors="replace"))
    if size > MAX_TERMINATION_MESSAGE:
        raise Refused(Refusal.OUTPUTS, f"the outputs take {size} bytes, more than {MAX_TERMINATION_MESSAGE}")
    try:
        find_process(process).validate_outputs(outputs)
    except (ClimateJobsError, ValidationError) as error:
        raise Refused(Refusal.OUTPUTS, f"these are not outputs of {process}: {error}") from None
