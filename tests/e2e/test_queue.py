"""The line for slots with real pods: one slot for each submitter, two in all."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import pytest

from climatejobs import names
from climatejobs_demo.installation import Installation
from tests.cluster_objects import ClimateJobs, ClusterObjects, wait_until
from tests.e2e.conftest import HURRIED, find_leftovers, reach_api

pytestmark = pytest.mark.e2e

WITHOUT_END = {"message": "never said", "pause": 600}
THOUSAND = 1000


@pytest.fixture(scope="module")
def api(hurried: Installation) -> Iterator[httpx.Client]:
    with reach_api(hurried) as client:
        yield client


@pytest.fixture(scope="module")
def climate_jobs(hurried: Installation, objects: ClusterObjects) -> ClimateJobs:
    return ClimateJobs(objects, hurried.namespace)


@pytest.fixture(scope="module", autouse=True)
def line(objects: ClusterObjects, climate_jobs: ClimateJobs) -> Iterator[None]:
    """`first` computes; `oldest`, `waiting-0`, `waiting-1` and so on stand in line behind it."""
    climate_jobs.create("first", inputs=WITHOUT_END)
    climate_jobs.wait_for("first", "Running")
    climate_jobs.create("oldest", inputs=WITHOUT_END)
    create = partial(climate_jobs.create, inputs=WITHOUT_END)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(create, (f"waiting-{number}" for number in range(THOUSAND))))
    yield
    # Deleted as a collection they go one after the other, which a busy API server breaks off after a minute.
    delete = partial(objects.delete, names.KIND, namespace=HURRIED, version=names.API_VERSION)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(delete, [job["metadata"]["name"] for job in climate_jobs.list()]))
    wait_until(lambda: not find_runners(objects) and not climate_jobs.list(), "nothing to be left", 60)


def find_runners(objects: ClusterObjects) -> list[str]:
    """The ClimateJobs that have a pod."""
    pods = objects.list("Pod", HURRIED, label_selector=names.LABEL_JOB_NAME)
    return [pod["metadata"]["labels"][names.LABEL_JOB_NAME] for pod in pods]


def test_a_thousand_that_wait_cost_no_job_and_no_pod(
    api: httpx.Client, objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    def untold() -> int:
        # Those without a phase, which are few by now, so that a look costs little.
        return len(climate_jobs.list(field_selector="status.phase="))

    wait_until(lambda: not untold(), "all to be in line", 120, lambda: f"{untold()} are not")
    told = [job["status"]["message"] for job in climate_jobs.list(field_selector="status.phase=Pending")]
    assert sum(message.startswith("Waiting in line, place ") for message in told) == len(told) == THOUSAND + 1
    assert [job["metadata"]["name"] for job in objects.list("Job", HURRIED, version="batch/v1")] == ["first"]
    assert find_runners(objects) == ["first"]
    assert climate_jobs.get("oldest")["status"]["message"] == "Waiting in line, place 1."
    seen = api.get("/jobs/oldest").json()
    assert (seen["status"], seen["phase"], seen["message"]) == ("accepted", "Pending", "Waiting in line, place 1.")


def test_another_submitter_does_not_wait_behind_them(hurried: Installation, climate_jobs: ClimateJobs) -> None:
    me = hurried.kubectl("auth", "whoami", "--output", "jsonpath={.status.userInfo.username}")
    climate_jobs.create("of-another", submittedBy=me)
    assert climate_jobs.wait_for("of-another", "Succeeded", "Failed")["status"]["phase"] == "Succeeded"
    assert climate_jobs.get("oldest")["status"]["phase"] == "Pending"


def test_no_more_run_than_may_in_all_whoever_has_submitted_them(
    api: httpx.Client, hurried: Installation, objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    me = hurried.kubectl("auth", "whoami", "--output", "jsonpath={.status.userInfo.username}")
    climate_jobs.create("second", submittedBy=me, inputs=WITHOUT_END)
    climate_jobs.wait_for("second", "Running")
    third = {"process": "echo", "inputs": {"message": "at last"}, "submittedBy": "bob", "priority": 1}
    manifest = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": {"name": "third"}, "spec": third}
    as_bob = ("--as", "bob", "--as-group", "system:masters")
    hurried.kubectl("create", *as_bob, "--filename", "-", stdin=json.dumps(manifest))
    wait_until(lambda: api.get("/jobs/third").json()["message"] == "Waiting in line, place 1.", "it to be told so", 20)
    wait_until(lambda: sorted(find_runners(objects)) == ["first", "second"], "no other pod to be there", 20)
    hurried.kubectl("delete", "climatejob", "second")
    assert climate_jobs.wait_for("third", "Succeeded", "Failed", seconds=30)["status"]["phase"] == "Succeeded"


def test_who_is_cancelled_or_deleted_in_line_leaves_it(
    api: httpx.Client, hurried: Installation, objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    for name in ("by-rest", "by-patch", "by-deletion", "last"):
        climate_jobs.create(name, priority=1)
    wait_until(lambda: api.get("/jobs/last").json()["message"] == "Waiting in line, place 4.", "them to be in line", 20)
    assert api.delete("/jobs/by-rest").json()["status"] == "dismissed"
    climate_jobs.patch_spec("by-patch", cancel=True)
    hurried.kubectl("delete", "climatejob", "by-deletion")
    for name in ("by-rest", "by-patch"):
        assert "attempts" not in climate_jobs.wait_for(name, "Cancelled", seconds=20)["status"]
    wait_until(
        lambda: api.get("/jobs/last").json()["message"] == "Waiting in line, place 1.", "the last to move up", 20
    )
    for name in ("by-rest", "by-patch", "by-deletion"):
        assert find_leftovers(objects, HURRIED, name) == []
    climate_jobs.patch_spec("last", cancel=True)


def test_a_free_slot_goes_to_the_highest_priority_then_to_the_oldest(
    api: httpx.Client, hurried: Installation, objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    brief = {"message": "done", "pause": 1}
    climate_jobs.create("urgent", inputs=brief, priority=5)
    climate_jobs.create("raised", inputs=brief)
    climate_jobs.patch_spec("raised", priority=9)
    wait_until(lambda: api.get("/jobs/raised").json()["message"] == "Waiting in line, place 1.", "it to be first", 20)
    hurried.kubectl("delete", "climatejob", "first")
    started = [
        climate_jobs.wait_for("raised", "Succeeded", seconds=30)["status"]["startedAt"],
        climate_jobs.wait_for("urgent", "Succeeded", seconds=30)["status"]["startedAt"],
        climate_jobs.wait_for("oldest", "Running", seconds=30)["status"]["startedAt"],
    ]
    assert started == sorted(set(started))
    wait_until(lambda: not find_leftovers(objects, HURRIED, "first"), "nothing of the deleted job to be left", 20)
    assert api.get("/jobs/waiting-0").json()["status"] == "accepted"
