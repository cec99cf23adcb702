"""Every state a ClimateJob can be found in, and what is decided then."""

from datetime import timedelta

import pytest

from climatejobs.model import Phase
from climatejobs.names import Reason
from climatejobs_operator.actions import AbandonPod, ConfirmGone, CreateJob, DeleteJob, DeletePod, LookAgain
from climatejobs_operator.jobs import Job
from climatejobs_operator.observation import Obstacle, Place
from climatejobs_operator.pods import Pod, PodSpec
from tests.unit.operator.builders import (
    NOW,
    OUTPUTS,
    PENDING,
    PERMANENT,
    RETRYING,
    RUNNING,
    SETTINGS,
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
    true_conditions,
)


class TestANewJob:
    def test_gets_a_batch_job(self) -> None:
        plan = plan_for(make_climatejob(maxAttempts=3, timeoutSeconds=100))
        assert plan.actions == (CreateJob(attempts_before=0, deadline_seconds=100),)
        assert figures(plan) == (Phase.PENDING, 1)
        assert plan.status.job_name == "job"
        assert [event.reason for event in plan.events] == [Reason.JOB_CREATED]

    @pytest.mark.parametrize(
        ("spec", "kind", "words"),
        [
            ({"process": "bake"}, "no-such-process", "there is no process 'bake'"),
            ({"inputs": {}}, "invalid-input", "/inputs/message: this input is required"),
            ({"inputs": {"message": "x", "colour": 1}}, "invalid-input", "/inputs/colour: echo has no such input"),
            ({"inputs": {"message": "x" * 40000}}, "invalid-input", "at most 32768 are allowed"),
        ],
    )
    def test_with_a_fault_fails_as_rest_would_have_said(self, spec: Manifest, kind: str, words: str) -> None:
        plan = plan_for(make_climatejob(**spec))
        assert plan.actions == ()
        assert plan.status.error is not None
        assert plan.status.error.type == f"urn:climatejobs:error:{kind}"
        assert words in plan.status.error.detail
        assert figures(plan) == (Phase.FAILED, None)
        assert plan.reason is Reason.INVALID

    def test_that_cannot_be_read_fails_and_says_why(self) -> None:
        plan = plan_for(make_climatejob(), unreadable="spec.subscriber.successUri: not an address")
        assert plan.status.phase is Phase.FAILED
        assert "successUri" in (plan.status.message or "")

    def test_that_is_cancelled_never_starts(self) -> None:
        plan = plan_for(make_climatejob(cancel=True))
        assert figures(plan) == (Phase.CANCELLED, None)
        assert plan.actions == (ConfirmGone("uid-of-job"),)

    def test_waits_for_its_name(self) -> None:
        plan = plan_for(make_climatejob(), make_job(owner="another"))
        assert plan.actions == ()
        assert plan.status.message == "Waiting: the name job is taken by a Job of another owner."
        assert [event.reason for event in plan.events] == [Reason.NAME_TAKEN]

    def test_that_the_cluster_refuses_says_so(self) -> None:
        plan = plan_for(make_climatejob(), obstacle=Obstacle(Reason.REFUSED, "exceeded quota"))
        assert figures(plan) == (Phase.PENDING, None)
        assert plan.status.message == "The cluster refuses to make the Job: exceeded quota"

    def test_that_is_being_deleted_is_left_alone(self) -> None:
        climatejob = make_climatejob()
        metadata = climatejob.metadata.model_copy(update={"deletion_timestamp": NOW})
        plan = plan_for(climatejob.model_copy(update={"metadata": metadata}))
        assert (plan.actions, plan.status) == ((), climatejob.status)


class TestAJobInLine:
    def test_is_told_its_place_and_gets_no_batch_job(self) -> None:
        plan = plan_for(make_climatejob(), place=Place(3, NOW))
        assert plan.actions == ()
        assert figures(plan) == (Phase.PENDING, None)
        assert plan.status.message == "Waiting in line, place 3."
        assert plan.events == (), "thousands may come at once: one write each, not two"
        assert plan.wake_at == NOW + timedelta(seconds=60)

    @pytest.mark.parametrize(
        ("place", "said"),
        [
            (Place(2, NOW - timedelta(seconds=59)), 3),
            (Place(2, NOW - timedelta(seconds=60)), 2),
            (Place(101), 3),
        ],
        ids=["not within a minute", "after a minute", "not beyond the first hundred"],
    )
    def test_hears_of_its_moving_on_once_a_minute(self, place: Place, said: int) -> None:
        waiting = make_climatejob(status=plan_for(make_climatejob(), place=Place(3)).status.to_manifest())
        plan = plan_for(waiting, place=place)
        assert plan.status.message == f"Waiting in line, place {said}."
        assert plan.events == ()
        assert (plan.wake_at is None) is (place.near_since is None)

    def test_whose_inputs_are_at_fault_fails_without_waiting(self) -> None:
        assert plan_for(make_climatejob(process="bake"), place=Place(3)).status.phase is Phase.FAILED

    def test_that_is_cancelled_does_not_wait(self) -> None:
        assert plan_for(make_climatejob(cancel=True), place=Place(3)).status.phase is Phase.CANCELLED


class TestAJobUnderWay:
    def test_without_a_pod_is_pending(self) -> None:
        plan = plan_for(make_climatejob(status=PENDING), make_job())
        assert figures(plan) == (Phase.PENDING, 1)
        assert plan.status.message == "Waiting for a pod."

    def test_says_why_its_pod_waits(self) -> None:
        unschedulable = make_pod(
            conditions=(
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": "0/1 nodes are available: 1 Insufficient memory.",
                },
            )
        )
        plan = plan_for(make_climatejob(status=PENDING), make_job(), unschedulable)
        assert plan.status.phase is Phase.PENDING
        assert plan.status.message == ("No node can take the pod yet: 0/1 nodes are available: 1 Insufficient memory.")

    def test_does_not_change_its_words_with_every_turn_of_a_failing_pull(self) -> None:
        said = {**PENDING, "message": "The image runner:1 cannot be pulled (ErrImagePull): not found"}
        backing_off = make_pod(state={"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling"}})
        plan = plan_for(make_climatejob(status=said), make_job(), backing_off)
        assert plan.status.message == said["message"]

    def test_runs_as_soon_as_its_container_does(self) -> None:
        plan = plan_for(make_climatejob(status=PENDING), make_job(), running_pod(started=-3))
        assert figures(plan) == (Phase.RUNNING, 1)
        assert plan.status.started_at == NOW - timedelta(seconds=3)
        assert [event.reason for event in plan.events] == [Reason.STARTED]
        assert plan.actions == ()

    def test_whose_status_already_says_so_is_not_written_again(self) -> None:
        first = plan_for(make_climatejob(status=PENDING), make_job(), running_pod())
        again = plan_for(make_climatejob(status=first.status.to_manifest()), make_job(), running_pod())
        assert again.status == first.status
        assert again.events == ()

    def test_keeps_the_times_of_conditions_that_stay(self) -> None:
        first = plan_for(make_climatejob(status=PENDING), make_job(), running_pod())
        later = plan_for(
            make_climatejob(status=first.status.to_manifest()),
            make_job(),
            ended_pod(exit_code=0, message=success_text()),
            now=NOW + timedelta(seconds=50),
        )
        times = {condition.type: condition.last_transition_time for condition in later.status.conditions}
        assert times["Failed"] == times["Suspended"] == NOW
        assert times["Complete"] == times["Finished"] == NOW + timedelta(seconds=50)


class TestAFailedAttempt:
    def test_is_followed_by_another_at_a_forecast_time(self) -> None:
        pod = ended_pod(exit_code=1, finished=-4, message="boom\n")
        plan = plan_for(make_climatejob(status=RUNNING), make_job(), pod)
        assert figures(plan) == (Phase.RETRYING, 2)
        assert plan.status.retry_at == NOW + timedelta(seconds=6)
        assert plan.wake_at == plan.status.retry_at
        assert plan.status.error is not None
        assert (plan.status.error.exit_code, plan.status.error.attempt) == (1, 1)
        assert plan.status.log_tail == "boom\n"
        assert [event.reason for event in plan.events] == [Reason.ATTEMPT_FAILED]

    @pytest.mark.parametrize(
        "job",
        [make_job(), make_job(failed=1), make_job(uncounted=("uid-of-pod-1",))],
        ids=["not counted yet", "counted", "being counted"],
    )
    def test_counts_once_however_far_the_job_controller_is(self, job: Job) -> None:
        plan = plan_for(make_climatejob(status=RUNNING), job, ended_pod(exit_code=1))
        assert plan.status.attempts == 2

    def test_counts_when_its_pod_is_gone(self) -> None:
        plan = plan_for(make_climatejob(status=RUNNING), make_job(failed=1))
        assert figures(plan) == (Phase.RETRYING, 2)
        assert plan.status.error is not None
        assert "gone before the cause could be read" in plan.status.error.detail

    def test_is_not_told_with_the_cause_of_an_earlier_one(self) -> None:
        """Its pod is gone, or has not been heard of yet, while that of an attempt before it is still there."""
        earlier = ended_pod("pod-1", exit_code=137, reason="OOMKilled", finished=-60)
        known = {
            **RUNNING,
            "attempts": 2,
            "error": {"type": "urn:x", "title": "T", "detail": "it rained", "attempt": 1},
            "logTail": "boom",
        }
        plan = plan_for(make_climatejob(status=known), make_job(failed=2), earlier)
        assert figures(plan) == (Phase.RETRYING, 3)
        assert plan.actions == (LookAgain("uid-of-job"),)
        assert plan.status.error is not None
        assert plan.status.error.detail == "attempt 2 failed, and its pod was gone before the cause could be read"
        assert plan.status.log_tail is None
        said = plan.status.to_manifest()
        assert plan_for(make_climatejob(status=said), make_job(failed=2), earlier).actions == ()

    def test_is_told_by_its_own_pod_when_that_of_an_earlier_one_has_been_cleared_away(self) -> None:
        latest = ended_pod("pod-2", exit_code=137, reason="OOMKilled", finished=-2)
        plan = plan_for(make_climatejob(status={**RUNNING, "attempts": 2}), make_job(failed=2), latest)
        assert plan.status.error is not None
        assert (plan.status.error.title, plan.status.error.attempt) == ("Out of memory", 2)
        permanent = ended_pod("pod-2", exit_code=65, message=PERMANENT, finished=-60)
        plan = plan_for(make_climatejob(status={**RUNNING, "attempts": 2}), make_job(failed=2), permanent)
        assert figures(plan) == (Phase.FAILED, 2)
        assert plan.status.error is not None
        assert (plan.status.error.detail, plan.status.error.attempt) == ("the year 3000 has no data", 2)

    def test_keeps_its_last_words_until_another_fails(self) -> None:
        first = ended_pod("pod-1", exit_code=1, message="boom", finished=-60)
        second = running_pod("pod-2")
        running = plan_for(make_climatejob(status=RETRYING), make_job(failed=1), first, second).status.to_manifest()
        assert running["logTail"] == "boom"
        gone = plan_for(make_climatejob(status=running), make_job(failed=1), second)
        assert gone.status.log_tail == "boom"
        told = ended_pod("pod-2", exit_code=65, message=PERMANENT)
        ended = plan_for(make_climatejob(status=running), make_job(failed=1), first, told)
        assert ended.status.error is not None
        assert (ended.status.error.attempt, ended.status.log_tail) == (2, None)

    def test_for_want_of_memory_names_what_its_pod_had(self) -> None:
        """Not what pods get since the installation was upgraded."""
        container = {"name": "runner", "resources": {"limits": {"memory": "384Mi"}}}
        pod = ended_pod(exit_code=137, reason="OOMKilled")
        pod = pod.model_copy(update={"spec": PodSpec.model_validate({"containers": [container]})})
        plan = plan_for(make_climatejob(status=RUNNING, maxAttempts=1), make_job(backoff_limit=0), pod)
        assert plan.status.message == (
            "The computation needed more than 384Mi of memory. Submit again with resources.memory=768Mi."
        )

    def test_is_remembered_while_the_next_one_runs(self) -> None:
        failed = ended_pod("pod-1", exit_code=1)
        plan = plan_for(make_climatejob(status=RETRYING), make_job(failed=1), failed, running_pod("pod-2"))
        assert figures(plan) == (Phase.RUNNING, 2)
        assert plan.status.error is not None
        assert plan.status.error.attempt == 1
        assert plan.status.retry_at is None

    def test_that_was_a_disruption_does_not_count(self) -> None:
        pod = ended_pod(exit_code=143, disrupted=True, finished=-4)
        plan = plan_for(make_climatejob(status=RUNNING), make_job(), pod)
        assert figures(plan) == (Phase.RETRYING, 1)
        assert plan.status.retry_at == NOW + timedelta(seconds=6)
        assert plan.status.error is None

    def test_moves_its_forecast_on_when_no_pod_comes(self) -> None:
        pod = ended_pod(exit_code=1, finished=-100)
        plan = plan_for(make_climatejob(status=RETRYING), make_job(failed=1), pod)
        assert plan.status.retry_at is not None
        assert plan.status.retry_at > NOW


class TestTheEnd:
    def test_is_success_once_the_kubelet_has_told_of_the_result(self) -> None:
        plan = plan_for(make_climatejob(status=RUNNING), make_job(), ended_pod(exit_code=0, message=success_text()))
        assert figures(plan) == (Phase.SUCCEEDED, 1)
        assert plan.status.results == OUTPUTS
        assert plan.status.progress is not None
        assert plan.status.progress.percent == 100
        assert plan.status.finished_at == NOW - timedelta(seconds=5)
        assert true_conditions(plan) == {"Complete", "Finished"}
        assert plan.actions == ()

    def test_is_success_at_the_attempt_that_succeeded(self) -> None:
        pods = (ended_pod("pod-1", exit_code=1), ended_pod("pod-2", exit_code=0, message=success_text()))
        plan = plan_for(make_climatejob(status=RUNNING), make_job(), *pods)
        assert figures(plan) == (Phase.SUCCEEDED, 2)
        assert plan.status.error is None

    def test_is_success_even_if_it_was_cancelled_meanwhile(self) -> None:
        pod = ended_pod(exit_code=0, message=success_text())
        assert plan_for(make_climatejob(cancel=True, status=RUNNING), make_job(), pod).status.phase is Phase.SUCCEEDED

    @pytest.mark.parametrize(
        "message",
        ["", "all went well", '{"outputs": {"colour": "blue"}}', PERMANENT],
        ids=["none", "text", "else", "error"],
    )
    def test_is_failure_if_what_was_left_is_no_result(self, message: str) -> None:
        plan = plan_for(make_climatejob(status=RUNNING), make_job(), ended_pod(exit_code=0, message=message))
        assert plan.status.phase is Phase.FAILED
        assert plan.status.error is not None
        assert plan.status.error.title == "No result"

    def test_a_log_that_looks_like_a_result_is_none(self) -> None:
        plan = plan_for(make_climatejob(status=RUNNING), make_job(), ended_pod(exit_code=1, message=success_text()))
        assert plan.status.phase is Phase.RETRYING

    def test_is_failure_at_once_when_the_input_is_at_fault(self) -> None:
        plan = plan_for(make_climatejob(status=RUNNING), make_job(), ended_pod(exit_code=65, message=PERMANENT))
        assert figures(plan) == (Phase.FAILED, 1)
        assert plan.status.error is not None
        assert plan.status.error.detail == "the year 3000 has no data"
        assert plan.status.error.exit_code == 65

    def test_is_failure_when_the_last_attempt_fails(self) -> None:
        pods = [ended_pod(f"pod-{n}", exit_code=1, finished=-90 + n) for n in range(2)]
        last = ended_pod("pod-2", exit_code=137, reason="OOMKilled", finished=-3)
        plan = plan_for(make_climatejob(status=RETRYING), make_job(failed=2), *pods, last)
        assert figures(plan) == (Phase.FAILED, 3)
        assert plan.status.error is not None
        assert (plan.status.error.title, plan.status.error.attempt) == ("Out of memory", 3)
        assert plan.status.message == (
            "The computation needed more than 1Gi of memory. Submit again with resources.memory=2Gi."
        )

    def test_names_a_cause_beside_backoff_limit_exceeded(self) -> None:
        known = {
            **RETRYING,
            "attempts": 3,
            "error": {"type": "urn:x", "title": "T", "detail": "it rained", "attempt": 3},
        }
        job = make_job(failed=3, condition=("FailureTarget", "BackoffLimitExceeded", "Job has reached the limit"))
        plan = plan_for(make_climatejob(status=known), job)
        assert plan.status.error is not None
        assert plan.status.error.detail == "it rained"

    def test_is_failure_at_the_deadline(self) -> None:
        job = make_job(condition=("FailureTarget", "DeadlineExceeded", "too long"))
        plan = plan_for(make_climatejob(status=RUNNING, timeoutSeconds=5400), job, running_pod())
        assert figures(plan) == (Phase.FAILED, 1)
        assert plan.status.message == (
            "The job did not end within 1 h 30 min (timeoutSeconds). "
            "Submit again with a longer timeoutSeconds, or ask for less at a time."
        )

    @pytest.mark.parametrize("pods", [(), (ended_pod(exit_code=143, deleting=-2),)])
    @pytest.mark.parametrize("limit", [1, 3])
    def test_at_the_deadline_is_not_that_of_the_pod_which_the_deadline_took(
        self, pods: tuple[Pod, ...], limit: int
    ) -> None:
        job = make_job(backoff_limit=limit - 1, failed=1, condition=("FailureTarget", "DeadlineExceeded", "too long"))
        plan = plan_for(make_climatejob(status=RUNNING, timeoutSeconds=60, maxAttempts=limit), job, *pods)
        assert figures(plan) == (Phase.FAILED, 1)
        assert plan.status.error is not None
        assert plan.status.error.detail == "the job did not end within 1 min (timeoutSeconds)"

    def test_at_the_deadline_names_the_failure_before_the_pod_which_the_deadline_took(self) -> None:
        error = {"type": "urn:x", "title": "T", "detail": "it rained", "attempt": 1}
        job = make_job(failed=2, condition=("FailureTarget", "DeadlineExceeded", "too long"))
        known = make_climatejob(status={**RUNNING, "attempts": 2, "error": error}, timeoutSeconds=60)
        plan = plan_for(known, job, ended_pod(exit_code=143, deleting=-2))
        assert figures(plan) == (Phase.FAILED, 2)
        assert plan.status.error is not None
        assert plan.status.error.detail.endswith("; the latest failure before that: it rained")

    def test_of_a_job_that_completed_unseen_fetches_the_result_by_another_attempt(self) -> None:
        job = make_job(condition=("Complete", "CompletionsReached", ""))
        plan = plan_for(make_climatejob(status=RUNNING), job)
        assert figures(plan) == (Phase.RETRYING, 2)
        assert plan.actions == (LookAgain("uid-of-job"), DeleteJob("job", "uid-of-batch-job"))

    @pytest.mark.parametrize("suspended", [None, False], ids=["never suspended", "suspended once"])
    def test_of_a_job_that_completed_unseen_is_accounted_for_once(self, suspended: bool | None) -> None:
        """The Job is still heard of when the next attempt has been decided on."""
        job = make_job(condition=("Complete", "CompletionsReached", ""), suspended=suspended)
        said = plan_for(make_climatejob(status=RUNNING, maxAttempts=2), job).status.to_manifest()
        plan = plan_for(make_climatejob(status=said, maxAttempts=2), job)
        assert figures(plan) == (Phase.RETRYING, 2)
        assert plan.events == ()

    def test_of_a_job_that_completed_unseen_at_its_last_attempt_is_failure(self) -> None:
        job = make_job(backoff_limit=0, condition=("Complete", "CompletionsReached", ""))
        plan = plan_for(make_climatejob(status=RUNNING, maxAttempts=1), job)
        assert plan.status.phase is Phase.FAILED
        assert plan.status.error is not None
        assert plan.status.error.title == "Result lost"

    @pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Cancelled"])
    def test_is_final(self, phase: str) -> None:
        climatejob = make_climatejob(status={"phase": phase})
        for pod in (ended_pod(exit_code=65), ended_pod(exit_code=0, message=success_text())):
            plan = plan_for(climatejob, make_job(condition=("Complete", "x", "")), pod)
            assert (plan.status, plan.actions, plan.events) == (climatejob.status, (), ())

    def test_is_followed_by_the_end_of_a_job_that_goes_on(self) -> None:
        climatejob = make_climatejob(status={"phase": "Failed"})
        assert plan_for(climatejob, make_job(), running_pod()).actions == (DeleteJob("job", "uid-of-batch-job"),)


class TestACancellation:
    def test_deletes_the_job_before_its_pods(self) -> None:
        plan = plan_for(make_climatejob(cancel=True, status=RUNNING), make_job(), running_pod())
        assert plan.actions == (DeleteJob("job", "uid-of-batch-job"), DeletePod("pod-1", "uid-of-pod-1"))
        assert plan.status.phase is Phase.RUNNING
        assert plan.status.message == "Stopping: waiting for the pod to end."
        assert [event.reason for event in plan.events] == [Reason.CANCELLING]

    def test_of_a_job_of_which_nothing_was_said_yet_is_told_of_its_attempt(self) -> None:
        waiting: Manifest = {"phase": "Pending", "message": "Waiting in line, place 1."}
        plan = plan_for(make_climatejob(cancel=True, status=waiting), make_job(), running_pod(started=-2))
        assert figures(plan) == (Phase.PENDING, 1)
        assert plan.status.started_at == NOW - timedelta(seconds=2)
        failed = plan_for(make_climatejob(cancel=True, status=waiting), make_job(failed=1), running_pod())
        assert figures(failed) == (Phase.PENDING, 2)
        assert figures(plan_for(make_climatejob(cancel=True, status=waiting))) == (Phase.CANCELLED, None)

    def test_waits_for_pods_that_are_ending(self) -> None:
        plan = plan_for(make_climatejob(cancel=True, status=RUNNING), None, running_pod(deleting=20))
        assert plan.actions == ()
        assert plan.status.phase is Phase.RUNNING

    def test_is_complete_when_nothing_runs(self) -> None:
        plan = plan_for(make_climatejob(cancel=True, status=RUNNING), None, ended_pod(exit_code=143))
        assert figures(plan) == (Phase.CANCELLED, 1)
        assert true_conditions(plan) == {"Finished"}

    def test_leaves_the_job_of_another_owner_alone(self) -> None:
        plan = plan_for(make_climatejob(cancel=True), make_job(owner="another"))
        assert plan.status.phase is Phase.CANCELLED
        assert DeleteJob("job", "uid-of-batch-job") not in plan.actions


class TestALostJob:
    def test_is_made_again_with_the_attempts_left(self) -> None:
        plan = plan_for(make_climatejob(status=RUNNING, timeoutSeconds=100))
        assert plan.actions == (ConfirmGone("uid-of-job"), CreateJob(attempts_before=1, deadline_seconds=70))
        assert figures(plan) == (Phase.RETRYING, 2)

    def test_costs_nothing_that_had_not_begun(self) -> None:
        plan = plan_for(make_climatejob(status=PENDING))
        assert plan.actions[-1] == CreateJob(attempts_before=0, deadline_seconds=21600)
        assert figures(plan) == (Phase.PENDING, 1)

    def test_is_accounted_for_once(self) -> None:
        first = plan_for(make_climatejob(status=RUNNING), None, running_pod())
        assert first.actions == (DeletePod("pod-1", "uid-of-pod-1"),)
        assert figures(first) == (Phase.RETRYING, 2)
        again = plan_for(make_climatejob(status=first.status.to_manifest()), None, running_pod(deleting=10))
        assert figures(again) == (Phase.RETRYING, 2)
        assert again.actions == ()

    def test_at_the_last_attempt_is_the_end(self) -> None:
        plan = plan_for(make_climatejob(status={**RUNNING, "attempts": 3}))
        assert figures(plan) == (Phase.FAILED, 3)
        assert plan.reason is Reason.JOB_LOST

    def test_with_no_time_left_is_the_end(self) -> None:
        plan = plan_for(make_climatejob(status=RUNNING, timeoutSeconds=20))
        assert plan.status.phase is Phase.FAILED
        assert plan.status.error is not None
        assert plan.status.error.title == "Deadline exceeded"


class TestALostNode:
    def test_is_waited_for(self) -> None:
        plan = plan_for(make_climatejob(status=RUNNING), make_job(), running_pod(deleting=-10))
        assert plan.actions == ()
        assert plan.wake_at == NOW - timedelta(seconds=10) + timedelta(seconds=SETTINGS.lost_pod_seconds)

    def test_is_given_up_in_the_end(self) -> None:
        plan = plan_for(make_climatejob(status=RUNNING), make_job(), running_pod(deleting=-120))
        assert plan.actions == (AbandonPod("pod-1", "uid-of-pod-1", "unknown"),)

    def test_is_given_up_also_after_the_end(self) -> None:
        ended = make_climatejob(status={**RUNNING, "phase": "Failed", "finishedAt": at(-30)})
        job = make_job(condition=("FailureTarget", "DeadlineExceeded", "too long"))
        waited_for = plan_for(ended, job, running_pod(deleting=-10))
        assert waited_for.actions == ()
        assert waited_for.wake_at == NOW - timedelta(seconds=10) + timedelta(seconds=SETTINGS.lost_pod_seconds)
        lost = plan_for(ended, job, running_pod(deleting=-120))
        assert lost.actions == (AbandonPod("pod-1", "uid-of-pod-1", "unknown"),)

    def test_is_given_up_once(self) -> None:
        plan = plan_for(make_climatejob(status=RUNNING), make_job(), running_pod(deleting=-120, grace=0))
        assert plan.actions == ()
