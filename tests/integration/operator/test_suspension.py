"""Suspending and resuming, with the operator as a process, a real API server and the real Job controller."""

import pytest

from climatejobs.names import ExitCode
from tests.cluster_objects import ClimateJobs, Manifest, wait_until
from tests.integration.conftest import ControlPlane
from tests.integration.operator.conftest import OperatorProcess
from tests.integration.operator.kubelet import Kubelet, success_message

pytestmark = pytest.mark.integration


def batch_job(control_plane: ControlPlane, climate_jobs: ClimateJobs, name: str) -> Manifest | None:
    return control_plane.objects.find("Job", name, climate_jobs.namespace, version="batch/v1")


def test_a_suspended_job_stops_frees_its_slot_and_goes_on_at_the_same_attempt(
    control_plane: ControlPlane, stopped_operator: OperatorProcess, climate_jobs: ClimateJobs, kubelet: Kubelet
) -> None:
    climate_jobs.create("held", timeoutSeconds=1000)
    stopped_operator.start(max_running=1)
    first = kubelet.await_pod("held")
    kubelet.accept(first)
    kubelet.run(first)
    climate_jobs.wait_for("held", "Running")
    climate_jobs.create("other")
    climate_jobs.patch_spec("held", suspend=True)
    kubelet.stop(first)
    status = climate_jobs.wait_for("held", "Suspended")["status"]
    assert (status["attempts"], "error" in status) == (1, False)
    job = batch_job(control_plane, climate_jobs, "held")
    assert job is not None
    assert job["spec"]["activeDeadlineSeconds"] <= 1000

    other = kubelet.await_pod("other")
    stopped_operator.kill()
    climate_jobs.patch_spec("held", suspend=False)
    stopped_operator.start(max_running=1)
    wait_until(
        lambda: climate_jobs.get("held")["status"]["message"] == "Waiting in line, place 1.", "held to be in line again"
    )
    kubelet.finish(other, ExitCode.DONE, success_message())
    climate_jobs.wait_for("other", "Succeeded")
    second = wait_until(
        lambda: next((p for p in kubelet.pods("held") if p["metadata"]["name"] != first["metadata"]["name"]), None),
        "a pod after the resumption",
    )
    kubelet.finish(second, ExitCode.DONE, success_message())
    status = climate_jobs.wait_for("held", "Succeeded")["status"]
    assert status["attempts"] == 1
    assert status["heldSeconds"] >= 0


@pytest.mark.usefixtures("operator")
def test_a_job_that_is_suspended_from_the_beginning_has_no_batch_job(
    control_plane: ControlPlane, climate_jobs: ClimateJobs, kubelet: Kubelet
) -> None:
    climate_jobs.create("later", suspend=True)
    climate_jobs.wait_for("later", "Suspended")
    assert batch_job(control_plane, climate_jobs, "later") is None
    climate_jobs.patch_spec("later", suspend=False)
    kubelet.finish(kubelet.await_pod("later"), ExitCode.DONE, success_message())
    assert climate_jobs.wait_for("later", "Succeeded")["status"]["attempts"] == 1


@pytest.mark.usefixtures("operator")
def test_a_suspended_job_can_be_cancelled(
    control_plane: ControlPlane, climate_jobs: ClimateJobs, kubelet: Kubelet
) -> None:
    climate_jobs.create("unwanted")
    kubelet.await_pod("unwanted")
    climate_jobs.patch_spec("unwanted", suspend=True)
    climate_jobs.wait_for("unwanted", "Suspended")
    climate_jobs.patch_spec("unwanted", cancel=True)
    climate_jobs.wait_for("unwanted", "Cancelled")
    assert batch_job(control_plane, climate_jobs, "unwanted") is None
