"""Why an attempt or a whole job failed, from what the cluster keeps of it: cause, evidence, what to do."""

import re

from climatejobs import names
from climatejobs.model import ErrorDetail
from climatejobs.results import parse_result
from climatejobs_operator.error_details import (
    FOR_THE_INSTALLATION,
    MAX_DETAIL,
    Kind,
    describe_too_little_memory,
    is_for_want_of_memory,
    make_error,
    shorten,
)
from climatejobs_operator.jobs import JobCondition
from climatejobs_operator.pods import Pod, Terminated

LOG_TAIL = 1024
_SIGKILL = 137
_HOW_TO_STOP = "Submit again. To stop a job, set spec.cancel or use DELETE over REST."
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def describe_attempt(pod: Pod, attempt: int, memory: str) -> ErrorDetail:
    """The error of a failed pod. What the runner itself says of it comes first, then what the kubelet says.

    `memory` is the limit that the pod had, as a quantity.
    """
    terminated = pod.runner.terminated
    if terminated is None:
        return _never_ran(pod, attempt)
    told = parse_result(terminated.message or "")
    if told is not None and told.error is not None:
        return told.error.model_copy(update={"exit_code": terminated.exit_code, "attempt": attempt})
    return _describe_exit(pod, terminated, attempt, memory)


def name_share(error: ErrorDetail, index: int | None, of: int) -> ErrorDetail:
    """The error of a pod that shares the work with others: it says which of them it was."""
    if index is None:
        return error
    detail = f"in shard {index + 1} of {of} (index {index}): {error.detail}"
    return error.model_copy(update={"detail": shorten(detail, MAX_DETAIL)})


def _describe_exit(pod: Pod, terminated: Terminated, attempt: int, memory: str) -> ErrorDetail:
    """What an exit status means of which the runner itself has said nothing."""
    code = terminated.exit_code
    if terminated.reason == "OOMKilled":
        return make_error(
            Kind.OUT_OF_MEMORY,
            f"the computation needed more than {memory} of memory",
            hint=f"Submit again with resources.memory={double_quantity(memory)}.",
            exit_code=code,
            attempt=attempt,
        )
    if terminated.reason == "StartError":
        return _describe_start_error(terminated, attempt)
    if pod.disrupted or pod.status.reason == "Evicted":
        return _describe_disruption(pod, attempt, code)
    if code == names.ExitCode.STOPPED or pod.metadata.deletion_timestamp is not None:
        detail = "the pod was deleted while it computed"
        return make_error(Kind.STOPPED, detail, hint=_HOW_TO_STOP, exit_code=code, attempt=attempt)
    if code == _SIGKILL:
        return make_error(
            Kind.KILLED,
            "the runner was killed (SIGKILL) without a word about memory",
            hint="If this repeats, submit again with more resources.memory.",
            exit_code=code,
            attempt=attempt,
        )
    return make_error(
        Kind.UNEXPECTED,
        f"the runner ended unexpectedly with exit status {code}",
        hint="status.logTail has its last words; please report them.",
        exit_code=code,
        attempt=attempt,
    )


def describe_unseen(attempt: int) -> ErrorDetail:
    """The error of an attempt whose pod was gone before anybody looked."""
    return make_error(
        Kind.UNKNOWN,
        f"attempt {attempt} failed, and its pod was gone before the cause could be read",
        hint="Submit again; if it repeats, look at the events with kubectl get events.",
        attempt=attempt,
    )


def describe_deadline(
    timeout_seconds: int, attempt: int | None, latest: ErrorDetail | None, waited_for: str | None = None
) -> ErrorDetail:
    """The error of a job that ran out of time; what its latest attempt failed of, or waited for, is kept in it."""
    earlier = f"; the latest failure before that: {latest.detail}" if latest is not None else ""
    if waited_for is not None:
        earlier += f"; it never computed. {waited_for}"
    return make_error(
        Kind.DEADLINE_EXCEEDED,
        f"the job did not end within {format_duration(timeout_seconds)} (timeoutSeconds){earlier}",
        hint="Submit again with a longer timeoutSeconds, or ask for less at a time.",
        attempt=attempt,
    )


def describe_job_failure(condition: JobCondition, attempt: int | None) -> ErrorDetail:
    """The error of a Job that failed for a reason of its own, with no pod to blame."""
    return make_error(
        Kind.JOB_FAILED,
        f"{condition.reason or 'no reason given'}: {condition.message or 'no message given'}",
        hint="Submit again; if it repeats, look at the events with kubectl get events.",
        attempt=attempt,
    )


def describe_job_lost(attempts: int) -> ErrorDetail:
    """The error of a job whose Job somebody deleted during the last attempt."""
    return make_error(
        Kind.JOB_DELETED,
        "somebody deleted the Job while its last attempt ran",
        hint=_HOW_TO_STOP,
        attempt=attempts,
    )


def describe_refused_job(told: str) -> ErrorDetail:
    """The error of a job whose Job the cluster has refused for too long."""
    return make_error(
        Kind.JOB_REFUSED,
        shorten(f"the cluster refuses to make the Job: {told.rstrip('.')}", 2048),
        hint=f"{FOR_THE_INSTALLATION} what the namespace's rules refuse, and why.",
    )


def describe_no_result(process: str, attempt: int) -> ErrorDetail:
    """The error of a runner that said it was done and left nothing that fits the process."""
    return make_error(
        Kind.NO_RESULT,
        f"the runner ended with success, but what it left is not a result of {process}",
        hint="The runner image and the operator may be of different versions.",
        exit_code=0,
        attempt=attempt,
    )


def describe_result_lost(attempt: int) -> ErrorDetail:
    """The error of a job that succeeded unseen, with no attempt left to find its result again."""
    return make_error(
        Kind.RESULT_LOST,
        "the computation ended with success, but its pod was gone before the result was read",
        hint="Submit again: a published data set is found, not computed anew.",
        attempt=attempt,
    )


def read_log_tail(pod: Pod) -> str | None:
    """The last words of a runner that failed without a result document, at most 1 KiB."""
    terminated = pod.runner.terminated
    if terminated is None or not terminated.message or parse_result(terminated.message) is not None:
        return None
    return terminated.message.encode()[-LOG_TAIL:].decode(errors="ignore")


def double_quantity(quantity: str) -> str:
    """Twice a quantity, in the larger unit where that is a whole number: 512Mi -> 1Gi."""
    match = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", quantity)
    if match is None:
        return f"2 x {quantity}"
    number, unit = 2 * float(match[1]), match[2]
    larger = {"Ki": "Mi", "Mi": "Gi", "Gi": "Ti"}.get(unit)
    if larger is not None and number >= 1024 and number % 1024 == 0:
        number, unit = number / 1024, larger
    return f"{number:g}{unit}"


def format_duration(seconds: int) -> str:
    """Seconds in the largest units that give whole numbers: 5400 -> 1 h 30 min."""
    parts: list[str] = []
    for length, unit in _UNITS:
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"


def _describe_start_error(terminated: Terminated, attempt: int) -> ErrorDetail:
    """A container that was made and could not be started: the kubelet does not try that again."""
    told, code = terminated.message or "no reason given", terminated.exit_code
    if is_for_want_of_memory(told):
        detail = f"the pod had too little memory to be started: {told}"
        return describe_too_little_memory(detail, exit_code=code, attempt=attempt)
    return make_error(
        Kind.NOT_STARTED,
        f"the runner could not be started: {told}",
        hint=f"{FOR_THE_INSTALLATION} the runner's image and the settings of its pod do not fit together.",
        exit_code=code,
        attempt=attempt,
    )


def _describe_disruption(pod: Pod, attempt: int, exit_code: int | None = None) -> ErrorDetail:
    """A pod that the cluster took away, whatever it was doing."""
    return make_error(
        Kind.DISRUPTED,
        f"the cluster took the pod away: {find_evidence(pod)}",
        hint="Submit again; if the node ran short of memory, with more of it in resources.memory.",
        exit_code=exit_code,
        attempt=attempt,
    )


def _never_ran(pod: Pod, attempt: int) -> ErrorDetail:
    if pod.disrupted:
        return _describe_disruption(pod, attempt)
    if pod.metadata.deletion_timestamp is not None:
        detail = "the pod was deleted before it computed"
        return make_error(Kind.STOPPED, detail, hint=_HOW_TO_STOP, attempt=attempt)
    return make_error(
        Kind.NOT_STARTED,
        f"the pod failed before it ran: {find_evidence(pod)}",
        hint="Submit again; if it repeats, whoever runs the installation has to look at the node.",
        attempt=attempt,
    )


def find_evidence(pod: Pod) -> str:
    """What the cluster says of why it took a pod away."""
    condition = pod.condition("DisruptionTarget")
    reason = pod.status.reason or (condition.reason if condition else None)
    message = pod.status.message or (condition.message if condition else None)
    return ": ".join(part for part in (reason, message) if part) or "no reason given"
