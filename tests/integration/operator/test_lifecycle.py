"""The life of a ClimateJob, with the operator as a process, a real API server and the real Job controller."""

import pytest

from climatejobs.errors import NoData
from climatejobs.names import ExitCode, Reason
from climatejobs.results import ResultDocument, describe_error
from tests.cluster_objects import ClimateJobs, ClusterObjects, Manifest, wait_until
from tests.integration.conftest import ControlPlane
from tests.integration.operator.conftest import OperatorProcess
from tests.integration.operator.kubelet import ECHO_OUTPUTS, Kubelet, success_message

pytestmark = pytest.mark.integration


@pytest.fixture
def objects(control_plane: ControlPlane) -> ClusterObjects:
    return control_plane.objects


def true_conditions(job: Manifest) -> set[str]:
    return {condition["type"] for condition in job["status"]["conditions"] if condition["status"] == "True"}


@pytest.mark.usefixtures("operator")
class TestAJob:
    def test_succeeds_with_the_outputs_of_its_pod(self, climate_jobs: ClimateJobs, kubelet: Kubelet) -> None:
        climate_jobs.create("good")
        assert climate_jobs.wait_for("good", "Pending")["status"]["attempts"] == 1
        pod = kubelet.await_pod("good")
        kubelet.run(pod)
        running = climate_jobs.wait_for("good", "Running")
        assert running["status"]["startedAt"]
        kubelet.finish(pod, ExitCode.DONE, success_message())
        status = climate_jobs.wait_for("good", "Succeeded")["status"]
        assert status["results"] == ECHO_OUTPUTS
        assert status["progress"]["percent"] == 100
        assert true_conditions({"status": status}) == {"Complete", "Finished"}
        assert status["finishedAt"]
        assert "error" not in status
        wait_until(
            lambda: climate_jobs.event_reasons() >= {Reason.JOB_CREATED, Reason.STARTED, Reason.SUCCEEDED},
            "the events of a success",
            60,
        )

    def test_fails_at_once_when_its_input_is_at_fault(self, climate_jobs: ClimateJobs, kubelet: Kubelet) -> None:
        climate_jobs.create("bad")
        pod = kubelet.await_pod("bad")
        kubelet.run(pod)
        error = describe_error(NoData("nothing was measured on the moon", hint="Choose a place on earth."))
        kubelet.finish(pod, ExitCode.PERMANENT, ResultDocument(error=error).to_json())
        status = climate_jobs.wait_for("bad", "Failed")["status"]
        assert status["error"]["detail"] == "nothing was measured on the moon"
        assert (status["error"]["exitCode"], status["error"]["attempt"], status["attempts"]) == (65, 1, 1)
        assert status["message"] == "Nothing was measured on the moon. Choose a place on earth."
        assert true_conditions({"status": status}) == {"Failed", "Finished"}

    def test_is_tried_again_when_its_pod_fails(self, climate_jobs: ClimateJobs, kubelet: Kubelet) -> None:
        climate_jobs.create("shaky")
        pod = kubelet.await_pod("shaky")
        kubelet.run(pod)
        climate_jobs.wait_for("shaky", "Running")
        kubelet.finish(pod, 137, reason="OOMKilled")
        status = climate_jobs.wait_for("shaky", "Retrying")["status"]
        assert status["attempts"] == 2
        assert status["retryAt"] > status["startedAt"]
        assert status["error"]["title"] == "Out of memory"
        assert status["error"]["hint"] == "Submit again with resources.memory=2Gi."
        second = kubelet.await_pod("shaky", 2)
        kubelet.run(second)
        running = climate_jobs.wait_for("shaky", "Running")["status"]
        assert (running["attempts"], "retryAt" in running) == (2, False)
        kubelet.finish(second, ExitCode.DONE, success_message())
        ended = climate_jobs.wait_for("shaky", "Succeeded")["status"]
        assert ended["attempts"] == 2

    def test_fails_with_the_error_of_its_last_attempt(self, climate_jobs: ClimateJobs, kubelet: Kubelet) -> None:
        climate_jobs.create("doomed", maxAttempts=1)
        kubelet.finish(kubelet.await_pod("doomed"), 1, "Traceback: it went wrong\n")
        status = climate_jobs.wait_for("doomed", "Failed")["status"]
        assert status["error"]["detail"] == "the runner ended unexpectedly with exit status 1"
        assert status["logTail"] == "Traceback: it went wrong\n"

    def test_is_cancelled_while_it_runs(
        self, climate_jobs: ClimateJobs, kubelet: Kubelet, objects: ClusterObjects
    ) -> None:
        climate_jobs.create("unwanted")
        pod = kubelet.await_pod("unwanted")
        kubelet.run(pod)
        climate_jobs.wait_for("unwanted", "Running")
        climate_jobs.patch_spec("unwanted", cancel=True)
        status = climate_jobs.wait_for("unwanted", "Cancelled")["status"]
        assert true_conditions({"status": status}) == {"Finished"}
        assert kubelet.pods("unwanted") == []
        assert objects.find("Job", "unwanted", climate_jobs.namespace, version="batch/v1") is None

    def test_that_had_finished_is_not_cancelled(self, climate_jobs: ClimateJobs, kubelet: Kubelet) -> None:
        climate_jobs.create("quick")
        pod = kubelet.await_pod("quick")
        kubelet.finish(pod, ExitCode.DONE, success_message())
        climate_jobs.patch_spec("quick", cancel=True)
        assert climate_jobs.wait_for("quick", "Succeeded", "Cancelled")["status"]["phase"] == "Succeeded"

    def test_with_bad_inputs_fails_without_a_pod(
        self, climate_jobs: ClimateJobs, kubelet: Kubelet, objects: ClusterObjects
    ) -> None:
        climate_jobs.create("nonsense", inputs={"numbers": "many"})
        status = climate_jobs.wait_for("nonsense", "Failed")["status"]
        assert status["error"]["type"] == "urn:climatejobs:error:invalid-input"
        assert "/inputs/message" in status["error"]["detail"]
        assert "/inputs/numbers" in status["error"]["detail"]
        assert kubelet.pods("nonsense") == []
        assert objects.find("Job", "nonsense", climate_jobs.namespace, version="batch/v1") is None

    def test_says_why_its_pod_does_not_start(self, climate_jobs: ClimateJobs, kubelet: Kubelet) -> None:
        climate_jobs.create("waiting")
        kubelet.wait(kubelet.await_pod("waiting"), "ErrImagePull", "no such image")

        def status() -> Manifest:
            return climate_jobs.get("waiting").get("status") or {}  # there may be a pod before it is said so

        wait_until(
            lambda: "cannot be pulled (ErrImagePull): no such image" in status().get("message", ""),
            "the reason in the message",
            60,
            lambda: str(status()),
        )

    def test_whose_job_somebody_deletes_is_made_again(
        self, climate_jobs: ClimateJobs, kubelet: Kubelet, objects: ClusterObjects
    ) -> None:
        climate_jobs.create("robbed", maxAttempts=2)
        pod = kubelet.await_pod("robbed")
        kubelet.run(pod)
        climate_jobs.wait_for("robbed", "Running")
        first = objects.find("Job", "robbed", climate_jobs.namespace, version="batch/v1")
        assert first is not None
        objects.delete("Job", "robbed", climate_jobs.namespace, version="batch/v1")

        def made_again() -> Manifest | None:
            job = objects.find("Job", "robbed", climate_jobs.namespace, version="batch/v1")
            return job if job is not None and job["metadata"]["uid"] != first["metadata"]["uid"] else None

        second = wait_until(made_again, "the Job to be made again")
        assert second["spec"]["backoffLimit"] == 0, "one of two attempts is spent"
        wait_until(lambda: climate_jobs.get("robbed")["status"]["attempts"] == 2, "the second attempt to be said")

    def test_waits_for_a_name_that_another_job_has(
        self, climate_jobs: ClimateJobs, kubelet: Kubelet, objects: ClusterObjects
    ) -> None:
        objects.create(foreign_job("taken"), climate_jobs.namespace)
        climate_jobs.create("taken")
        status = climate_jobs.wait_for("taken", "Pending")["status"]
        assert "is taken by a Job of another owner" in status["message"]
        objects.delete("Job", "taken", climate_jobs.namespace, version="batch/v1")
        kubelet.finish(kubelet.await_pod("taken"), ExitCode.DONE, success_message())
        climate_jobs.wait_for("taken", "Succeeded")


class TestAnOperator:
    def test_that_is_killed_loses_and_repeats_nothing(
        self, stopped_operator: OperatorProcess, climate_jobs: ClimateJobs, kubelet: Kubelet
    ) -> None:
        climate_jobs.create("a")
        climate_jobs.create("b")
        climate_jobs.create("c")
        stopped_operator.start()
        pods = {name: kubelet.await_pod(name) for name in "abc"}
        for pod in pods.values():
            kubelet.run(pod)
        for name in "abc":
            climate_jobs.wait_for(name, "Running")
        stopped_operator.kill()
        kubelet.finish(pods["a"], ExitCode.DONE, success_message())
        climate_jobs.patch_spec("b", cancel=True)
        climate_jobs.create("d")
        stopped_operator.start()
        assert climate_jobs.wait_for("a", "Succeeded")["status"]["attempts"] == 1
        climate_jobs.wait_for("b", "Cancelled")
        kubelet.finish(kubelet.await_pod("d"), ExitCode.DONE, success_message())
        climate_jobs.wait_for("d", "Succeeded")
        assert climate_jobs.get("c")["status"]["phase"] == "Running"
        kubelet.finish(pods["c"], ExitCode.DONE, success_message())
        assert climate_jobs.wait_for("c", "Succeeded")["status"]["attempts"] == 1
        assert len(kubelet.pods("c")) == 1

    def test_ends_within_a_second_or_two_when_told_to(
        self, stopped_operator: OperatorProcess, climate_jobs: ClimateJobs
    ) -> None:
        stopped_operator.start()
        climate_jobs.create("job")
        climate_jobs.wait_for("job", "Pending")
        assert stopped_operator.stop() == 0


def foreign_job(name: str) -> Manifest:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {
            "suspend": True,
            "template": {
                "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "example.org/other"}]}
            },
        },
    }
