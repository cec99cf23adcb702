"""The line for slots, with the operator as a process, a real API server and the real Job controller."""

import pytest

from climatejobs.names import ExitCode
from tests.cluster_objects import ClimateJobs, wait_until
from tests.integration.conftest import ControlPlane
from tests.integration.operator.conftest import OperatorProcess
from tests.integration.operator.kubelet import Kubelet, success_message

pytestmark = pytest.mark.integration


def test_jobs_wait_for_a_slot_by_priority_also_across_a_restart(
    control_plane: ControlPlane, stopped_operator: OperatorProcess, climate_jobs: ClimateJobs, kubelet: Kubelet
) -> None:
    def running() -> set[str]:
        found = control_plane.objects.list("Job", climate_jobs.namespace, version="batch/v1")
        return {job["metadata"]["name"] for job in found}

    def finish(name: str, successor: str) -> None:
        kubelet.finish(kubelet.await_pod(name), ExitCode.DONE, success_message())
        climate_jobs.wait_for(name, "Succeeded")
        kubelet.await_pod(successor)

    def place_of(name: str) -> str | None:
        return climate_jobs.get(name).get("status", {}).get("message")

    for name, priority in {"a": 5, "b": 0, "c": 0, "d": 9}.items():
        climate_jobs.create(name, priority=priority)
    stopped_operator.start(max_running=1)
    kubelet.await_pod("d")
    wait_until(lambda: place_of("b") == "Waiting in line, place 2.", "b to be told its place", 10)
    wait_until(lambda: place_of("c") == "Waiting in line, place 3.", "c to be told its place", 10)
    assert running() == {"d"}

    stopped_operator.kill()
    climate_jobs.patch_spec("c", priority=7)
    stopped_operator.start(max_running=1)
    finish("d", successor="c")
    assert running() == {"d", "c"}
    finish("c", successor="a")
    finish("a", successor="b")
    kubelet.finish(kubelet.await_pod("b"), ExitCode.DONE, success_message())
    assert climate_jobs.wait_for("b", "Succeeded")["status"]["attempts"] == 1
