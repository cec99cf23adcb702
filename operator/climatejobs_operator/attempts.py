"""How many attempts there were, and when the next is due: the Job controller's rules, restated as functions.

A Job carries in its backoffLimit how many attempts were left when it was made, so a Job that replaces a lost
one tells by itself how many had gone before; nothing needs to be remembered.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from climatejobs import names
from climatejobs.model import ClimateJobStatus, Phase
from climatejobs_operator.jobs import Job
from climatejobs_operator.pods import Pod

FIRST_DELAY = timedelta(seconds=10)
MAX_DELAY = timedelta(minutes=10)


def backoff_limit(max_attempts: int, before: int) -> int:
    """How many failures a new Job may see before its last attempt, when `before` attempts are spent."""
    return max_attempts - 1 - before


def attempts_before(max_attempts: int, job: Job) -> int:
    """Attempts that were spent before this Job was made."""
    return max(0, max_attempts - 1 - job.retries)


def is_permanent(pod: Pod) -> bool:
    """Whether the runner has said that another attempt cannot help."""
    terminated = pod.runner.terminated
    return terminated is not None and terminated.exit_code == names.ExitCode.PERMANENT


def costs_attempt(pod: Pod) -> bool:
    """Whether the pod failed in a way that counts: the rules of the Job's podFailurePolicy, in their order."""
    return pod.failed and (is_permanent(pod) or not pod.disrupted)


def find_witnesses(pods: Sequence[Pod], *, was_suspended: bool, resumed_at: datetime | None = None) -> Sequence[Pod]:
    """The pods that tell of attempts.

    The Job controller lets go of a pod before it stops it for a suspension, so how such a pod ends is no failure.
    Where there was a suspension, a pod that has ended and is not tracked therefore tells nothing, unless it was made
    after that: what it counts for, if for anything, is in the Job's own figures.
    """
    if not was_suspended:
        return pods

    def is_later(pod: Pod) -> bool:
        if resumed_at is None or pod.metadata.creation_timestamp < resumed_at:
            return False
        # Times are whole seconds: one that was stopped by the suspension may bear the same, but was deleted.
        return pod.metadata.creation_timestamp > resumed_at or pod.metadata.deletion_timestamp is None

    return [pod for pod in pods if pod.tracked or not pod.ended or is_later(pod)]


def count_failures(job: Job, pods: Sequence[Pod]) -> int:
    """Failed attempts of this Job; where several pods share the work, the most of any of them.

    What the Job controller has counted and what is seen of the pods each may lag behind, and neither ever says
    too much: the larger is the truth. Of pods that share the work, the controller counts only the sum; but it writes
    on each pod how many had failed in its place before, and lets none go before its successor is there.
    """
    return count_failed(pods) if job.shared else max(job.counted_failures, count_failed(pods))


def count_failed(pods: Sequence[Pod]) -> int:
    """Failed attempts that the pods tell of, the most in any place."""
    by_index = Counter(pod.index for pod in pods if costs_attempt(pod))
    told = (pod.failures_before + costs_attempt(pod) for pod in pods)
    return max(by_index.most_common(1)[0][1] if by_index else 0, max(told, default=0))


def count_told(own: Sequence[Pod], witnesses: Sequence[Pod]) -> int:
    """Failed attempts of a Job of which a pod is there to tell the cause.

    Those of before a suspension are no witnesses, but did fail by themselves where nobody has deleted them.
    """
    return count_failed([pod for pod in own if pod in witnesses or pod.metadata.deletion_timestamp is None])


def latest_failure(pods: Sequence[Pod]) -> Pod | None:
    """The pod whose failure counted last."""
    failed = [pod for pod in pods if costs_attempt(pod)]
    return max(failed, key=lambda pod: (pod.ended_at, pod.metadata.name), default=None)


def must_be_last(failed: Pod, now: datetime) -> bool:
    """Whether no other attempt can have failed after this one: none follows it, or none has had the time to begin."""
    return is_permanent(failed) or now < failed.ended_at + FIRST_DELAY


def spent_attempts(status: ClimateJobStatus, pods: Sequence[Pod]) -> int:
    """Attempts that are spent where there is no Job.

    The status names a Job until its loss is accounted for: then the current attempt counts if a pod had run in
    it. From then on an attempt is due that has not begun.
    """
    begun = status.attempts or 0
    due = max(0, begun - 1)
    if status.job_name is None:
        return due
    pods = find_witnesses(pods, was_suspended=status.held_seconds is not None)
    had_run = status.phase is Phase.RUNNING or any(pod.started_at is not None and not pod.failed for pod in pods)
    return max(begun if had_run else due, count_failed(pods))


def first_start(status: ClimateJobStatus, pods: Sequence[Pod]) -> datetime | None:
    """When the first attempt began to compute, as far as is known."""
    starts = [pod.started_at for pod in pods if pod.started_at is not None]
    return status.started_at if status.started_at is not None else min(starts, default=None)


def pause_after(failed: int, failures: int) -> timedelta:
    """How long the Job controller waits after so many pods that failed, of which `failures` counted."""
    return min(FIRST_DELAY * 2 ** min(max(failed, failures, 1) - 1, 10), MAX_DELAY)


def forecast_retry(failed: Sequence[Pod], failures: int, known: datetime | None, now: datetime) -> datetime:
    """When the Job controller is expected to start the next pod.

    10 s x 2^(n-1) after the last pod's end, at most 10 min; disrupted pods are delayed for as well. The
    controller forgets its count when it restarts and may be away, so a forecast that has passed moves on.
    `known` is the forecast made before, used where no pod is left to reckon from.
    """
    delay = pause_after(len(failed), failures)
    ends = [pod.ended_at for pod in failed]
    due = max(ends) + delay if ends else known or now + delay
    step = FIRST_DELAY
    while due <= now:
        due += step
        step = min(step * 2, MAX_DELAY)
    return due
