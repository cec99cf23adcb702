"""Reports of real runners, and operators that take turns, on a real cluster."""

from collections.abc import Iterator

import pytest

from climatejobs_demo.installation import Installation
from tests.cluster_objects import ClimateJobs, ClusterObjects, Manifest, wait_until
from tests.e2e.conftest import NAMESPACE

pytestmark = pytest.mark.e2e

OPERATORS = "app.kubernetes.io/component=operator"


def test_progress_is_seen_while_a_job_runs_and_its_result_before_the_job_controller_knows(
    objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    climate_jobs.create("teller", inputs={"message": "told", "pause": 10})

    def on_its_way() -> Manifest | None:
        status: Manifest = climate_jobs.get("teller").get("status", {})
        progress: Manifest = status.get("progress") or {}
        return progress if status.get("phase") == "Running" and progress.get("percent", 0) > 0 else None

    progress = wait_until(on_its_way, "progress of a running job", 30)
    assert (progress["total"], progress["unit"], progress["message"]) == (10, "seconds", "Echoing")
    assert 0 < progress["rate"] < 2
    ended = climate_jobs.wait_for("teller", "Succeeded", "Failed")
    status = ended["status"]
    assert (status["phase"], status["results"]) == ("Succeeded", {"message": "told"})
    completed = wait_until(lambda: find_completed(objects, "teller"), "the Job to be Complete as well", 30)
    # Versions of all objects are numbers of one counter.
    assert version(ended) < version(completed), "the runner was believed before the kubelet had told of its end"


def test_progress_of_pods_that_share_a_job_is_that_of_all_together(climate_jobs: ClimateJobs) -> None:
    """`echo` is not divided: one pod counts the seconds, and the others say that they have nothing to do."""
    seconds = 15
    climate_jobs.create(
        "tellers", inputs={"message": "told", "pause": seconds}, parallelism=3, resources={"cpu": "100m"}
    )

    def on_its_way() -> Manifest | None:
        progress: Manifest = climate_jobs.get("tellers").get("status", {}).get("progress") or {}
        return progress if "total" in progress and 0 < progress["percent"] < 100 else None

    progress = wait_until(on_its_way, "the progress of all", 60)
    assert (progress["total"], progress["unit"], progress["message"]) == (seconds, "seconds", "Echoing")
    assert progress["percent"] == 100 * progress["done"] // seconds
    assert 0 < progress["rate"] < 2
    status = climate_jobs.wait_for("tellers", "Succeeded", "Failed")["status"]
    progress = status["progress"]
    assert (status["phase"], progress["percent"], progress["done"], progress["total"]) == (
        "Succeeded",
        100,
        seconds,
        seconds,
    )


@pytest.fixture
def two_operators(installation: Installation, objects: ClusterObjects) -> Iterator[None]:
    def ready(count: int) -> bool:
        pods = objects.list("Pod", NAMESPACE, label_selector=OPERATORS)
        return len(pods) == count and all(condition(pod, "Ready") for pod in pods)

    scale = ("scale", "deployment/climatejobs-operator")
    installation.kubectl(*scale, "--replicas=2")
    wait_until(lambda: ready(2), "two operators that are both Ready", 60)
    yield
    installation.kubectl(*scale, "--replicas=1")
    wait_until(lambda: ready(1), "one operator", 60)


@pytest.mark.usefixtures("two_operators")
def test_a_standby_takes_over_when_the_leader_is_killed(
    installation: Installation, objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    def leader() -> str | None:
        lease = objects.find("Lease", "climatejobs-operator", NAMESPACE, version="coordination.k8s.io/v1")
        return None if lease is None else lease["spec"].get("holderIdentity")

    first = wait_until(leader, "a leader", 30)
    climate_jobs.create("across", inputs={"message": "still here", "pause": 30})
    climate_jobs.wait_for("across", "Running")
    installation.kubectl("delete", "pod", first, "--grace-period=0", "--force", "--wait=false")
    climate_jobs.create("meanwhile", inputs={"message": "me too"})
    second = wait_until(lambda: name if (name := leader()) and name != first else None, "another leader", 45)
    assert climate_jobs.wait_for("meanwhile", "Succeeded", "Failed")["status"]["phase"] == "Succeeded"
    status = climate_jobs.wait_for("across", "Succeeded", "Failed")["status"]
    assert (status["phase"], status["attempts"]) == ("Succeeded", 1)

    installation.kubectl("delete", "pod", second, "--wait=false")
    wait_until(
        lambda: (name := leader()) is not None and name != second, "the next leader, before the Lease runs out", 14
    )
    for number in range(4):  # some of them report to the standby, which passes it on
        climate_jobs.create(f"after-{number}")
        climate_jobs.wait_for(f"after-{number}", "Succeeded")


def find_completed(objects: ClusterObjects, name: str) -> Manifest | None:
    job = objects.find("Job", name, NAMESPACE, version="batch/v1")
    return job if job is not None and condition(job, "Complete") else None


def version(found: Manifest) -> int:
    return int(found["metadata"]["resourceVersion"])


def condition(found: Manifest, type_: str) -> bool:
    conditions: list[Manifest] = found.get("status", {}).get("conditions") or []
    return any(one["type"] == type_ and one["status"] == "True" for one in conditions)
