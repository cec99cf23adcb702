"""Suspending a ClimateJob and letting it go on, from wherever it stands. Each test's name continues `a suspension`."""

from datetime import timedelta

from climatejobs.model import Phase
from climatejobs.names import Reason
from climatejobs_operator.actions import ConfirmGone, CreateJob, DeleteJob, LookAgain, ResumeJob, SuspendJob
from climatejobs_operator.observation import Place
from tests.unit.operator.builders import (
    NOW,
    PENDING,
    PERMANENT,
    RETRYING,
    RUNNING,
    Manifest,
    at,
    ended_pod,
    figures,
    make_climatejob,
    make_job,
    plan_for,
    running_pod,
    success_text,
    true_conditions,
)

HELD: Manifest = {"suspend": True, "suspended": True}
SUSPENDED: Manifest = {**RUNNING, "phase": "Suspended", "heldSeconds": 0}


def test_a_suspension_suspends_the_job_and_keeps_the_rest_of_its_time() -> None:
    job = make_job(deadline=100, started=-30)
    plan = plan_for(make_climatejob(suspend=True, status=RUNNING), job, running_pod())
    assert plan.actions == (SuspendJob("job", "1", deadline_seconds=70),)
    assert figures(plan) == (Phase.RUNNING, 1)
    assert plan.status.message == "Suspending: waiting for the pod to end."
    assert [event.reason for event in plan.events] == [Reason.SUSPENDING]


def test_a_suspension_is_said_when_nothing_runs_any_more() -> None:
    climatejob = make_climatejob(suspend=True, status=RUNNING)
    assert plan_for(climatejob, make_job(suspend=True), running_pod()).status.phase is Phase.RUNNING
    ending = running_pod(deleting=20, tracked=False)
    assert plan_for(climatejob, make_job(**HELD), ending).status.phase is Phase.RUNNING
    plan = plan_for(climatejob, make_job(**HELD))
    assert (figures(plan), plan.actions) == ((Phase.SUSPENDED, 1), ())
    assert true_conditions(plan) == {"Suspended"}
    assert [event.reason for event in plan.events] == [Reason.SUSPENDED]


def test_a_suspension_without_its_job_is_said_when_the_cluster_has_confirmed_that_nothing_runs() -> None:
    """The pod of a Job that somebody has deleted may live without having been heard of."""
    plan = plan_for(make_climatejob(suspend=True, status=RUNNING))
    assert [type(action) for action in plan.actions] == [ConfirmGone]
    assert plan.status.phase is Phase.SUSPENDED
    assert plan_for(make_climatejob(suspend=True, status=SUSPENDED)).actions == ()


def test_a_suspension_is_not_said_before_the_job_controller_has_acted_on_it() -> None:
    plan = plan_for(make_climatejob(suspend=True, status=PENDING), make_job(suspend=True))
    assert (figures(plan), plan.actions) == ((Phase.PENDING, 1), ())


def test_a_suspension_costs_no_attempt() -> None:
    stopped = ended_pod(exit_code=143, tracked=False, deleting=-10)
    plan = plan_for(make_climatejob(suspend=True, status=RUNNING), make_job(**HELD), stopped)
    assert figures(plan) == (Phase.SUSPENDED, 1)
    assert plan.status.error is None


def test_a_suspension_keeps_what_had_been_spent_before() -> None:
    job = make_job(failed=1, **HELD)
    plan = plan_for(make_climatejob(suspend=True, status=RETRYING), job)
    assert figures(plan) == (Phase.SUSPENDED, 2)
    lagging = plan_for(make_climatejob(suspend=True, status=RETRYING), make_job(**HELD))
    assert figures(lagging) == (Phase.SUSPENDED, 2)


def test_a_suspension_of_a_job_that_ends_before_it_changes_nothing() -> None:
    climatejob = make_climatejob(suspend=True, status=RUNNING)
    done = ended_pod(exit_code=0, message=success_text(), tracked=False)
    assert plan_for(climatejob, make_job(**HELD), done).status.phase is Phase.SUCCEEDED
    assert plan_for(climatejob, make_job(), ended_pod(exit_code=65, message=PERMANENT)).status.phase is Phase.FAILED


def test_a_suspension_leaves_no_suspended_job_behind_a_success() -> None:
    climatejob = make_climatejob(suspend=True, status={"phase": "Succeeded"})
    assert plan_for(climatejob, make_job(**HELD)).actions == (DeleteJob("job", "uid-of-batch-job"),)


def test_a_suspension_from_the_beginning_makes_no_job() -> None:
    plan = plan_for(make_climatejob(suspend=True), place=Place(3))
    assert (figures(plan), plan.actions) == ((Phase.SUSPENDED, None), ())
    assert plan_for(make_climatejob(suspend=True, process="bake")).status.phase is Phase.FAILED


def test_a_suspension_leaves_what_fails_after_it_to_be_told_by_its_pod() -> None:
    """Also where the Job controller has counted the pod, and let go of it, before anybody has looked."""
    stopped = ended_pod("pod-1", exit_code=143, created=-40, deleting=-30, tracked=False)
    failed = ended_pod("pod-2", exit_code=65, message=PERMANENT, created=-20, tracked=False)
    resumed = make_job(suspended=False, started=-20, failed=1)
    plan = plan_for(make_climatejob(status={**RETRYING, "attempts": 1}), resumed, stopped, failed)
    assert figures(plan) == (Phase.FAILED, 1)
    assert plan.status.error is not None
    assert plan.status.error.detail == "the year 3000 has no data"


def test_a_suspension_lends_no_cause_to_a_failure_whose_pod_is_gone() -> None:
    """The pod of the failure before that one is still there; it was the last that was looked at."""
    stopped = ended_pod("pod-1", exit_code=143, created=-140, deleting=-130, tracked=False)
    earlier = ended_pod("pod-2", exit_code=137, reason="OOMKilled", created=-120, finished=-60, tracked=False)
    resumed = make_job(suspended=False, started=-120, failed=2)
    plan = plan_for(make_climatejob(status=RUNNING), resumed, stopped, earlier)
    assert figures(plan) == (Phase.RETRYING, 3)
    assert plan.actions == (LookAgain("uid-of-job"),)
    assert plan.status.error is not None
    assert plan.status.error.detail == "attempt 2 failed, and its pod was gone before the cause could be read"


def test_a_suspension_takes_no_cause_from_a_failure_that_came_after_it() -> None:
    before = ended_pod("pod-1", exit_code=1, created=-200, finished=-190, tracked=False)
    stopped = ended_pod("pod-2", exit_code=143, created=-140, deleting=-130, tracked=False)
    latest = ended_pod("pod-3", exit_code=137, reason="OOMKilled", created=-120, finished=-60, tracked=False)
    resumed = make_job(suspended=False, started=-120, failed=2)
    plan = plan_for(make_climatejob(status={**RUNNING, "attempts": 2}), resumed, before, stopped, latest)
    assert figures(plan) == (Phase.RETRYING, 3)
    assert plan.status.error is not None
    assert (plan.status.error.title, plan.status.error.attempt) == ("Out of memory", 2)


def test_a_suspension_that_ended_in_the_second_in_which_its_pod_was_made_makes_no_failure_of_that() -> None:
    stopped = ended_pod(exit_code=143, created=-20, deleting=-20, tracked=False)
    plan = plan_for(make_climatejob(status=RUNNING), make_job(suspended=False, started=-20), stopped)
    assert figures(plan) == (Phase.RETRYING, 1)
    assert plan.status.error is None


def test_a_suspension_of_shares_ends_with_another_job_that_is_told_of() -> None:
    held = make_job(**HELD, retries_per_index=2)
    status = {**SUSPENDED, "attempts": 2, "error": {"type": "urn:x", "title": "T", "detail": "it rained", "attempt": 1}}
    resumed = plan_for(make_climatejob(status=status, parallelism=2), held)
    assert [event.note for event in resumed.events] == ["Resuming: waiting for a pod."]
    going_on = make_climatejob(status=resumed.status.to_manifest(), parallelism=2)
    assert [event.note for event in plan_for(going_on).events] == ["Made Job job"]


def test_a_suspension_in_line_gives_the_place_up_and_takes_one_again() -> None:
    waiting = plan_for(make_climatejob(), place=Place(3)).status
    held = plan_for(make_climatejob(suspend=True, status=waiting.to_manifest()))
    assert held.status.phase is Phase.SUSPENDED
    again = plan_for(make_climatejob(status=held.status.to_manifest()), place=Place(5))
    assert (again.status.phase, again.status.message) == (Phase.PENDING, "Waiting in line, place 5.")


def test_a_suspension_can_be_ended_by_a_cancellation() -> None:
    climatejob = make_climatejob(suspend=True, cancel=True, status=SUSPENDED)
    assert plan_for(climatejob, make_job(**HELD)).actions == (DeleteJob("job", "uid-of-batch-job"),)
    assert plan_for(climatejob).status.phase is Phase.CANCELLED


def test_a_suspension_is_followed_by_another_wait_in_line() -> None:
    plan = plan_for(make_climatejob(status=SUSPENDED), make_job(**HELD), place=Place(2))
    assert (figures(plan), plan.actions) == ((Phase.RETRYING, 1), ())
    assert plan.status.message == "Waiting in line, place 2."


def test_a_suspension_ends_when_there_is_a_slot() -> None:
    plan = plan_for(make_climatejob(status=SUSPENDED), make_job(**HELD))
    assert plan.actions == (ResumeJob("job", "1"),)
    assert figures(plan) == (Phase.RETRYING, 1)
    assert [event.reason for event in plan.events] == [Reason.RESUMED]


def test_a_suspension_does_not_end_while_the_stopped_pod_lives() -> None:
    plan = plan_for(make_climatejob(status=RUNNING), make_job(**HELD), running_pod(deleting=20, tracked=False))
    assert plan.actions == ()


def test_a_suspension_does_not_count_against_the_time_for_all_attempts() -> None:
    status = {**SUSPENDED, "startedAt": at(-1000)}
    job = make_job(deadline=60, **HELD)
    resumed = plan_for(make_climatejob(status=status, timeoutSeconds=100), job)
    assert resumed.status.held_seconds == 960
    lost_later = plan_for(
        make_climatejob(status={**resumed.status.to_manifest(), "phase": "Running"}, timeoutSeconds=100),
        now=NOW + timedelta(seconds=20),
    )
    assert lost_later.actions[-1] == CreateJob(attempts_before=1, deadline_seconds=40)


def test_a_suspension_does_not_count_either_where_its_job_is_lost() -> None:
    status = {**SUSPENDED, "startedAt": at(-1000), "heldSince": at(-950)}
    held = plan_for(make_climatejob(suspend=True, status=status, timeoutSeconds=100))
    assert (figures(held), held.status.held_seconds) == ((Phase.SUSPENDED, 1), 0)
    resumed = plan_for(make_climatejob(status=status, timeoutSeconds=100))
    assert resumed.actions[-1] == CreateJob(attempts_before=0, deadline_seconds=50)
    assert resumed.status.held_seconds == 950


def test_a_suspension_says_since_when_once_and_until_the_job_goes_on() -> None:
    job, later = make_job(deadline=60, **HELD), NOW + timedelta(seconds=500)
    status = {**RUNNING, "startedAt": at(-1000)}
    held = plan_for(make_climatejob(suspend=True, status=status, timeoutSeconds=100), job).status
    assert (held.held_seconds, held.held_since) == (960, NOW)
    again = plan_for(make_climatejob(suspend=True, status=held.to_manifest(), timeoutSeconds=100), job, now=later)
    assert again.status == held
    waiting = plan_for(
        make_climatejob(status=held.to_manifest(), timeoutSeconds=100), job, place=Place(2), now=later
    ).status
    assert (waiting.phase, waiting.held_seconds, waiting.held_since) == (Phase.RETRYING, 960, NOW)
    resumed = plan_for(make_climatejob(status=waiting.to_manifest(), timeoutSeconds=100), job, now=later).status
    assert (resumed.held_seconds, resumed.held_since) == (1460, None)


def test_a_suspension_is_known_of_in_line_when_the_job_is_lost_there() -> None:
    """Neither what was held before nor the rest of the wait in line counts, whoever has deleted the Job."""
    held = plan_for(
        make_climatejob(suspend=True, status={**RUNNING, "startedAt": at(-1000)}, timeoutSeconds=100),
        make_job(deadline=60, **HELD),
    ).status
    in_line = plan_for(
        make_climatejob(status=held.to_manifest(), timeoutSeconds=100), make_job(deadline=60, **HELD), place=Place(2)
    ).status
    lost = plan_for(
        make_climatejob(status=in_line.to_manifest(), timeoutSeconds=100),
        place=Place(1),
        now=NOW + timedelta(seconds=300),
    ).status
    assert (lost.phase, lost.job_name) == (Phase.RETRYING, None)
    made = plan_for(make_climatejob(status=lost.to_manifest(), timeoutSeconds=100), now=NOW + timedelta(seconds=700))
    assert made.actions[-1] == CreateJob(attempts_before=0, deadline_seconds=60)
    assert (made.status.held_seconds, made.status.held_since) == (1660, None)


def test_a_suspension_ends_with_its_job_going_on_also_where_that_could_not_be_said() -> None:
    """An operator died between the two."""
    status = {**SUSPENDED, "startedAt": at(-1000), "heldSeconds": 100, "heldSince": at(-250)}
    resumed = make_job(started=-50, suspended=False)
    plan = plan_for(make_climatejob(status=status), resumed, running_pod(started=-40))
    assert (plan.status.phase, plan.status.held_seconds, plan.status.held_since) == (Phase.RUNNING, 300, None)
    unheard = plan_for(make_climatejob(status=status), make_job(started=-900, suspended=True)).status
    assert (unheard.held_seconds, unheard.held_since) == (350, None), "the Job controller has not seen it yet"


def test_a_suspension_is_over_at_the_job_s_end() -> None:
    status = {**SUSPENDED, "startedAt": at(-1000), "heldSince": at(-950)}
    plan = plan_for(make_climatejob(suspend=True, cancel=True, status=status))
    assert (plan.status.phase, plan.status.held_seconds, plan.status.held_since) == (Phase.CANCELLED, 950, None)


def test_a_suspension_from_the_beginning_is_not_reckoned() -> None:
    held = plan_for(make_climatejob(suspend=True)).status
    assert (held.held_seconds, held.held_since) == (0, None)
