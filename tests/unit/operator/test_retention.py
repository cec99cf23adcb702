"""What is cleared away of a ClimateJob that has ended, and when."""

from datetime import timedelta
from typing import Any

import pytest

from climatejobs_operator.actions import DeleteClimateJob, DeleteJob
from climatejobs_operator.plan import Plan
from climatejobs_operator.retention import find_next_look
from tests.unit.operator.builders import (
    NOW,
    SETTINGS,
    at,
    ended_pod,
    make_climatejob,
    make_job,
    plan_for,
    running_pod,
)

ENDED = make_job(condition=("Complete", "CompletionsReached", ""))
KEPT = SETTINGS.job_retention_seconds
WEEK = 604800


def plan_after(seconds: float, *, phase: str = "Succeeded", **spec: Any) -> Plan:
    """What is planned so many seconds after the end, while the Job is there."""
    status = {"phase": phase, "finishedAt": at(-seconds)}
    return plan_for(make_climatejob(status=status, **spec), ENDED)


def test_a_job_stays_for_a_while_and_is_then_deleted() -> None:
    before = plan_after(KEPT - 1)
    assert (before.actions, before.wake_at) == ((), NOW + timedelta(seconds=1))
    after = plan_after(KEPT)
    assert after.actions == (DeleteJob("job", "uid-of-batch-job"),)
    assert after.wake_at == NOW + timedelta(seconds=WEEK - KEPT)


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Cancelled"])
def test_a_climatejob_is_deleted_when_its_time_is_over(phase: str) -> None:
    assert plan_after(5, phase=phase, ttlSecondsAfterFinished=6).wake_at == NOW + timedelta(seconds=1)
    over = plan_after(6, phase=phase, ttlSecondsAfterFinished=6)
    assert over.actions == (DeleteClimateJob("job", "uid-of-job", "1"),)
    assert plan_after(WEEK, phase=phase).actions == (DeleteClimateJob("job", "uid-of-job", "1"),)


def test_a_climatejob_stays_until_its_subscriber_has_been_told() -> None:
    for due in (True, False):
        status = {"phase": "Failed", "finishedAt": at(-60), "callbacksDue": due}
        planned = plan_for(make_climatejob(status=status, ttlSecondsAfterFinished=6))
        assert planned.actions == (() if due else (DeleteClimateJob("job", "uid-of-job", "1"),))


def test_a_time_of_nothing_is_over_at_once() -> None:
    assert plan_after(0, ttlSecondsAfterFinished=0).actions == (DeleteClimateJob("job", "uid-of-job", "1"),)


def test_a_time_beyond_all_calendars_is_never_over() -> None:
    assert plan_after(KEPT, ttlSecondsAfterFinished=3153600000).actions == (DeleteJob("job", "uid-of-batch-job"),)


def test_where_the_installation_keeps_them_only_those_go_that_say_so() -> None:
    settings = SETTINGS.model_copy(update={"ttl_seconds_after_finished": -1})
    status = {"phase": "Failed", "finishedAt": at(-10 * WEEK)}
    assert plan_for(make_climatejob(status=status), settings=settings).actions == ()
    said = make_climatejob(status=status, ttlSecondsAfterFinished=60)
    assert plan_for(said, settings=settings).actions != ()


def test_a_job_that_goes_on_after_the_end_is_deleted_at_once() -> None:
    climatejob = make_climatejob(status={"phase": "Failed", "finishedAt": at(0)})
    assert plan_for(climatejob, make_job(), running_pod()).actions == (DeleteJob("job", "uid-of-batch-job"),)


def test_the_job_of_another_owner_stays() -> None:
    climatejob = make_climatejob(status={"phase": "Failed", "finishedAt": at(-KEPT)})
    assert plan_for(climatejob, make_job(owner="another")).actions == ()


class TestALookAtWhatIsLeft:
    def test_is_due_when_the_job_has_stayed_long_enough(self) -> None:
        assert find_next_look(ENDED, (), None, NOW, SETTINGS) == NOW + timedelta(seconds=KEPT - 5)

    def test_is_due_when_the_climatejob_expires_if_that_is_earlier(self) -> None:
        soon = NOW + timedelta(seconds=3)
        assert find_next_look(ENDED, (), soon, NOW, SETTINGS) == soon
        assert find_next_look(None, (), soon, NOW, SETTINGS) == soon

    def test_is_due_at_once_when_something_goes_on(self) -> None:
        assert find_next_look(make_job(), [running_pod()], None, NOW, SETTINGS) == NOW
        assert find_next_look(make_job(suspend=True), (), None, NOW, SETTINGS) == NOW

    def test_is_due_when_a_pod_on_a_lost_node_is_to_be_given_up(self) -> None:
        given_up_at = NOW + timedelta(seconds=SETTINGS.lost_pod_seconds - 20)
        assert find_next_look(None, (running_pod(deleting=-20),), None, NOW, SETTINGS) == given_up_at
        assert find_next_look(None, (running_pod(deleting=-20, grace=0),), None, NOW, SETTINGS) is None

    def test_is_not_due_for_a_job_that_is_about_to_be_judged(self) -> None:
        assert find_next_look(make_job(), [ended_pod(exit_code=0)], None, NOW, SETTINGS) is None
        assert find_next_look(None, (), None, NOW, SETTINGS) is None
