"""Why a job does not compute: said while it lasts, and the job's error if it lasts too long."""

from datetime import timedelta
from typing import Any

import pytest

from climatejobs.model import Phase
from climatejobs_operator.observation import ClusterWarning
from climatejobs_operator.plan import Plan
from climatejobs_operator.pods import Pod
from climatejobs_operator.waiting import describe_waiting
from climatejobs_operator.warnings import STALE_AFTER, WarningEvent, find_latest
from tests.unit.operator.builders import (
    NOW,
    PENDING,
    RETRYING,
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
)

QUOTA = ClusterWarning(
    "FailedCreate",
    'Error creating: pods "job-x7x7x" is forbidden: '
    "exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0",
)
POLICY = ClusterWarning(
    "FailedCreate",
    """Error creating: pods "job-abcde" is forbidden: ValidatingAdmissionPolicy 'p' denied request: no""",
)
PATIENCE = SETTINGS.start_timeout_seconds


def scheduled_pod(since: float = -1, **facts: Any) -> Pod:
    condition = {"type": "PodScheduled", "status": "True", "lastTransitionTime": at(since)}
    return make_pod(conditions=(condition,), created=-5000, **facts)


def unpullable(since: float, reason: str = "ErrImagePull", message: str = "404") -> Pod:
    return scheduled_pod(since, state={"waiting": {"reason": reason, "message": message}})


def unscheduled(message: str, created: float = -5) -> Pod:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return make_pod(conditions=(condition,), created=created)


def error_of(plan: Plan) -> tuple[str, str]:
    assert plan.status.phase is Phase.FAILED
    assert plan.status.error is not None
    return plan.status.error.title, plan.status.error.detail


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"conditions": ()}, "Waiting for a node."),
        ({}, "Starting: the node mounts the data"),
        ({"state": {"waiting": {"reason": "ContainerCreating"}}}, "Starting: the node mounts the data"),
        ({"state": {"waiting": {"reason": "ErrImagePull", "message": "404"}}}, "runner:1 cannot be pulled"),
        ({"state": {"waiting": {"reason": "CreateContainerConfigError", "message": "no uid"}}}, "cannot start"),
        ({"deleting": 5}, "Waiting for the previous pod to end."),
    ],
)
def test_a_waiting_pod_is_explained(facts: Manifest, words: str) -> None:
    assert words in describe_waiting(make_pod(**facts), None, NOW).message


class TestAJobWithoutAPod:
    def test_is_puzzled_over_after_a_few_seconds(self) -> None:
        soon = plan_for(make_climatejob(status=PENDING), make_job(started=-1))
        assert (soon.puzzle, soon.wake_at) == (None, NOW + timedelta(seconds=2))
        late = plan_for(make_climatejob(status=PENDING), make_job(started=-3))
        assert late.puzzle == "uid-of-batch-job"
        assert late.wake_at is not None
        assert late.wake_at > NOW

    def test_is_not_puzzled_over_while_a_retry_is_not_due(self) -> None:
        failed = ended_pod(exit_code=1, finished=-12)
        assert plan_for(make_climatejob(status=RETRYING), make_job(failed=1), failed).puzzle is None
        failed = ended_pod(exit_code=1, finished=-13)
        assert plan_for(make_climatejob(status=RETRYING), make_job(failed=1), failed).puzzle is not None

    def test_waits_for_its_quota_and_says_so_in_words_that_stay(self) -> None:
        plan = plan_for(make_climatejob(status=PENDING), make_job(started=-2 * PATIENCE), warning=QUOTA)
        assert figures(plan) == (Phase.PENDING, 1)
        assert plan.status.message == (
            "The namespace's quota leaves no room for the pod yet: "
            "exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0"
        )
        assert plan.wake_at == NOW + timedelta(seconds=10)

    def test_that_is_refused_says_so_and_fails_after_a_while(self) -> None:
        plan = plan_for(make_climatejob(status=PENDING), make_job(started=-PATIENCE + 1), warning=POLICY)
        assert plan.status.phase is Phase.PENDING
        assert plan.status.message == "The cluster refuses the pod: ValidatingAdmissionPolicy 'p' denied request: no"
        assert plan.wake_at == NOW + timedelta(seconds=1)
        over = plan_for(make_climatejob(status=PENDING), make_job(started=-PATIENCE), warning=POLICY)
        assert over.wake_at == NOW, "to delete what is left, of which nothing is going to be heard"
        assert error_of(over) == (
            "Pod refused",
            "The cluster refuses the pod: ValidatingAdmissionPolicy 'p' denied request: no",
        )

    def test_is_deleted_after_that(self) -> None:
        failed = make_climatejob(status={"phase": "Failed", "finishedAt": at(-1)})
        assert plan_for(failed, make_job()).actions != ()


class TestAPodThatCannotStart:
    def test_fails_the_job_when_its_image_could_not_be_pulled_for_too_long(self) -> None:
        climatejob = make_climatejob(status=PENDING)
        assert plan_for(climatejob, make_job(), unpullable(-PATIENCE + 5)).wake_at == NOW + timedelta(seconds=5)
        title, detail = error_of(plan_for(climatejob, make_job(), unpullable(-PATIENCE)))
        assert title == "Image cannot be pulled"
        assert detail == "The image runner:1 cannot be pulled (ErrImagePull): 404"

    def test_keeps_the_words_that_say_more(self) -> None:
        said = {**PENDING, "message": "The image runner:1 cannot be pulled (ErrImagePull): 404"}
        backing_off = unpullable(-PATIENCE, "ImagePullBackOff", "Back-off pulling image")
        _, detail = error_of(plan_for(make_climatejob(status=said), make_job(), backing_off))
        assert detail.endswith("(ErrImagePull): 404")

    def test_is_waited_for_where_the_installation_says_so(self) -> None:
        settings = SETTINGS.model_copy(update={"start_timeout_seconds": 0})
        plan = plan_for(make_climatejob(status=PENDING), make_job(), unpullable(-90000), settings=settings)
        assert plan.status.phase is Phase.PENDING

    def test_fails_the_job_for_a_missing_claim_but_not_for_want_of_a_node(self) -> None:
        climatejob = make_climatejob(status=PENDING)
        missing = '0/1 nodes are available: persistentvolumeclaim "data" not found.'
        title, _ = error_of(plan_for(climatejob, make_job(), unscheduled(missing, created=-PATIENCE)))
        assert title == "Volume missing"
        full = unscheduled("0/1 nodes are available: 1 Insufficient memory.", created=-PATIENCE)
        assert plan_for(climatejob, make_job(), full).status.phase is Phase.PENDING

    def test_is_puzzled_over_when_it_takes_long_to_create(self) -> None:
        climatejob = make_climatejob(status=PENDING)
        early = plan_for(climatejob, make_job(), scheduled_pod(-4))
        assert (early.puzzle, early.wake_at) == (None, NOW + timedelta(seconds=6))
        assert plan_for(climatejob, make_job(), scheduled_pod(-10)).puzzle == "uid-of-pod-1"
        told = ClusterWarning("FailedMount", "no such file system")
        plan = plan_for(climatejob, make_job(), scheduled_pod(-20), warning=told)
        assert plan.status.message == "The data volume cannot be mounted (FailedMount): no such file system"
        assert error_of(plan_for(climatejob, make_job(), scheduled_pod(-PATIENCE), warning=told))[0].startswith(
            "Volume"
        )

    @pytest.mark.parametrize(
        "told",
        [
            "runc create failed: container init was OOM-killed (memory limit too low?)",
            'failed to start sandbox container task "b63da": cannot start a stopped process: unknown',
        ],
    )
    def test_fails_the_job_when_its_memory_does_not_do_for_making_the_sandbox(self, told: str) -> None:
        warning = ClusterWarning("FailedCreatePodSandBox", told)
        climatejob = make_climatejob(status=PENDING)
        message = plan_for(climatejob, make_job(), scheduled_pod(-20), warning=warning).status.message or ""
        assert message.startswith("The pod has too little memory to be made (FailedCreatePodSandBox)")
        failed = plan_for(climatejob, make_job(), scheduled_pod(-PATIENCE), warning=warning)
        assert error_of(failed)[0] == "Out of memory"

    @pytest.mark.parametrize("reason", ["CreateContainerError", "RunContainerError"])
    @pytest.mark.parametrize(
        "told",
        [
            "container init was OOM-killed (memory limit too low?)",
            "Minimum memory limit allowed is 6MB",
            'failed to write "1048576": write /sys/fs/cgroup/x/memory.max: device or resource busy',
        ],
    )
    def test_fails_the_job_when_its_memory_does_not_do_for_making_the_container(self, reason: str, told: str) -> None:
        pod = scheduled_pod(-PATIENCE, state={"waiting": {"reason": reason, "message": told}})
        title, detail = error_of(plan_for(make_climatejob(status=PENDING), make_job(), pod))
        assert (title, detail) == ("Out of memory", f"The pod has too little memory to be made ({reason}): {told}")


def test_a_deadline_says_what_the_job_waited_for_all_the_time() -> None:
    waiting = {**PENDING, "message": "No node can take the pod yet: 0/1 nodes are available: 1 Insufficient memory."}
    job = make_job(condition=("FailureTarget", "DeadlineExceeded", "too long"))
    _, detail = error_of(plan_for(make_climatejob(status=waiting), job))
    assert detail.endswith(
        "it never computed. No node can take the pod yet: 0/1 nodes are available: 1 Insufficient memory."
    )


def test_the_reason_is_kept_while_the_pod_that_never_ran_is_taken_away() -> None:
    waiting = {**PENDING, "message": "No node can take the pod yet: 0/1 nodes are available: 1 Insufficient memory."}
    climatejob = make_climatejob(status=waiting)
    assert plan_for(climatejob, make_job(), make_pod(conditions=(), deleting=5)).status.message == waiting["message"]
    counted = make_job(failed=1, condition=("FailureTarget", "DeadlineExceeded", "too long"))
    _, detail = error_of(plan_for(climatejob, counted))
    assert "the latest failure" not in detail
    assert detail.endswith(waiting["message"])


def test_a_pod_on_a_node_that_does_not_answer_is_not_said_to_run() -> None:
    plan = plan_for(make_climatejob(status=PENDING), make_job(), running_pod(deleting=-10))
    assert "does not confirm that the pod has ended" in (plan.status.message or "")


def test_the_latest_warning_counts_unless_it_is_stale() -> None:
    events = [
        WarningEvent.model_validate({"reason": reason, "message": reason.lower(), "lastTimestamp": at(seconds)})
        for reason, seconds in (("Old", -40), ("New", -4), ("Older", -50))
    ]
    assert find_latest(events, NOW) == ClusterWarning("New", "new")
    assert find_latest(events, NOW + STALE_AFTER - timedelta(seconds=4)) is None
    assert find_latest([], NOW) is None


def test_what_a_new_pod_waits_for_is_told_once_it_has_waited_for_two_seconds() -> None:
    waiting = make_climatejob(status={**PENDING, "message": "Waiting for a pod."})

    early = plan_for(waiting, make_job(), make_pod(conditions=(), created=-1))
    late = plan_for(waiting, make_job(), make_pod(conditions=(), created=-2))

    assert (early.status.message, early.wake_at) == ("Waiting for a pod.", NOW + timedelta(seconds=1))
    assert late.status.message == "Waiting for a node."


def test_trouble_of_a_new_pod_is_told_at_once() -> None:
    waiting = make_climatejob(status={**PENDING, "message": "Waiting for a pod."})
    state = {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}
    condition = {"type": "PodScheduled", "status": "True", "lastTransitionTime": at(0)}

    plan = plan_for(waiting, make_job(), make_pod(conditions=(condition,), created=-1, state=state))

    assert plan.status.message is not None
    assert "ErrImagePull" in plan.status.message


def test_a_container_that_could_not_be_started_has_not_begun_in_1970() -> None:
    failed = ended_pod(exit_code=128, reason="StartError", message="no such file", started=-NOW.timestamp())
    plan = plan_for(make_climatejob(status=PENDING), make_job(), failed)
    assert (figures(plan), plan.status.started_at) == ((Phase.RETRYING, 2), None)
