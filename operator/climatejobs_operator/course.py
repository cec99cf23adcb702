"""A job under way: what its Job and pods say of where it stands."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from climatejobs.model import ClimateJobStatus, ErrorDetail, Phase
from climatejobs.names import Reason
from climatejobs_operator import attempts, failure
from climatejobs_operator.actions import DeleteJob, LookAgain
from climatejobs_operator.endings import fail
from climatejobs_operator.error_details import shorten
from climatejobs_operator.job_manifest import memory_limit
from climatejobs_operator.jobs import Job, JobCondition
from climatejobs_operator.observation import Decision, Observation
from climatejobs_operator.pods import Pod
from climatejobs_operator.result import read_share
from climatejobs_operator.settings import Settings
from climatejobs_operator.suspension import end_hold, plan_resumption, plan_suspension
from climatejobs_operator.waiting import Wait, describe_missing_pod, describe_waiting, is_pull_failure

PUZZLE_PAUSE = timedelta(seconds=10)
"""Between two looks at the events that say why nothing computes."""
START_PATIENCE = timedelta(seconds=2)
"""Most pods run before anybody can have read what they wait for, and each word costs the API server a write."""


@dataclass(frozen=True)
class _Course:
    """What is reckoned from a Job and its pods."""

    job: Job
    pods: Sequence[Pod]
    """Its pods that tell of attempts."""
    active: Pod | None
    """The pod that computes, or is going to."""
    limit: int
    before: int
    """Attempts spent before this Job."""
    failures: int
    """Attempts of this Job that failed."""
    failed: Sequence[Pod]
    """Pods that failed, for whatever reason."""
    latest: Pod | None
    """The pod of the latest failed attempt, where it is there."""
    error: ErrorDetail | None
    """What the latest failed attempt failed of."""
    log_tail: str | None
    """The end of that attempt's log."""
    doubtful: bool
    """Whether the Job has counted a failure that neither a pod nor the status tells of."""

    @property
    def failed_attempts(self) -> int:
        """Attempts that failed, over all Jobs."""
        return self.before + self.failures

    @property
    def is_taken(self) -> bool:
        """Whether the latest failure is that of a pod that was taken away, or that nobody has seen."""
        return self.latest is None or self.latest.metadata.deletion_timestamp is not None


def plan_course(seen: Observation, job: Job, now: datetime, settings: Settings) -> Decision:
    """Where a ClimateJob with a Job of its own stands, when no pod has succeeded with a result."""
    course = _reckon(seen, job, now, settings)
    ending = _find_ending(seen, course, now)
    decision = ending or _go_on(seen, course, now, settings)
    untold = job.complete or course.failures > attempts.count_failed(course.pods)
    if course.doubtful or (ending is not None and untold):
        # The Job says more than its pods: the news of how one ended may still be on its way, or be lost.
        return replace(decision, actions=(LookAgain(seen.climatejob.metadata.uid), *decision.actions))
    return decision


def _go_on(seen: Observation, course: _Course, now: datetime, settings: Settings) -> Decision:
    """Where a job stands that has not come to its end."""
    status, job = seen.climatejob.status, course.job
    attempt = min(max(status.attempts or 0, course.failed_attempts + 1), course.limit)
    current = status.model_copy(
        update={
            "attempts": attempt,
            "job_name": job.metadata.name,
            "retry_at": None,
            "started_at": attempts.first_start(status, course.pods),
            "progress": seen.progress or status.progress,
            "error": course.error,
            "log_tail": course.log_tail,
        }
    )
    if not job.spec.suspend:  # whoever let it go on may have died before saying so
        current = end_hold(current, job.running_since or now)
    if seen.climatejob.spec.suspend:
        return plan_suspension(seen, job, current, now)
    if job.spec.suspend:
        return plan_resumption(seen, job, current, now)
    active = course.active
    if (active is None or active.running_since is None) and current.progress is not None:
        current = current.model_copy(update={"progress": current.progress.model_copy(update={"rate": None})})
    if active is not None and active.running_since is not None:
        message = f"Running, attempt {attempt} of {course.limit}." if attempt > 1 else "Running."
        if active.metadata.deletion_timestamp is not None and active.metadata.deletion_timestamp < now:
            message = f"The node {active.spec.node_name} does not confirm that the pod has ended; waiting for it."
        running = current.model_copy(update={"phase": Phase.RUNNING, "message": message})
        return Decision(running, Reason.STARTED)

    return _plan_wait(seen, course, current, now, settings)


def _plan_wait(
    seen: Observation, course: _Course, current: ClimateJobStatus, now: datetime, settings: Settings
) -> Decision:
    """Where a job stands of which nothing computes."""
    active = course.active
    said = seen.climatejob.status
    begun = current.started_at is not None or bool(course.failed) or course.failed_attempts > 0
    retry_at = None
    if active is not None:
        wait = describe_waiting(active, seen.warning, now)
    else:
        if begun:
            retry_at = attempts.forecast_retry(course.failed, course.failures, said.retry_at, now)
        wait = describe_missing_pod(course.job, _find_due(course), seen.warning, now)
    if is_pull_failure(wait.message) and is_pull_failure(said.message):
        wait = replace(wait, message=said.message or "")
    settling = _find_settling(wait, active, said, now)
    if settling is not None:
        wait = replace(wait, message=said.message or "", puzzle_at=settling)
    leaving = active is not None and active.metadata.deletion_timestamp is not None
    if leaving and not begun and said.phase is Phase.PENDING and said.message:
        wait = replace(wait, message=said.message)  # what it waited for in vain is what its end has to tell
    wake_at = _find_next_look(wait, retry_at, now, settings)
    if wait.trouble is not None and wake_at is None:
        trouble = wait.trouble.model_copy(
            update={"detail": shorten(wait.message.rstrip("."), 2048), "attempt": current.attempts}
        )
        # Nothing is going to happen to the Job by itself, so what is left of it has to be looked for.
        return replace(fail(seen, trouble, now, attempts=current.attempts), wake_at=now)
    if not begun:
        pending = current.model_copy(update={"phase": Phase.PENDING, "message": shorten(wait.message, 2048)})
        return Decision(pending, Reason.JOB_CREATED, wake_at=wake_at, puzzle=wait.puzzle)
    retrying = current.model_copy(
        update={
            "phase": Phase.RETRYING,
            "message": _describe_retry(course, wait.message if active is not None or wait.trouble else None),
            "retry_at": retry_at,
        }
    )
    reason = Reason.ATTEMPT_FAILED if course.error is not None else Reason.DISRUPTED
    return Decision(retrying, reason, wake_at=wake_at, puzzle=wait.puzzle)


def _find_settling(wait: Wait, active: Pod | None, said: ClimateJobStatus, now: datetime) -> datetime | None:
    """Until when the words there are stay, as nothing is wrong with a pod that has only just been made."""
    ordinary = wait.trouble is None and wait.puzzle is None
    if active is None or not ordinary or said.phase is not Phase.PENDING or said.job_name is None or not said.message:
        return None
    until = active.metadata.creation_timestamp + START_PATIENCE
    return until if now < until and wait.message != said.message else None


def _find_due(course: _Course) -> datetime:
    """Since when the Job should have had a pod: its start, or the end of the pause after the last failure."""
    start = course.job.status.start_time or course.job.metadata.creation_timestamp
    pause = attempts.pause_after(len(course.failed), course.failures)
    return max([start, *(pod.ended_at + pause for pod in course.failed)])


def _find_next_look(wait: Wait, retry_at: datetime | None, now: datetime, settings: Settings) -> datetime | None:
    """When to look again; None for a trouble that has lasted too long."""
    looks = [] if retry_at is None else [retry_at]
    if wait.puzzle is not None:
        looks.append(now + PUZZLE_PAUSE)
    elif wait.puzzle_at is not None:
        looks.append(max(wait.puzzle_at, now))
    if wait.trouble is not None and wait.since is not None:
        if not settings.start_timeout_seconds:
            return min(looks, default=now + PUZZLE_PAUSE)
        patience_ends = wait.since + timedelta(seconds=settings.start_timeout_seconds)
        if patience_ends <= now:
            return None
        looks.append(patience_ends)
    return min(looks, default=None)


def _reckon(seen: Observation, job: Job, now: datetime, settings: Settings) -> _Course:
    own = [pod for pod in seen.pods if pod.metadata.controller_uid == job.metadata.uid]
    pods = attempts.find_witnesses(own, was_suspended=job.was_suspended, resumed_at=job.resumed_at)
    limit = seen.climatejob.spec.max_attempts
    before = attempts.attempts_before(limit, job)
    failures = attempts.count_failures(job, pods)
    if job.was_suspended or job.shared:  # not all pods tell then, and what was known already may be more
        failures = max(failures, (seen.climatejob.status.attempts or 1) - 1 - before)
    latest = attempts.latest_failure(pods)
    if latest is not None and not job.shared and failures > attempts.count_told(own, pods):
        # Of an earlier attempt than the latest that failed, if there has been time for another.
        latest = latest if attempts.must_be_last(latest, now) else None
    error = seen.climatejob.status.error
    log_tail = seen.climatejob.status.log_tail
    known = error.attempt or 0 if error is not None else 0
    unseen = latest is None and failures > 0 and before + failures > known
    if unseen:
        error, log_tail = failure.describe_unseen(before + failures), None
    elif latest is not None:
        number = before + (latest.failures_before + 1 if job.shared else failures)
        memory = latest.memory_limit or memory_limit(seen.climatejob, settings)
        error = failure.describe_attempt(latest, number, memory)
        error = failure.name_share(error, latest.index, seen.climatejob.spec.parallelism)
        log_tail = failure.read_log_tail(latest)
    return _Course(
        job=job,
        pods=pods,
        active=_find_active(pods),
        limit=limit,
        before=before,
        failures=failures,
        failed=[pod for pod in pods if pod.failed and (latest is None or pod.index == latest.index)],
        latest=latest,
        error=error,
        log_tail=log_tail,
        doubtful=unseen and not job.shared,
    )


def _find_ending(seen: Observation, course: _Course, now: datetime) -> Decision | None:
    """The end of the job, if it is plain already.

    A permanent error and a last attempt that failed are final by the Job's own rules, so they are said at
    once; the Job controller comes to the same end some time later.
    """
    job = course.job
    begun = max(seen.climatejob.status.attempts or 0, course.failed_attempts)
    final = course.latest is not None and attempts.is_permanent(course.latest)
    last = course.failed_attempts >= course.limit and not (_is_overdue(job) and course.is_taken)
    if course.error is not None and course.failures and (final or last):
        return fail(seen, course.error, now, attempts=begun, pod=course.latest, log_tail=course.log_tail)
    if job.failure is not None:
        error = _describe_condition(seen, job.failure, course, begun)
        told = course.error is not None and course.error.attempt == error.attempt
        return fail(seen, error, now, attempts=begun, log_tail=course.log_tail if told else None)
    for pod in course.pods:
        if pod.runner.terminated is not None and pod.runner.terminated.exit_code == 0 and read_share(pod) is None:
            error = failure.describe_no_result(seen.climatejob.spec.process, max(begun, 1))
            return fail(seen, error, now, attempts=max(begun, 1), pod=pod)
    return _recover_result(seen, job, course, now) if job.complete else None


def _is_overdue(job: Job) -> bool:
    """Whether the Job's time is over. The Job controller counts the pods that it takes away for that as failed."""
    return job.failure is not None and job.failure.reason == "DeadlineExceeded"


def _describe_condition(seen: Observation, condition: JobCondition, course: _Course, begun: int) -> ErrorDetail:
    if _is_overdue(course.job):
        status = seen.climatejob.status
        waited_for = status.message if status.phase is Phase.PENDING and status.started_at is None else None
        latest = status.error if course.is_taken else course.error
        latest = latest if waited_for is None else None
        return failure.describe_deadline(seen.climatejob.spec.timeout_seconds, begun or None, latest, waited_for)
    return course.error or failure.describe_job_failure(condition, begun or None)


def _recover_result(seen: Observation, job: Job, course: _Course, now: datetime) -> Decision:
    """The Job completed unseen. Another attempt finds what was published; without one left, the job fails."""
    said, deletion = seen.climatejob.status, DeleteJob(job.metadata.name, job.metadata.uid)
    if said.job_name is None and said.attempts is not None:
        return Decision(said, Reason.RESULT_LOST, (deletion,))  # accounted for already: it is about to be gone
    attempt = course.failed_attempts + 1
    if attempt >= course.limit:
        return fail(seen, failure.describe_result_lost(attempt), now, reason=Reason.RESULT_LOST, attempts=attempt)
    status = said.model_copy(
        update={
            "phase": Phase.RETRYING,
            "attempts": attempt + 1,
            "job_name": None,
            "message": "The pod was gone before its result was read; another attempt fetches it.",
        }
    )
    return Decision(status, Reason.RESULT_LOST, (deletion,))


def _find_active(pods: Sequence[Pod]) -> Pod | None:
    """The pod that runs; else the youngest that is going to."""
    live = [pod for pod in pods if not pod.ended]
    return max(
        live,
        key=lambda pod: (
            pod.running_since is not None,
            pod.metadata.deletion_timestamp is None,
            pod.metadata.creation_timestamp,
        ),
        default=None,
    )


def _describe_retry(course: _Course, wait: str | None) -> str:
    if course.error is not None and course.failures:
        text = f"Attempt {course.failed_attempts} of {course.limit} failed: {course.error.detail}."
    elif course.failed:
        evidence = failure.find_evidence(course.failed[-1])
        text = f"The cluster took the pod away ({evidence}); the attempt is repeated and does not count."
    elif course.before:
        text = f"The Job was deleted and made again; attempt {course.before + 1} of {course.limit} follows."
    else:
        text = "The attempt is repeated."
    return shorten(f"{text} {wait}" if wait is not None else text, 2048)
