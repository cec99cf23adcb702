"""What a job says of pods that do not come or do not go: a real API server and the real Job controller."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.cluster_objects import ClimateJobs, ClusterObjects, Manifest, wait_until
from tests.integration.conftest import ControlPlane
from tests.integration.operator.conftest import OperatorProcess
from tests.integration.operator.kubelet import Kubelet

pytestmark = pytest.mark.integration

START_TIMEOUT = 20
"""Seconds; the events of a pod are asked for after 10, those of a Job after 3 and 13."""


@pytest.fixture
def objects(control_plane: ControlPlane) -> ClusterObjects:
    return control_plane.objects


def wait_for_message(climate_jobs: ClimateJobs, name: str, words: str) -> Manifest:
    def look() -> Manifest | None:
        status: Manifest = climate_jobs.get(name).get("status") or {}
        return status if words in status.get("message", "") else None

    return wait_until(look, f"{name} to say: {words}", 60, lambda: str(climate_jobs.get(name).get("status")))


def wait_until_nothing_is_left(objects: ClusterObjects, kubelet: Kubelet, namespace: str, name: str) -> None:
    def gone() -> bool:
        return objects.find("Job", name, namespace, version="batch/v1") is None and kubelet.pods(name) == []

    wait_until(gone, f"Job and pods of {name} to be gone")


@pytest.mark.usefixtures("operator")
def test_a_quota_that_leaves_no_room_is_named(control_plane: ControlPlane, climate_jobs: ClimateJobs) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    control_plane.objects.create(quota, climate_jobs.namespace)
    climate_jobs.create("crowded")
    wait_until(
        lambda: "exceeded quota: none" in climate_jobs.get("crowded").get("status", {}).get("message", ""),
        "the quota to be named",
        60,
        lambda: str(climate_jobs.get("crowded").get("status")),
    )


def test_the_pod_of_a_lost_node_is_given_up_and_replaced_at_no_cost(
    stopped_operator: OperatorProcess, control_plane: ControlPlane, climate_jobs: ClimateJobs, kubelet: Kubelet
) -> None:
    climate_jobs.create("lost")
    stopped_operator.start(lost_pod_seconds=1, runner_grace_seconds=1)
    pod = kubelet.await_pod("lost")
    kubelet.accept(pod)
    kubelet.run(pod)
    climate_jobs.wait_for("lost", "Running")
    name = pod["metadata"]["name"]
    control_plane.objects.delete("Pod", name, climate_jobs.namespace)
    wait_until(lambda: control_plane.objects.find("Pod", name, climate_jobs.namespace) is None, f"{name} to vanish")
    wait_until(lambda: kubelet.pods("lost"), "another pod")
    assert climate_jobs.get("lost")["status"]["attempts"] == 1


def test_a_job_whose_pod_the_namespace_s_policy_refuses_fails_after_a_while(
    stopped_operator: OperatorProcess, climate_jobs: ClimateJobs, kubelet: Kubelet, objects: ClusterObjects
) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "baseline"}
    objects.patch("Namespace", climate_jobs.namespace, None, {"metadata": {"labels": labels}})
    stopped_operator.start(start_timeout_seconds=START_TIMEOUT, runner_pod='{"hostNetwork": true}')
    climate_jobs.create("unwelcome")
    waiting = wait_for_message(climate_jobs, "unwelcome", 'violates PodSecurity "baseline:latest": host namespaces')
    assert waiting["phase"] == "Pending"
    status = climate_jobs.wait_for("unwelcome", "Failed")["status"]
    assert status["error"]["title"] == "Pod refused"
    assert "host namespaces (hostNetwork=true)" in status["error"]["detail"]
    assert "the namespace's rules do not let the runner's pods in" in status["error"]["hint"]
    wait_until_nothing_is_left(objects, kubelet, climate_jobs.namespace, "unwelcome")


def test_a_job_that_asks_for_more_than_the_namespace_allows_is_told_so(
    stopped_operator: OperatorProcess, climate_jobs: ClimateJobs, objects: ClusterObjects
) -> None:
    limit = {"type": "Container", "max": {"memory": "512Mi"}}
    objects.create(
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "limits"}, "spec": {"limits": [limit]}},
        climate_jobs.namespace,
    )
    stopped_operator.start(start_timeout_seconds=5)
    climate_jobs.create("greedy", resources={"memory": "4Gi"})
    error = climate_jobs.wait_for("greedy", "Failed")["status"]["error"]
    assert "maximum memory usage per Container is 512Mi, but limit is 4Gi" in error["detail"]
    assert error["hint"] == "Submit again with resources that the namespace allows."


def test_a_job_whose_image_cannot_be_pulled_fails_after_a_while(
    stopped_operator: OperatorProcess, climate_jobs: ClimateJobs, kubelet: Kubelet, objects: ClusterObjects
) -> None:
    stopped_operator.start(start_timeout_seconds=START_TIMEOUT)
    climate_jobs.create("imageless")
    pod = kubelet.await_pod("imageless")
    kubelet.wait(pod, "ErrImagePull", "no such image")
    wait_for_message(climate_jobs, "imageless", "cannot be pulled (ErrImagePull): no such image")
    kubelet.wait(pod, "ImagePullBackOff", "Back-off pulling image")
    status = climate_jobs.wait_for("imageless", "Failed")["status"]
    assert status["error"]["title"] == "Image cannot be pulled"
    assert status["error"]["detail"].endswith("(ErrImagePull): no such image"), "the words that say more"
    assert status["attempts"] == 1
    wait_until_nothing_is_left(objects, kubelet, climate_jobs.namespace, "imageless")


def test_a_job_whose_memory_does_not_do_for_making_its_pod_fails_after_a_while(
    stopped_operator: OperatorProcess, climate_jobs: ClimateJobs, kubelet: Kubelet, objects: ClusterObjects
) -> None:
    told = (
        "runc create failed: unable to start container process: container init was OOM-killed (memory limit too low?)"
    )
    reasons = {"no-sandbox": "FailedCreatePodSandBox", "no-container": "CreateContainerError"}
    stopped_operator.start(start_timeout_seconds=START_TIMEOUT)
    for name in reasons:
        climate_jobs.create(name, resources={"memory": "1Mi"})
    pods = {name: kubelet.await_pod(name) for name in reasons}
    kubelet.wait(pods["no-sandbox"], "ContainerCreating", "")
    warn(objects, pods["no-sandbox"], reasons["no-sandbox"], told)
    kubelet.wait(pods["no-container"], reasons["no-container"], told)
    for name in ("no-container", "no-sandbox"):
        message = f"The pod has too little memory to be made ({reasons[name]}): {told}"
        assert wait_for_message(climate_jobs, name, message)["phase"] == "Pending"
    for name, pod in pods.items():
        status = climate_jobs.wait_for(name, "Failed")["status"]
        assert status["error"]["title"] == "Out of memory"
        assert reasons[name] in status["error"]["detail"]
        assert status["error"]["hint"].startswith("Submit again with more in resources.memory")
        made, ended = pod["metadata"]["creationTimestamp"], status["finishedAt"]
        assert datetime.fromisoformat(ended) - datetime.fromisoformat(made) >= timedelta(seconds=START_TIMEOUT)
        wait_until_nothing_is_left(objects, kubelet, climate_jobs.namespace, name)


def warn(objects: ClusterObjects, pod: Manifest, reason: str, message: str) -> None:
    """Say something of a pod in an event, as the kubelet does."""
    metadata = pod["metadata"]
    objects.create(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.1", "namespace": metadata["namespace"]},
            "involvedObject": {"kind": "Pod", **{key: metadata[key] for key in ("name", "namespace", "uid")}},
            "type": "Warning",
            "reason": reason,
            "message": message,
            "lastTimestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        metadata["namespace"],
    )
