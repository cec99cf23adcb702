"""What the operator does to a cluster, step by step on the model."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from climatejobs_operator.cluster import CLIMATEJOBS, EVENTS, JOBS, PODS, Page, Refused, Resource
from climatejobs_operator.cluster import Manifest as ReadManifest
from climatejobs_operator.reconcile import Unhurried
from tests.unit.operator import builders
from tests.unit.operator.model_cluster import Died, Manifest, ModelCluster
from tests.unit.operator.model_operator import ModelOperator, run


@pytest.fixture
def cluster() -> ModelCluster:
    return ModelCluster()


@pytest.fixture
def operator(cluster: ModelCluster) -> ModelOperator:
    return ModelOperator(cluster)


def start(cluster: ModelCluster, operator: ModelOperator) -> Manifest:
    """Bring the job to where its pod runs."""
    operator.reconcile()
    cluster.control_job()
    cluster.start_pod(cluster.live_pods()[0])
    operator.catch_up()
    assert cluster.status["phase"] == "Running"
    return cluster.live_pods()[0]


def reasons(cluster: ModelCluster) -> list[str]:
    return [event["reason"] for event in cluster.stored[EVENTS.plural].values()]


def test_a_job_runs_and_succeeds_with_one_event_for_each_step(cluster: ModelCluster, operator: ModelOperator) -> None:
    cluster.end_pod(start(cluster, operator), 0)
    operator.catch_up()
    assert cluster.status["results"] == builders.OUTPUTS
    assert reasons(cluster) == ["JobCreated", "Started", "Succeeded"]


def test_looking_again_changes_nothing(cluster: ModelCluster, operator: ModelOperator) -> None:
    start(cluster, operator)
    version = cluster.version
    for _ in range(3):
        operator.catch_up()
    assert cluster.version == version


@pytest.mark.parametrize("carried_out", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize("call", range(3))
def test_death_at_any_call_of_the_start_makes_no_second_job(
    cluster: ModelCluster, operator: ModelOperator, call: int, carried_out: bool
) -> None:
    cluster.dies = (call, carried_out)
    with pytest.raises(Died):
        operator.reconcile()
    ModelOperator(cluster).catch_up()
    assert cluster.status["attempts"] == 1
    assert cluster.made <= 1 + len(cluster.stored[EVENTS.plural])


def test_a_job_not_heard_of_yet_is_adopted(cluster: ModelCluster, operator: ModelOperator) -> None:
    operator.reconcile()
    uid = cluster.job and cluster.job["metadata"]["uid"]
    forgetful = ModelOperator(cluster)
    forgetful.cache.jobs.discard(list(forgetful.cache.jobs.of_job("job")))
    forgetful.reconcile()
    assert cluster.job is not None
    assert cluster.job["metadata"]["uid"] == uid
    assert forgetful.cache.jobs.get("job") is not None


def test_a_job_of_another_owner_is_left_alone(cluster: ModelCluster, operator: ModelOperator) -> None:
    cluster.stored[JOBS.plural]["job"] = builders.job_manifest(owner="somebody-else")
    operator.reconcile()
    assert "taken by a Job of another owner" in cluster.status["message"]
    assert cluster.status["phase"] == "Pending"
    assert "attempts" not in cluster.status
    del cluster.stored[JOBS.plural]["job"]
    operator.reconcile()
    assert cluster.status["attempts"] == 1


def test_a_refusal_is_said_and_tried_again(cluster: ModelCluster, operator: ModelOperator) -> None:
    create = cluster.create

    async def refuse(resource: Resource, manifest: ReadManifest) -> Any:
        if resource is JOBS:
            raise Refused("exceeded quota: jobs", status=403)
        return await create(resource, manifest)

    cluster.create = refuse
    operator.reconcile()
    assert cluster.status["message"] == "The cluster refuses to make the Job: exceeded quota: jobs"
    assert reasons(cluster) == ["Refused"]
    operator.reconcile()
    assert reasons(cluster) == ["Refused"]
    cluster.create = create
    operator.reconcile()
    assert cluster.status["attempts"] == 1


@pytest.mark.parametrize(
    ("told", "phase"),
    [('admission webhook "owners" denied the request: no owner', "Failed"), ("exceeded quota: jobs", "Pending")],
)
def test_a_refusal_that_lasts_is_an_error_unless_room_may_come(
    cluster: ModelCluster, operator: ModelOperator, told: str, phase: str
) -> None:
    create = cluster.create

    async def refuse(resource: Resource, manifest: ReadManifest) -> Any:
        if resource is JOBS:
            raise Refused(told, status=403)
        return await create(resource, manifest)

    cluster.create = refuse
    operator.reconcile()
    assert cluster.status["phase"] == "Pending"
    cluster.seconds += builders.SETTINGS.start_timeout_seconds
    operator.reconcile()
    assert cluster.status["phase"] == phase
    assert "attempts" not in cluster.status
    if phase == "Failed":
        assert told in cluster.status["error"]["detail"]
        assert "Whoever runs the installation" in cluster.status["error"]["hint"]


def test_a_cancellation_not_heard_of_yet_stops_the_start_of_nothing_it_should_not(
    cluster: ModelCluster, operator: ModelOperator
) -> None:
    cluster.cancel()  # the cache still holds the version before
    operator.reconcile()
    operator.catch_up()
    operator.catch_up()
    assert cluster.status["phase"] == "Cancelled"
    assert cluster.job is None


def test_cancelled_is_not_said_while_a_pod_lives_that_no_watch_has_told_of(
    cluster: ModelCluster, operator: ModelOperator
) -> None:
    operator.reconcile()
    cluster.cancel()
    cluster.control_job()
    for kind in (CLIMATEJOBS.plural, JOBS.plural):
        for deleted, manifest in cluster.streams[kind]:
            operator.deliver(kind, manifest, deleted=deleted)
        cluster.streams[kind].clear()
    operator.reconcile()
    for deleted, manifest in cluster.streams[JOBS.plural]:
        operator.deliver(JOBS.plural, manifest, deleted=deleted)
    operator.reconcile()
    assert cluster.live_pods()
    assert cluster.status["phase"] == "Pending"
    assert cluster.status["message"].startswith("Stopping")
    cluster.stop_deleted_pods()
    operator.catch_up()
    assert cluster.status["phase"] == "Cancelled"
    assert cluster.faults == []


def test_the_job_of_a_success_whose_pod_was_taken_away_is_deleted(
    cluster: ModelCluster, operator: ModelOperator
) -> None:
    cluster.end_pod(start(cluster, operator), 0)
    operator.catch_up()
    assert cluster.status["phase"] == "Succeeded"
    cluster.evict_finished_pod(cluster.pods()[0])
    cluster.control_job()
    assert cluster.live_pods(), "the Job controller starts over"
    operator.catch_up()
    assert cluster.job is None
    assert cluster.status["phase"] == "Succeeded"


def test_the_job_of_a_permanent_failure_is_left_to_end_by_itself(
    cluster: ModelCluster, operator: ModelOperator
) -> None:
    cluster.end_pod(start(cluster, operator), 65)
    operator.catch_up()
    operator.reconcile()
    assert cluster.status["phase"] == "Failed"
    assert cluster.job is not None, "its log is there to be read until its time is over"


def test_a_failure_after_the_success_costs_no_attempt(cluster: ModelCluster, operator: ModelOperator) -> None:
    cluster.end_pod(start(cluster, operator), 0)
    cluster.evict_finished_pod(cluster.pods()[0])
    cluster.seconds += 5
    cluster.control_job()
    cluster.end_pod(cluster.live_pods()[0], 1)
    operator.catch_up()
    assert (cluster.status["phase"], cluster.status["attempts"]) == ("Succeeded", 1)


def hear(cluster: ModelCluster, operator: ModelOperator, kind: str) -> None:
    """What the watch of one kind tells, while those of the others are silent."""
    for deleted, manifest in cluster.streams[kind]:
        operator.deliver(kind, manifest, deleted=deleted)
    cluster.streams[kind].clear()


def test_a_success_that_only_the_job_tells_of_costs_no_attempt(cluster: ModelCluster, operator: ModelOperator) -> None:
    cluster.end_pod(start(cluster, operator), 0)
    cluster.control_job()
    hear(cluster, operator, JOBS.plural)
    operator.reconcile()
    assert (cluster.status["phase"], cluster.status["attempts"]) == ("Succeeded", 1)


def test_a_success_that_the_watch_tells_of_while_it_is_asked_for_costs_no_attempt(
    cluster: ModelCluster, operator: ModelOperator
) -> None:
    cluster.end_pod(start(cluster, operator), 0)
    cluster.control_job()
    hear(cluster, operator, JOBS.plural)
    list_pages = cluster.list_pages

    async def list_late(
        resource: Resource, *, labels: str = "", fields: str = "", limit: int = 500
    ) -> AsyncIterator[Page]:
        hear(cluster, operator, PODS.plural)
        async for page in list_pages(resource, labels=labels, fields=fields, limit=limit):
            yield page

    cluster.list_pages = list_late
    operator.reconcile()
    assert (cluster.status["phase"], cluster.status["attempts"]) == ("Succeeded", 1)
    assert cluster.job is not None


def test_a_failure_that_only_the_job_tells_of_keeps_its_cause(cluster: ModelCluster, operator: ModelOperator) -> None:
    cluster.end_pod(start(cluster, operator), 65)
    cluster.control_job()
    hear(cluster, operator, JOBS.plural)
    operator.reconcile()
    assert cluster.status["phase"] == "Failed"
    assert cluster.status["error"]["exitCode"] == 65


def test_the_job_of_a_success_at_the_second_attempt_is_left(cluster: ModelCluster, operator: ModelOperator) -> None:
    cluster.end_pod(start(cluster, operator), 1)
    cluster.control_job()
    cluster.end_pod(cluster.live_pods()[0], 0)
    operator.catch_up()
    assert cluster.status["phase"] == "Succeeded"
    operator.catch_up()
    assert cluster.job is not None, "the Job controller has not counted the success yet"


def test_the_job_of_an_ended_climatejob_is_left_for_a_look_at_its_log(
    cluster: ModelCluster, operator: ModelOperator
) -> None:
    cluster.end_pod(start(cluster, operator), 65)
    operator.catch_up()
    assert cluster.status["phase"] == "Failed"
    operator.catch_up()
    assert cluster.job is not None


def test_an_attempt_counts_that_ran_when_its_job_was_deleted(cluster: ModelCluster, operator: ModelOperator) -> None:
    start(cluster, operator)
    cluster.delete_job()
    operator.catch_up()
    assert cluster.job is None, "the pod of the first Job still lives"
    cluster.stop_deleted_pods()
    cluster.stop_deleted_pods()
    operator.catch_up()
    assert cluster.job is not None
    assert cluster.job["spec"]["backoffLimit"] == 1
    assert cluster.status["attempts"] == 2
    assert "JobLost" in reasons(cluster)


def test_an_attempt_that_had_not_begun_does_not_count(cluster: ModelCluster, operator: ModelOperator) -> None:
    operator.reconcile()
    cluster.delete_job()
    operator.catch_up()
    assert cluster.job is not None
    assert cluster.job["spec"]["backoffLimit"] == 2
    assert cluster.status["attempts"] == 1


def test_the_error_of_a_pod_that_is_gone_before_anybody_looked_is_kept(
    cluster: ModelCluster, operator: ModelOperator
) -> None:
    pod = start(cluster, operator)
    cluster.delete_pod(pod)
    cluster.stop_deleted_pods()
    cluster.control_job()
    cluster.stop_deleted_pods()
    assert pod["metadata"]["name"] not in cluster.stored[PODS.plural]
    for kind, stream in cluster.streams.items():
        for deleted, manifest in stream:
            operator.deliver(kind, manifest, deleted=deleted)
    operator.reconcile()
    assert cluster.status["error"]["title"] == "Stopped"
    assert cluster.status["attempts"] == 2


def test_no_look_at_a_job_waits_for_its_events(cluster: ModelCluster, operator: ModelOperator) -> None:
    run(operator.reconciler.reconcile("job"))
    assert cluster.status["attempts"] == 1
    assert reasons(cluster) == []
    run(operator.announcements.post_next())
    assert reasons(cluster) == ["JobCreated"]


def test_an_event_that_cannot_be_posted_does_no_harm(cluster: ModelCluster, operator: ModelOperator) -> None:
    create = cluster.create

    async def refuse_events(resource: Resource, manifest: ReadManifest) -> Any:
        if resource is EVENTS:
            raise Refused("no events here", status=403)
        return await create(resource, manifest)

    cluster.create = refuse_events
    operator.reconcile()
    assert cluster.status["attempts"] == 1


def test_a_job_in_line_is_told_its_place_when_nothing_is_left_that_is_urgent(
    cluster: ModelCluster, operator: ModelOperator
) -> None:
    cluster.occupy()
    run(operator.resync.compare())
    version = cluster.version
    with pytest.raises(Unhurried):
        run(operator.reconciler.reconcile("job"))
    assert cluster.version == version
    operator.reconcile()
    assert cluster.status["message"] == "Waiting in line, place 1."


def test_a_climatejob_that_was_deleted_is_let_go(cluster: ModelCluster, operator: ModelOperator) -> None:
    del cluster.stored[CLIMATEJOBS.plural]["job"]

    operator.reconcile()
    assert len(operator.cache.climatejobs) == 0


def test_a_suspension_stops_the_pod_frees_the_slot_and_costs_nothing(
    cluster: ModelCluster, operator: ModelOperator
) -> None:
    start(cluster, operator)
    cluster.suspend()
    operator.catch_up()
    assert cluster.job is not None
    assert cluster.job["spec"]["suspend"]
    assert cluster.job["spec"]["activeDeadlineSeconds"] <= 21600
    cluster.control_job()
    cluster.stop_deleted_pods()
    operator.catch_up()
    assert (cluster.status["phase"], cluster.status["attempts"]) == ("Suspended", 1)
    cluster.occupy()
    operator.catch_up()
    cluster.suspend(suspend=False)
    operator.catch_up()
    assert cluster.job["spec"]["suspend"], "the slot that became free is another's now"
    assert cluster.status["message"] == "Waiting in line, place 1."
    cluster.vacate()
    operator.catch_up()
    assert not cluster.job["spec"]["suspend"]
    cluster.stop_deleted_pods()
    cluster.control_job()
    cluster.end_pod(cluster.live_pods()[0], 0)
    operator.catch_up()
    assert (cluster.status["phase"], cluster.status["attempts"]) == ("Succeeded", 1)
    assert reasons(cluster) == ["JobCreated", "Started", "Suspending", "Suspended", "Queued", "Resumed", "Succeeded"]


def test_a_suspension_of_a_job_that_changed_meanwhile_is_decided_anew(
    cluster: ModelCluster, operator: ModelOperator
) -> None:
    pod = start(cluster, operator)
    cluster.suspend()
    run(operator.resync.compare())
    cluster.end_pod(pod, 1)
    cluster.control_job()
    operator.reconcile()
    operator.catch_up()
    assert (cluster.job or {})["spec"]["suspend"]
    assert cluster.status["attempts"] == 2


def end(cluster: ModelCluster, operator: ModelOperator) -> None:
    """Bring the job to its success, Job and all."""
    cluster.end_pod(start(cluster, operator), 0)
    operator.catch_up()
    cluster.control_job()
    operator.catch_up()
    assert cluster.status["phase"] == "Succeeded"


@pytest.mark.parametrize("restarted", [False, True])
def test_after_the_end_the_job_goes_first_and_the_climatejob_when_its_time_is_over(
    cluster: ModelCluster, operator: ModelOperator, *, restarted: bool
) -> None:
    end(cluster, operator)
    cluster.seconds += 599
    if restarted:
        operator = ModelOperator(cluster)
    operator.catch_up()
    assert cluster.job is not None
    cluster.seconds += 1
    operator.catch_up()
    assert cluster.job is None
    assert "job" in cluster.stored[CLIMATEJOBS.plural]
    cluster.seconds += 604800
    operator.catch_up()
    assert "job" not in cluster.stored[CLIMATEJOBS.plural]


def test_a_climatejob_whose_time_was_changed_after_the_end_is_kept_as_long_as_it_says(
    cluster: ModelCluster, operator: ModelOperator
) -> None:
    end(cluster, operator)
    cluster.change_climatejob(ttlSecondsAfterFinished=5)
    run(operator.expiry.sweep())
    cluster.change_climatejob(ttlSecondsAfterFinished=50)  # what has not been heard of
    cluster.seconds += 6
    operator.reconcile()
    assert "job" in cluster.stored[CLIMATEJOBS.plural]
    cluster.seconds += 50
    operator.catch_up()
    assert "job" not in cluster.stored[CLIMATEJOBS.plural]


def test_nothing_is_remembered_of_what_expires_later_than_the_next_sweeps(
    cluster: ModelCluster, operator: ModelOperator
) -> None:
    end(cluster, operator)
    assert len(operator.expiry) == 0
    cluster.change_climatejob(ttlSecondsAfterFinished=1200)
    operator.catch_up()
    assert len(operator.expiry) == 1
    cluster.change_climatejob(ttlSecondsAfterFinished=1201)
    operator.catch_up()
    assert len(operator.expiry) == 0


def test_the_first_word_on_a_job_waits_while_writes_are_slow() -> None:
    cluster = ModelCluster()
    cluster.slow = True
    operator = ModelOperator(cluster)
    operator.reconcile()
    assert cluster.job is not None
    assert cluster.status == {}
    cluster.seconds += 3
    operator.reconcile()
    assert (cluster.status["phase"], cluster.status["attempts"]) == ("Pending", 1)
