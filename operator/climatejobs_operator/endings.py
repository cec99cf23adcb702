"""How a job ends: with verified outputs, or with an error."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import JsonValue

from climatejobs.model import ClimateJobStatus, ErrorDetail, Phase, Progress
from climatejobs.names import Reason
from climatejobs_operator.attempts import attempts_before, count_failed, count_failures, find_witnesses
from climatejobs_operator.error_details import shorten
from climatejobs_operator.observation import Decision, Observation
from climatejobs_operator.pods import Pod
from climatejobs_operator.result import read_outputs

EXIT_PATIENCE = timedelta(seconds=30)
"""How long after a success its pods have to end by themselves."""


def find_success(seen: Observation) -> Decision | None:
    """Success as soon as anybody has told of it, the runner or the kubelet: the Job controller follows much later.

    A published result stands whatever becomes of its pod afterwards, so it also wins over a cancellation; but a
    report that comes after a cancellation does not.
    """
    for pod in seen.pods:
        outputs = read_outputs(seen.climatejob.spec.process, pod)
        if outputs is not None:
            return _succeed(seen, pod, outputs, pod.started_at, pod.ended_at)
    reported = seen.reported
    if reported is None or seen.climatejob.spec.cancel:
        return None
    for pod in seen.pods:
        if pod.metadata.uid == reported.pod_uid:
            return _succeed(seen, pod, reported.outputs, pod.started_at or reported.started_at, reported.at)
    return None


def _succeed(
    seen: Observation, pod: Pod, outputs: Mapping[str, JsonValue], started_at: datetime | None, ended_at: datetime
) -> Decision:
    status = seen.climatejob.status
    attempts = max(status.attempts or 0, _attempt_of(seen, pod))
    ended_at = ended_at.replace(microsecond=0)
    progress = seen.progress or status.progress or Progress(percent=100)
    ended = status.model_copy(
        update={
            "phase": Phase.SUCCEEDED,
            "message": "Done." if attempts == 1 else f"Done at attempt {attempts}.",
            "attempts": attempts,
            "retry_at": None,
            "progress": progress.model_copy(
                update={"percent": 100, "done": progress.total, "rate": None, "time": ended_at}
            ),
            "started_at": status.started_at or started_at,
            "finished_at": ended_at,
            "job_name": seen.climatejob.metadata.name,
            "results": dict(outputs),
            "error": None,
            "log_tail": None,
        }
    )
    return Decision(ended, Reason.SUCCEEDED, wake_at=None if pod.ended else ended_at + EXIT_PATIENCE)


def fail(
    seen: Observation,
    error: ErrorDetail,
    now: datetime,
    *,
    reason: Reason = Reason.FAILED,
    attempts: int | None = None,
    pod: Pod | None = None,
    log_tail: str | None = None,
) -> Decision:
    """The end of a job that cannot succeed any more; `pod` is the one whose end made it so.

    `log_tail` is that of the attempt that the error is of. One that is known already is kept for no other attempt.
    """
    status = seen.climatejob.status
    sentence = error.detail[:1].upper() + error.detail[1:]
    closing = "" if sentence.endswith((".", "!", "?", "…")) else "."
    text = f"{sentence}{closing} {error.hint}" if error.hint else f"{sentence}{closing}"
    ended = status.model_copy(
        update={
            "phase": Phase.FAILED,
            "message": shorten(text, 2048),
            "attempts": attempts if attempts is not None else status.attempts,
            "retry_at": None,
            "started_at": status.started_at or (pod.started_at if pod is not None else None),
            "finished_at": pod.ended_at if pod is not None else now,
            "error": error,
            "log_tail": log_tail or keep_log_tail(status, error),
        }
    )
    return Decision(ended, reason)


def keep_log_tail(status: ClimateJobStatus, error: ErrorDetail | None) -> str | None:
    """The log tail that is known already, if it is of the same attempt as `error`."""
    known = status.error
    return status.log_tail if known is not None and error is not None and known.attempt == error.attempt else None


def _attempt_of(seen: Observation, pod: Pod) -> int:
    """The number of the attempt that a successful pod was: failures that came after it do not count.

    There are some where the pod was taken away just as it had succeeded, and its Job has gone on.
    """
    job = seen.own_job
    if job is None or pod.metadata.controller_uid != job.metadata.uid:
        return 1
    siblings = [other for other in seen.pods if other.metadata.controller_uid == job.metadata.uid]
    witnesses = find_witnesses(siblings, was_suspended=job.was_suspended, resumed_at=job.resumed_at)
    later = [p for p in witnesses if p.metadata.creation_timestamp > pod.metadata.creation_timestamp]
    failures = count_failures(job, witnesses) - count_failed(later)
    limit = seen.climatejob.spec.max_attempts
    return min(attempts_before(limit, job) + failures + 1, limit)
