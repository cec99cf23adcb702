"""A computation that several pods share: each has attempts of its own, one of them gives the outputs."""

from datetime import timedelta
from typing import Any

from climatejobs.model import Phase
from climatejobs.results import ResultDocument, ShardDone
from climatejobs_operator.actions import CreateJob, DeleteJob, LookAgain, ResumeJob
from climatejobs_operator.observation import Place
from climatejobs_operator.pods import Pod
from climatejobs_operator.suspension import KEPT_SECONDS
from tests.unit.operator.builders import (
    NOW,
    OUTPUTS,
    PENDING,
    PERMANENT,
    RUNNING,
    Manifest,
    at,
    ended_pod,
    figures,
    make_climatejob,
    make_job,
    make_pod,
    plan_for,
    running_pod,
    success_text,
)

JOB = make_job(retries_per_index=2, backoff_limit=2147483647)
DONE = ResultDocument(shard=ShardDone(index=0, of=3)).to_json()


def shared(status: Manifest | None = None, **spec: Any) -> Any:
    return make_climatejob(status=status, parallelism=3, **spec)


def share_done(index: int) -> Pod:
    return ended_pod(f"done-{index}", exit_code=0, message=DONE, index=index)


def test_it_runs_as_soon_as_one_pod_does() -> None:
    plan = plan_for(shared(PENDING), JOB, make_pod("a", index=0), running_pod("b", index=1))
    assert figures(plan) == (Phase.RUNNING, 1)


def test_pods_that_have_done_their_share_are_no_failures_and_no_success() -> None:
    plan = plan_for(shared(RUNNING), JOB, share_done(0), share_done(1), running_pod("c", index=2))
    assert (figures(plan), plan.status.error) == ((Phase.RUNNING, 1), None)


def test_it_succeeds_as_soon_as_one_pod_gives_the_outputs() -> None:
    publisher = ended_pod("c", exit_code=0, message=success_text(), index=2)
    plan = plan_for(shared(RUNNING), JOB, share_done(0), running_pod("b", index=1), publisher)
    assert figures(plan) == (Phase.SUCCEEDED, 1)
    assert plan.status.results == OUTPUTS


def test_its_attempts_are_the_most_of_any_share() -> None:
    pods = [
        ended_pod("a1", exit_code=1, index=0, finished=-50),
        ended_pod("a2", exit_code=1, index=0, failures_before=1, finished=-9, message="out of luck"),
        ended_pod("b1", exit_code=1, index=1, finished=-20),
        running_pod("b2", index=1, failures_before=1),
        running_pod("c", index=2),
    ]
    plan = plan_for(shared(RUNNING), make_job(retries_per_index=2, failed=3), *pods)
    assert figures(plan) == (Phase.RUNNING, 3)
    assert plan.status.error is not None
    assert plan.status.error.detail.startswith("in shard 1 of 3 (index 0): the runner ended unexpectedly")
    assert plan.status.error.attempt == 2


def test_failures_before_a_pod_count_where_the_pods_are_gone() -> None:
    plan = plan_for(shared(RUNNING), make_job(retries_per_index=2, failed=2), running_pod(index=1, failures_before=2))
    assert figures(plan) == (Phase.RUNNING, 3)


def test_it_fails_when_one_share_has_no_attempt_left() -> None:
    last = ended_pod("a", exit_code=137, reason="OOMKilled", index=2, failures_before=2)
    plan = plan_for(shared(RUNNING), JOB, running_pod("b", index=0), last)
    assert figures(plan) == (Phase.FAILED, 3)
    assert plan.status.error is not None
    assert "in shard 3 of 3 (index 2): the computation needed more than 1Gi" in plan.status.error.detail


def test_it_fails_at_once_when_the_input_is_at_fault() -> None:
    plan = plan_for(
        shared(RUNNING), JOB, ended_pod("a", exit_code=65, message=PERMANENT, index=1), running_pod("b", index=0)
    )
    assert figures(plan) == (Phase.FAILED, 1)


def test_it_is_retrying_when_nothing_runs_and_one_share_has_failed() -> None:
    failed = ended_pod("c", exit_code=1, index=2, finished=-4)
    plan = plan_for(shared(RUNNING), JOB, share_done(0), share_done(1), failed)
    assert figures(plan) == (Phase.RETRYING, 2)
    assert plan.status.retry_at == NOW + timedelta(seconds=6)


def test_a_lost_job_is_made_again_with_the_attempts_left() -> None:
    pods = [ended_pod("a", exit_code=1, index=0), ended_pod("b", exit_code=1, index=1)]
    plan = plan_for(shared({**RUNNING, "attempts": 2}), None, *pods)
    assert plan.actions[-1] == CreateJob(attempts_before=2, deadline_seconds=21570)


def test_after_a_suspension_it_has_the_attempts_left_and_the_time_left() -> None:
    """The Job controller would count the failures of each share from nought again."""
    suspended = {**RUNNING, "phase": "Suspended", "attempts": 2, "heldSeconds": 0, "startedAt": at(-1000)}
    held = make_job(retries_per_index=2, deadline=60, suspend=True, suspended=True)
    resumed = plan_for(shared(suspended, timeoutSeconds=100), held)
    assert resumed.actions == (DeleteJob("job", "uid-of-batch-job"),)
    assert figures(resumed) == (Phase.RETRYING, 2)
    again = plan_for(shared(resumed.status.to_manifest(), timeoutSeconds=100))
    assert again.actions[-1] == CreateJob(attempts_before=1, deadline_seconds=60)
    assert figures(again) == (Phase.RETRYING, 2)


def test_its_time_is_kept_where_the_operator_dies_between_deleting_the_held_job_and_saying_so() -> None:
    status = {**RUNNING, "attempts": 2, "startedAt": at(-1000)}
    held = make_job(retries_per_index=2, deadline=60, suspend=True, suspended=True)
    suspended = plan_for(shared(status, suspend=True, timeoutSeconds=100), held).status.to_manifest()
    in_line = plan_for(shared(suspended, timeoutSeconds=100), held, place=Place(1)).status.to_manifest()
    later = NOW + timedelta(seconds=500)
    assert plan_for(shared(in_line, timeoutSeconds=100), held, now=later).actions == (
        DeleteJob("job", "uid-of-batch-job"),
    )
    again = plan_for(shared(in_line, timeoutSeconds=100), now=later)
    assert again.actions[-1] == CreateJob(attempts_before=1, deadline_seconds=60)
    assert again.status.held_seconds == 1460


def test_after_a_suspension_without_a_failure_its_job_goes_on() -> None:
    """So the shares that are done stay done."""
    held = make_job(retries_per_index=2, suspend=True, suspended=True)
    plan = plan_for(shared({**RUNNING, "phase": "Suspended", "heldSeconds": 0}), held)
    assert plan.actions == (ResumeJob("job", "1"),)


def test_after_a_long_suspension_all_shares_run_again_at_no_cost_of_an_attempt() -> None:
    """What a share had done may have been removed meanwhile, and the Job controller would not repeat it."""
    status = {**RUNNING, "phase": "Suspended", "heldSeconds": 0, "startedAt": at(-KEPT_SECONDS - 40)}
    held = make_job(retries_per_index=2, deadline=60, suspend=True, suspended=True)

    def resume(seconds: float) -> Any:
        return plan_for(shared({**status, "heldSince": at(-seconds)}, timeoutSeconds=100), held, share_done(0))

    assert resume(KEPT_SECONDS - 1).actions == (ResumeJob("job", "1"),)
    replaced = resume(KEPT_SECONDS)
    assert replaced.actions == (DeleteJob("job", "uid-of-batch-job"),)
    again = plan_for(shared(replaced.status.to_manifest(), timeoutSeconds=100))
    assert again.actions[-1] == CreateJob(attempts_before=0, deadline_seconds=60)
    assert figures(again) == (Phase.RETRYING, 1)


def test_a_job_that_completed_without_outputs_is_followed_by_another_attempt() -> None:
    job = make_job(retries_per_index=2, condition=("Complete", "CompletionsReached", ""))
    plan = plan_for(shared(RUNNING), job, *(share_done(index) for index in range(3)))
    assert figures(plan) == (Phase.RETRYING, 2)
    assert plan.actions == (LookAgain("uid-of-job"), DeleteJob("job", "uid-of-batch-job"))


def test_after_a_success_the_other_pods_have_a_while_to_end_by_themselves() -> None:
    def plan_after(seconds: float) -> Any:
        return plan_for(shared({"phase": "Succeeded", "finishedAt": at(-seconds)}), JOB, running_pod(index=1))

    assert (plan_after(29).actions, plan_after(29).wake_at) == ((), NOW + timedelta(seconds=1))
    assert plan_after(30).actions == (DeleteJob("job", "uid-of-batch-job"),)
