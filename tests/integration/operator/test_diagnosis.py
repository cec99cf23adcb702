"""What a job says of pods that do not come or do not go: a real API server and the real Job controller."""

import pytest

from tests.cluster_objects import ClimateJobs, wait_until
from tests.integration.conftest import ControlPlane
from tests.integration.operator.conftest import OperatorProcess
from tests.integration.operator.kubelet import Kubelet

pytestmark = pytest.mark.integration


@pytest.mark.usefixtures("operator")
def test_a_quota_that_leaves_no_room_is_named(control_plane: ControlPlane, climate_jobs: ClimateJobs) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    control_plane.objects.create(quota, climate_jobs.namespace)
    climate_jobs.create("crowded")
    wait_until(
        lambda: "exceeded quota: none" in climate_jobs.get("crowded").get("status", {}).get("message", ""),
        "the quota to be named",
        30,
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
    wait_until(lambda: control_plane.objects.find("Pod", name, climate_jobs.namespace) is None, f"{name} to vanish", 30)
    wait_until(lambda: kubelet.pods("lost"), "another pod", 40)
    assert climate_jobs.get("lost")["status"]["attempts"] == 1
