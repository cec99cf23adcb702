"""Jobs whose pods cannot start on a real node: each says why, and fails after a while or is waited for.

They are all there at the same time, so that the while is waited for once.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from functools import partial

import pytest

from climatejobs_cluster.images import write_archive
from climatejobs_demo.installation import Installation
from tests.cluster_objects import ClimateJobs, ClusterObjects, Manifest, wait_until
from tests.e2e.conftest import HURRIED, START_TIMEOUT, find_leftovers

pytestmark = pytest.mark.e2e

OPERATOR = "deployment/climatejobs-operator"
PREFIX = "CLIMATEJOBS_OPERATOR_"
ABSENT_IMAGE = "localhost/climatejobs/absent:1"
NOWHERE = "e2e-nowhere"
ABSENT_CLAIM = "e2e-absent"
ABSENT_PROFILE = {"securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "absent.json"}}}
"""For the pods of runners; no node has the file, and nobody but the container runtime looks for it."""


@pytest.fixture(scope="module")
def climate_jobs(hurried: Installation, objects: ClusterObjects) -> ClimateJobs:
    return ClimateJobs(objects, hurried.namespace)


@pytest.fixture(scope="module")
def empty_image(hurried: Installation, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of an image with nothing in it, so not the runner that it says it has."""
    name = "localhost/climatejobs/empty:1"
    archive = tmp_path_factory.mktemp("images") / "empty.tar"
    write_archive(archive, name=name, programs={}, entrypoint=("/climatejobs-runner",))
    hurried.cluster.ask("load", str(archive))
    return name


@pytest.fixture(scope="module", autouse=True)
def troubles(
    hurried: Installation, objects: ClusterObjects, climate_jobs: ClimateJobs, empty_image: str
) -> Iterator[None]:
    before = read_operator(hurried)
    try:
        change_operator(hurried, RUNNER_IMAGE=ABSENT_IMAGE, MAX_RUNNING="0", MAX_RUNNING_PER_SUBMITTER="0")
        climate_jobs.create("imageless")
        climate_jobs.create("tiny", resources={"memory": "1Mi"})
        for name in ("imageless", "tiny"):
            wait_until(partial(has_pod, objects, name), "Job and pod to be made", 60)
        change_operator(hurried, RUNNER_IMAGE=empty_image)
        climate_jobs.create("empty", maxAttempts=1)
        wait_until(partial(has_pod, objects, "empty"), "Job and pod to be made", 60)
        change_operator(hurried, RUNNER_IMAGE=before["RUNNER_IMAGE"], RUNNER_POD=json.dumps(ABSENT_PROFILE))
        climate_jobs.create("uncreated")
        wait_until(partial(has_pod, objects, "uncreated"), "Job and pod to be made", 60)
        change_operator(hurried, RUNNER_POD=json.dumps({"hostNetwork": True}))
        climate_jobs.create("unwelcome")
        wait_until(lambda: find_leftovers(objects, HURRIED, "unwelcome") == ["Job unwelcome"], "its Job to be made")
        change_operator(hurried, RUNNER_POD=before.get("RUNNER_POD", ""), DATA_CLAIM=ABSENT_CLAIM)
        climate_jobs.create("claimless")
        wait_until(partial(has_pod, objects, "claimless"), "Job and pod to be made", 60)
        make_claim_of_nothing(objects)
        change_operator(hurried, DATA_CLAIM=NOWHERE)
        set_limits(objects, quota="1200Mi", most="1Gi")
        climate_jobs.create("unmounted")
        climate_jobs.create("greedy", resources={"memory": "2Gi"})
        climate_jobs.create("crowded", resources={"memory": "1Gi"})
        yield
    finally:
        hurried.kubectl("delete", "climatejobs", "--all")
        hurried.kubectl("delete", "limitrange,resourcequota", "--all")
        changed = ("RUNNER_IMAGE", "DATA_CLAIM", "MAX_RUNNING", "MAX_RUNNING_PER_SUBMITTER")
        restored = {name: before[name] for name in changed}
        change_operator(hurried, **restored, RUNNER_POD=before.get("RUNNER_POD", ""))
        hurried.kubectl("delete", "pvc", NOWHERE, "--ignore-not-found", "--wait=false")
        hurried.kubectl("delete", "pv", NOWHERE, "--ignore-not-found", "--wait=false")


def has_pod(objects: ClusterObjects, name: str) -> bool:
    """Whether there are Job and pod of a ClimateJob."""
    return len(find_leftovers(objects, HURRIED, name)) == 2


def read_operator(installation: Installation) -> dict[str, str]:
    """The operator's settings."""
    lines = installation.kubectl("set", "env", OPERATOR, "--list").splitlines()
    pairs = (line.removeprefix(PREFIX).partition("=") for line in lines if line.startswith(PREFIX))
    return {name: value for name, _, value in pairs}


def change_operator(installation: Installation, **settings: str) -> None:
    """Give the operator other settings, and wait until it goes by them."""
    words = [f"{PREFIX}{name}={value}" for name, value in settings.items()]
    installation.kubectl("set", "env", OPERATOR, *words)
    installation.kubectl("rollout", "status", OPERATOR, "--timeout=60s")

    def alone() -> bool:
        selector = "--selector=app.kubernetes.io/component=operator"
        return len(installation.kubectl("get", "pods", selector, "--output=name").splitlines()) == 1

    wait_until(alone, "the operator with the former settings to be gone", 60)


def make_claim_of_nothing(objects: ClusterObjects) -> None:
    """A claim that is bound to a folder that no node has."""
    objects.create(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": NOWHERE},
            "spec": {
                "accessModes": ["ReadWriteMany"],
                "capacity": {"storage": "1Gi"},
                "claimRef": {"name": NOWHERE, "namespace": HURRIED},
                "hostPath": {"path": "/nowhere", "type": "Directory"},
            },
        }
    )
    objects.create(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": NOWHERE},
            "spec": {
                "accessModes": ["ReadWriteMany"],
                "resources": {"requests": {"storage": "1Gi"}},
                "storageClassName": "",
                "volumeName": NOWHERE,
            },
        },
        HURRIED,
    )

    def bound() -> bool:
        found = objects.find("PersistentVolumeClaim", NOWHERE, HURRIED)
        return found is not None and found.get("status", {}).get("phase") == "Bound"

    # Until then a pod that asks for it has no node, which is a trouble of its own.
    wait_until(bound, "the claim to be bound")


def set_limits(objects: ClusterObjects, *, quota: str, most: str) -> None:
    """How much memory the namespace and one container may have; both count from now on."""
    limit = {"type": "Container", "max": {"memory": most}}
    objects.create(
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "most"}, "spec": {"limits": [limit]}}, HURRIED
    )
    hard = {"hard": {"requests.memory": quota}}
    objects.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "room"}, "spec": hard}, HURRIED)

    def counted() -> bool:
        found = objects.find("ResourceQuota", "room", HURRIED)
        return found is not None and bool(found.get("status", {}).get("used"))

    wait_until(counted, "the quota to count", 20)


def fail_in_time(climate_jobs: ClimateJobs, name: str) -> Manifest:
    """The error of a job that has failed, not before the time for a start was over."""
    job = climate_jobs.wait_for(name, "Failed", seconds=60)
    made, ended = (
        datetime.fromisoformat(time) for time in (job["metadata"]["creationTimestamp"], job["status"]["finishedAt"])
    )
    assert (ended - made).total_seconds() >= START_TIMEOUT
    assert job["status"]["attempts"] == 1
    return job["status"]["error"]


def test_an_image_that_cannot_be_pulled_is_named(objects: ClusterObjects, climate_jobs: ClimateJobs) -> None:
    error = fail_in_time(climate_jobs, "imageless")
    assert (error["type"], error["title"]) == ("urn:climatejobs:error:image-pull", "Image cannot be pulled")
    assert error["detail"].startswith(f"The image {ABSENT_IMAGE} cannot be pulled (")
    assert "does the node reach the registry" in error["hint"]
    wait_until(lambda: not find_leftovers(objects, HURRIED, "imageless"), "Job and pod to be gone", 20)


def test_a_container_that_cannot_be_created_is_told_of(objects: ClusterObjects, climate_jobs: ClimateJobs) -> None:
    error = fail_in_time(climate_jobs, "uncreated")
    assert (error["type"], error["title"]) == ("urn:climatejobs:error:cannot-start", "Runner cannot start")
    assert error["detail"].startswith("The runner cannot start (CreateContainerError): ")
    assert "absent.json: no such file or directory" in error["detail"]
    assert "the settings of the runner's pod do not work on this cluster" in error["hint"]
    wait_until(lambda: not find_leftovers(objects, HURRIED, "uncreated"), "Job and pod to be gone", 20)


def test_an_image_without_a_runner_is_told_of_and_costs_an_attempt(
    objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    status = climate_jobs.wait_for("empty", "Failed")["status"]
    error = status["error"]
    assert (error["type"], error["title"]) == ("urn:climatejobs:error:not-started", "Not started")
    assert error["detail"].startswith("the runner could not be started: ")
    assert "no such file or directory" in error["detail"] or "not found in $PATH" in error["detail"]
    assert "the runner's image and the settings of its pod do not fit together" in error["hint"]
    assert (status["attempts"], error["attempt"], error["exitCode"]) == (1, 1, 128)
    assert "startedAt" not in status
    wait_until(lambda: not find_leftovers(objects, HURRIED, "empty"), "Job and pod to be gone", 20)


def test_a_volume_that_is_not_there_is_named(objects: ClusterObjects, climate_jobs: ClimateJobs) -> None:
    error = fail_in_time(climate_jobs, "unmounted")
    assert error["type"] == "urn:climatejobs:error:volume-not-mounted"
    assert "(FailedMount)" in error["detail"]
    assert "/nowhere is not a directory" in error["detail"]
    wait_until(lambda: not find_leftovers(objects, HURRIED, "unmounted"), "Job and pod to be gone", 20)


def test_a_claim_that_is_not_there_is_named(objects: ClusterObjects, climate_jobs: ClimateJobs) -> None:
    error = fail_in_time(climate_jobs, "claimless")
    assert (error["type"], error["title"]) == ("urn:climatejobs:error:volume-missing", "Volume missing")
    assert error["detail"].startswith("The data volume is missing: ")
    assert f'persistentvolumeclaim "{ABSENT_CLAIM}" not found' in error["detail"]
    assert "(kubectl get pvc)" in error["hint"]
    wait_until(lambda: not find_leftovers(objects, HURRIED, "claimless"), "Job and pod to be gone", 20)


def test_too_little_memory_for_a_pod_is_named(objects: ClusterObjects, climate_jobs: ClimateJobs) -> None:
    error = fail_in_time(climate_jobs, "tiny")
    assert (error["type"], error["title"]) == ("urn:climatejobs:error:out-of-memory", "Out of memory")
    assert error["detail"].startswith("The pod has too little memory to be made (")
    assert error["hint"].startswith("Submit again with more in resources.memory")
    wait_until(lambda: not find_leftovers(objects, HURRIED, "tiny"), "Job and pod to be gone", 20)


def test_a_job_that_asks_for_more_than_is_allowed_is_told_so(
    objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    error = fail_in_time(climate_jobs, "greedy")
    assert error["type"] == "urn:climatejobs:error:pod-refused"
    assert "maximum memory usage per Container is 1Gi, but limit is 2Gi" in error["detail"]
    assert error["hint"] == "Submit again with resources that the namespace allows."
    wait_until(lambda: not find_leftovers(objects, HURRIED, "greedy"), "its Job to be gone", 20)


def test_a_pod_that_the_namespace_s_security_level_forbids_is_told_of(
    objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    error = fail_in_time(climate_jobs, "unwelcome")
    assert (error["type"], error["title"]) == ("urn:climatejobs:error:pod-refused", "Pod refused")
    assert 'violates PodSecurity "restricted:latest": host namespaces (hostNetwork=true)' in error["detail"]
    assert "the namespace's rules do not let the runner's pods in" in error["hint"]
    wait_until(lambda: not find_leftovers(objects, HURRIED, "unwelcome"), "its Job to be gone", 20)


def test_a_full_quota_is_named_and_waited_for(objects: ClusterObjects, climate_jobs: ClimateJobs) -> None:
    fail_in_time(climate_jobs, "greedy")  # so the time for a start is over
    status = climate_jobs.get("crowded")["status"]
    assert status["phase"] == "Pending"
    assert "The namespace's quota leaves no room for the pod yet: exceeded quota: room" in status["message"]
    assert find_leftovers(objects, HURRIED, "crowded") == ["Job crowded"]
    objects.patch("ResourceQuota", "room", HURRIED, {"spec": {"hard": {"requests.memory": "4Gi"}}})
    wait_until(lambda: has_pod(objects, "crowded"), "its pod to be made", 90)
    climate_jobs.patch_spec("crowded", cancel=True)
    climate_jobs.wait_for("crowded", "Cancelled", seconds=20)
    wait_until(lambda: not find_leftovers(objects, HURRIED, "crowded"), "Job and pod to be gone", 20)
