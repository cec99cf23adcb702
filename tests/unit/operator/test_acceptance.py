"""Whose reports are believed, and of what."""

import pytest

from climatejobs import names
from climatejobs.reports import Report
from climatejobs_operator.acceptance import STATUSES, Refusal, Refused, check
from climatejobs_operator.observation import Observation
from climatejobs_operator.pods import Pod
from climatejobs_operator.tokens import Bearer, ReviewStatus, find_bearer
from tests.unit.operator.builders import OUTPUTS, ended_pod, make_climatejob, make_job, make_pod, running_pod

RESULT = Report(outputs=OUTPUTS)
ACCOUNT = "system:serviceaccount:climate:climatejobs-runner"
POD_NAME = "authentication.kubernetes.io/pod-name"
POD_UID = "authentication.kubernetes.io/pod-uid"


def refusal(pod: Pod, seen: Observation | None, report: Report = RESULT) -> Refusal | None:
    try:
        check(pod, seen, report)
    except Refused as refused:
        return refused.refusal
    return None


def observe(*pods: Pod, cancel: bool = False) -> Observation:
    return Observation(make_climatejob(cancel=cancel), make_job(), pods)


def test_the_pod_of_the_job_is_believed_running_or_not_yet_known_to_run() -> None:
    for pod in (running_pod(), make_pod()):
        assert refusal(pod, observe(pod)) is None


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (ended_pod(exit_code=0), Refusal.POD_ENDED),
        (running_pod(controller="uid-of-another-job"), Refusal.NOT_ITS_JOB),
    ],
)
def test_another_pod_is_not(pod: Pod, expected: Refusal) -> None:
    assert refusal(pod, observe(pod)) is expected


def test_a_pod_that_only_says_it_belongs_is_not() -> None:
    assert refusal(running_pod("forged"), observe(running_pod())) is Refusal.NOT_ITS_JOB


def test_nothing_is_taken_for_a_job_that_has_ended_or_is_to_be_cancelled() -> None:
    pod = running_pod()
    assert refusal(pod, None) is Refusal.JOB_ENDED
    ended = Observation(make_climatejob(status={"phase": "Failed"}), make_job(), (pod,))
    assert refusal(pod, ended) is Refusal.JOB_ENDED
    assert refusal(pod, observe(pod, cancel=True)) is Refusal.CANCELLED


def test_a_job_of_another_owner_makes_no_pods_of_ours() -> None:
    pod = running_pod()
    seen = Observation(make_climatejob(), make_job(owner="uid-of-somebody"), (pod,))
    assert refusal(pod, seen) is Refusal.NOT_ITS_JOB


@pytest.mark.parametrize("outputs", [{}, {"dataset": {"id": "x"}}, {"message": "x" * 5000}])
def test_outputs_that_the_process_does_not_give_are_refused(outputs: dict[str, object]) -> None:
    pod = running_pod()
    assert refusal(pod, observe(pod), Report.model_validate({"outputs": outputs})) is Refusal.OUTPUTS


def test_every_refusal_has_a_status_and_only_those_that_may_pass_say_to_ask_again() -> None:
    assert STATUSES.keys() == set(Refusal)
    assert {refusal for refusal, status in STATUSES.items() if status == 503} == {
        Refusal.NOT_WRITTEN,
        Refusal.UNAVAILABLE,
    }


def review(**changes: object) -> ReviewStatus:
    user = {"username": ACCOUNT, "extra": {POD_NAME: ["pod-1"], POD_UID: ["uid-1"]}}
    status = {"authenticated": True, "audiences": [names.REPORT_AUDIENCE], "user": user, **changes}
    return ReviewStatus.model_validate(status)


def test_a_token_speaks_for_the_pod_it_is_bound_to() -> None:
    assert find_bearer(review(), ACCOUNT) == Bearer("pod-1", "uid-1")


@pytest.mark.parametrize(
    "changes",
    [
        {"authenticated": False},
        {"audiences": ["https://kubernetes.default.svc"]},
        {"audiences": []},
        {"user": {"username": "system:serviceaccount:elsewhere:climatejobs-runner"}},
        {"user": {"username": ACCOUNT}},
        {"user": {"username": ACCOUNT, "extra": {POD_NAME: ["pod-1"]}}},
    ],
)
def test_any_other_token_speaks_for_nobody(changes: dict[str, object]) -> None:
    assert find_bearer(review(**changes), ACCOUNT) is None
