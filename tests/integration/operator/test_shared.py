"""A computation that several pods share: operator as a process, a real API server, the real Job controller."""

import pytest

from climatejobs import names
from climatejobs.names import ExitCode
from tests.cluster_objects import ClimateJobs, Manifest, wait_until
from tests.integration.conftest import ControlPlane
from tests.integration.operator.conftest import OperatorProcess
from tests.integration.operator.kubelet import ECHO_OUTPUTS, Kubelet, share_message, success_message

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("operator")]

INDEX = "batch.kubernetes.io/job-completion-index"


def index_of(pod: Manifest) -> int:
    return int(pod["metadata"]["annotations"][INDEX])


def pods_by_index(kubelet: Kubelet, job: str, number: int) -> dict[int, Manifest]:
    """The pods of a job by their share, once there are so many; the youngest of each."""
    kubelet.await_pod(job, number)
    return {index_of(pod): pod for pod in kubelet.pods(job)}


def finish_share(kubelet: Kubelet, pod: Manifest, of: int) -> None:
    kubelet.finish(pod, ExitCode.DONE, share_message(index_of(pod), of))


def test_each_share_has_a_pod_and_the_one_that_publishes_ends_the_job(
    climate_jobs: ClimateJobs, kubelet: Kubelet, control_plane: ControlPlane
) -> None:
    climate_jobs.create("shared", parallelism=3)
    pods = pods_by_index(kubelet, "shared", 3)
    assert sorted(pods) == [0, 1, 2]
    for pod in pods.values():
        kubelet.run(pod)
    climate_jobs.wait_for("shared", "Running")
    finish_share(kubelet, pods[0], 3)
    finish_share(kubelet, pods[2], 3)
    kubelet.finish(pods[1], ExitCode.DONE, success_message())
    status = climate_jobs.wait_for("shared", "Succeeded")["status"]
    assert (status["results"], status["attempts"]) == (ECHO_OUTPUTS, 1)

    def completed() -> bool:
        job = control_plane.objects.find("Job", "shared", climate_jobs.namespace, version="batch/v1") or {}
        conditions: list[Manifest] = job["status"].get("conditions") or []
        return any(condition["type"] == "Complete" for condition in conditions)

    wait_until(completed, "the Job to be complete")


def test_a_share_is_repeated_by_itself_and_named_when_it_fails_for_good(
    climate_jobs: ClimateJobs, kubelet: Kubelet
) -> None:
    climate_jobs.create("uneven", parallelism=2, maxAttempts=2)
    pods = pods_by_index(kubelet, "uneven", 2)
    kubelet.run(pods[0])
    kubelet.finish(pods[1], 1, "out of luck")
    wait_until(
        lambda: climate_jobs.get("uneven").get("status", {}).get("attempts") == 2, "the second attempt to be said"
    )
    assert climate_jobs.get("uneven")["status"]["error"]["detail"].startswith("in shard 2 of 2 (index 1): ")
    second = pods_by_index(kubelet, "uneven", 3)[1]
    assert second["metadata"]["annotations"]["batch.kubernetes.io/job-index-failure-count"] == "1"
    kubelet.finish(second, 137, reason="OOMKilled")
    status = climate_jobs.wait_for("uneven", "Failed")["status"]
    assert status["attempts"] == 2
    assert status["error"]["title"] == "Out of memory"
    wait_until(lambda: kubelet.pods("uneven") == [] or not running(kubelet, "uneven"), "the other share to be stopped")


def test_a_suspension_gives_no_share_more_attempts(climate_jobs: ClimateJobs, kubelet: Kubelet) -> None:
    climate_jobs.create("held", parallelism=2, maxAttempts=2)
    pods = pods_by_index(kubelet, "held", 2)
    kubelet.run(pods[0])
    kubelet.finish(pods[1], 1, "out of luck")
    wait_until(lambda: climate_jobs.get("held").get("status", {}).get("attempts") == 2, "the second attempt to be said")
    climate_jobs.patch_spec("held", suspend=True)
    climate_jobs.wait_for("held", "Suspended")
    known = {pod["metadata"]["name"] for pod in kubelet.pods("held")}
    climate_jobs.patch_spec("held", suspend=False)

    def resumed() -> dict[int, Manifest] | None:
        found = {index_of(pod): pod for pod in kubelet.pods("held") if pod["metadata"]["name"] not in known}
        return found if len(found) == 2 else None

    kubelet.finish(wait_until(resumed, "a pod for each share")[1], 1, "out of luck again")
    status = climate_jobs.wait_for("held", "Failed")["status"]
    assert status["attempts"] == 2
    assert status["error"]["detail"].startswith("in shard 2 of 2 (index 1): ")


def test_after_a_suspension_of_days_every_share_runs_again_at_the_same_attempt(
    control_plane: ControlPlane, operator: OperatorProcess, climate_jobs: ClimateJobs, kubelet: Kubelet
) -> None:
    climate_jobs.create("weekend", parallelism=2, maxAttempts=1, timeoutSeconds=1000)
    pods = pods_by_index(kubelet, "weekend", 2)
    for pod in pods.values():
        kubelet.run(pod)
    climate_jobs.wait_for("weekend", "Running")
    finish_share(kubelet, pods[0], 2)
    climate_jobs.patch_spec("weekend", suspend=True)
    climate_jobs.wait_for("weekend", "Suspended")
    operator.kill()
    days = {"startedAt": "2026-01-01T00:00:00Z", "heldSince": "2026-01-01T00:00:10Z"}
    control_plane.objects.patch_status(
        names.KIND, "weekend", climate_jobs.namespace, {"status": days}, version=names.API_VERSION
    )
    operator.start()
    climate_jobs.patch_spec("weekend", suspend=False)

    def again() -> dict[int, Manifest] | None:
        old = {pod["metadata"]["uid"] for pod in pods.values()}
        found = {index_of(pod): pod for pod in kubelet.pods("weekend") if pod["metadata"]["uid"] not in old}
        return found if len(found) == 2 else None

    second = wait_until(again, "a pod for each share")
    finish_share(kubelet, second[0], 2)
    kubelet.finish(second[1], ExitCode.DONE, success_message())
    status = climate_jobs.wait_for("weekend", "Succeeded")["status"]
    assert status["attempts"] == 1
    assert "heldSince" not in status


def running(kubelet: Kubelet, job: str) -> list[Manifest]:
    return [pod for pod in kubelet.pods(job) if pod["status"]["phase"] == "Running"]
