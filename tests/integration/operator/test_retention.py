"""What becomes of ClimateJobs and Jobs after the end: operator as a process, real API server, real Job controller."""

from datetime import UTC, datetime, timedelta

import pytest

from climatejobs import names
from climatejobs.names import ExitCode
from tests.cluster_objects import ClimateJobs, ClusterObjects, wait_until
from tests.integration.conftest import ControlPlane
from tests.integration.operator.conftest import OperatorProcess
from tests.integration.operator.kubelet import Kubelet, success_message

pytestmark = pytest.mark.integration


@pytest.fixture
def objects(control_plane: ControlPlane) -> ClusterObjects:
    return control_plane.objects


def finish(kubelet: Kubelet, name: str) -> None:
    kubelet.finish(kubelet.await_pod(name), ExitCode.DONE, success_message())


def await_gone(objects: ClusterObjects, climate_jobs: ClimateJobs, name: str) -> None:
    def gone() -> bool:
        return objects.find(names.KIND, name, climate_jobs.namespace, version=names.API_VERSION) is None

    wait_until(gone, f"{name} to be deleted")


@pytest.mark.usefixtures("operator")
def test_a_climatejob_goes_as_soon_as_its_time_is_over(
    climate_jobs: ClimateJobs, kubelet: Kubelet, objects: ClusterObjects
) -> None:
    climate_jobs.create("fleeting", ttlSecondsAfterFinished=0)
    climate_jobs.create("brief", ttlSecondsAfterFinished=8)
    finish(kubelet, "fleeting")
    await_gone(objects, climate_jobs, "fleeting")
    finish(kubelet, "brief")
    finished_at = climate_jobs.wait_for("brief", "Succeeded")["status"]["finishedAt"]
    await_gone(objects, climate_jobs, "brief")
    assert datetime.now(UTC) - datetime.fromisoformat(finished_at) >= timedelta(seconds=8)
    wait_until(lambda: kubelet.pods("brief") == [], "its pod to be gone with it")


@pytest.mark.usefixtures("operator")
def test_the_time_may_be_changed_after_the_end(
    climate_jobs: ClimateJobs, kubelet: Kubelet, objects: ClusterObjects
) -> None:
    climate_jobs.create("kept")
    finish(kubelet, "kept")
    climate_jobs.wait_for("kept", "Succeeded")
    climate_jobs.patch_spec("kept", ttlSecondsAfterFinished=1)
    await_gone(objects, climate_jobs, "kept")


def test_a_restart_forgets_no_time(
    stopped_operator: OperatorProcess, climate_jobs: ClimateJobs, kubelet: Kubelet, objects: ClusterObjects
) -> None:
    climate_jobs.create("short", ttlSecondsAfterFinished=60)
    climate_jobs.create("long")
    stopped_operator.start()
    for name in ("short", "long"):
        finish(kubelet, name)
        climate_jobs.wait_for(name, "Succeeded")
    stopped_operator.kill()
    climate_jobs.patch_spec("short", ttlSecondsAfterFinished=1)
    stopped_operator.start(job_retention_seconds=1)
    await_gone(objects, climate_jobs, "short")

    def job_gone() -> bool:
        return objects.find("Job", "long", climate_jobs.namespace, version="batch/v1") is None

    wait_until(job_gone, "the Job of the other to be deleted")
    wait_until(lambda: kubelet.pods("long") == [], "its pod to be gone")
    assert climate_jobs.get("long")["status"]["results"]
    stopped_operator.kill()
    stopped_operator.start(ttl_seconds_after_finished=1)
    await_gone(objects, climate_jobs, "long")
