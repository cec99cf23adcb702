"""The life of a job with real pods: kubectl's view, failure, cancellation, and an operator that is killed."""

import httpx
import pytest

from climatejobs_demo.installation import Installation
from tests.cluster_objects import ClimateJobs, ClusterObjects, Manifest, wait_until
from tests.e2e.conftest import NAMESPACE, find_leftovers

pytestmark = pytest.mark.e2e


def pods_of(objects: ClusterObjects, name: str) -> list[str]:
    pods = objects.list("Pod", NAMESPACE, label_selector=f"climatejobs.io/job={name}")
    return [pod["metadata"]["name"] for pod in pods]


def container_states(pod: Manifest) -> list[Manifest]:
    containers: list[Manifest] = pod["status"].get("containerStatuses") or []
    return [container["state"] for container in containers]


def test_a_job_made_with_kubectl_succeeds(installation: Installation, climate_jobs: ClimateJobs) -> None:
    climate_jobs.create("by-kubectl", inputs={"message": "good morning"})
    job = climate_jobs.wait_for("by-kubectl", "Succeeded", "Failed")
    assert job["status"]["phase"] == "Succeeded", job["status"]
    assert job["status"]["results"] == {"message": "good morning"}
    installation.kubectl("wait", "--for=condition=Finished", "cjob/by-kubectl", "--timeout=5s")


def test_kubectl_shows_the_columns_that_matter(installation: Installation, climate_jobs: ClimateJobs) -> None:
    climate_jobs.create("columns")
    climate_jobs.wait_for("columns", "Succeeded")
    header, row = installation.kubectl("get", "climatejobs", "columns").splitlines()
    assert header.split() == ["NAME", "PROCESS", "PHASE", "PROGRESS", "ATTEMPTS", "AGE"]
    assert row.split()[:5] == ["columns", "echo", "Succeeded", "100", "1"]
    wide = installation.kubectl("get", "cjob", "columns", "-o", "wide").splitlines()[0].split()
    assert wide[6:] == ["MESSAGE", "STARTED", "FINISHED", "JOB"]


def test_bad_input_from_kubectl_fails_without_a_pod(objects: ClusterObjects, climate_jobs: ClimateJobs) -> None:
    climate_jobs.create("bad-input", process="resample", inputs={"method": "average"})
    status = climate_jobs.wait_for("bad-input", "Failed")["status"]
    assert status["error"]["type"] == "urn:climatejobs:error:invalid-input"
    assert "/inputs/method" in status["error"]["detail"]
    assert pods_of(objects, "bad-input") == []


def test_a_missing_data_set_fails_at_once_and_says_so(api: httpx.Client, climate_jobs: ClimateJobs) -> None:
    inputs = {"source_dataset_id": "nowhere", "frequency": "1D", "method": "mean", "start": "2025-01-01"}
    answer = api.post("/processes/resample/execution", json={"inputs": inputs}, headers={"Prefer": "respond-async"})
    job_id = answer.json()["jobID"]
    status = climate_jobs.wait_for(job_id, "Failed")["status"]
    assert status["attempts"] == 1
    assert status["error"]["type"] == "urn:climatejobs:error:no-such-dataset"
    assert "nowhere" in status["error"]["detail"]
    results = api.get(f"/jobs/{job_id}/results")
    assert results.status_code == 400
    assert results.json()["type"] == status["error"]["type"]


def test_a_cancelled_job_leaves_no_pod(api: httpx.Client, objects: ClusterObjects, climate_jobs: ClimateJobs) -> None:
    inputs = {"message": "never said", "pause": 600}
    answer = api.post("/processes/echo/execution", json={"inputs": inputs}, headers={"Prefer": "respond-async"})
    job_id = answer.json()["jobID"]
    climate_jobs.wait_for(job_id, "Running")
    dismissed = api.delete(f"/jobs/{job_id}")
    assert (dismissed.status_code, dismissed.json()["status"]) == (200, "dismissed")
    climate_jobs.wait_for(job_id, "Cancelled", seconds=20)
    pods = objects.list("Pod", NAMESPACE, label_selector=f"climatejobs.io/job={job_id}")
    assert all("running" not in state for pod in pods for state in container_states(pod)), "something still runs"
    wait_until(lambda: not pods_of(objects, job_id), f"the pods of {job_id} to be gone", 30)
    wait_until(lambda: api.get(f"/jobs/{job_id}").json()["phase"] == "Cancelled", "REST to tell of it", 30)
    assert api.delete(f"/jobs/{job_id}").status_code == 200
    assert api.get(f"/jobs/{job_id}").status_code == 404


def test_a_deleted_climatejob_takes_all_of_its_own_along(
    installation: Installation, objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    climate_jobs.create("deleted", inputs={"message": "never said", "pause": 600})
    climate_jobs.wait_for("deleted", "Running")
    assert len(find_leftovers(objects, NAMESPACE, "deleted")) == 2
    installation.kubectl("delete", "climatejob", "deleted")
    wait_until(lambda: not find_leftovers(objects, NAMESPACE, "deleted"), "Job and pod to be gone", 20)
    assert "deleted" not in {job["metadata"]["name"] for job in climate_jobs.list()}


def test_killing_the_operator_costs_nothing(
    installation: Installation, objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    climate_jobs.create("survivor", inputs={"message": "still here", "pause": 8})
    climate_jobs.wait_for("survivor", "Running")
    before = pods_of(objects, "survivor")
    selector = "app.kubernetes.io/component=operator"
    installation.kubectl("delete", "pod", "--selector", selector, "--grace-period=0", "--force", "--wait=false")
    status = climate_jobs.wait_for("survivor", "Succeeded", "Failed")["status"]
    assert (status["phase"], status["attempts"]) == ("Succeeded", 1)
    assert status["results"] == {"message": "still here"}
    assert pods_of(objects, "survivor") == before


def test_a_synchronous_request_waits_for_its_result(api: httpx.Client) -> None:
    def execute() -> httpx.Response | None:
        answer = api.post("/processes/echo/execution", json={"inputs": {"message": "now"}, "response": "document"})
        return None if answer.status_code == 202 else answer  # which is what a slow job is answered with

    answer = wait_until(execute, "an answer with the result", 120)
    assert (answer.status_code, answer.json()) == (200, {"message": "now"})


def test_bad_input_over_rest_creates_nothing(api: httpx.Client, climate_jobs: ClimateJobs) -> None:
    before = {job["metadata"]["name"] for job in climate_jobs.list()}
    answer = api.post("/processes/resample/execution", json={"inputs": {"frequency": "1X"}})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert "/inputs/frequency" in {error["pointer"] for error in answer.json()["errors"]}
    assert {job["metadata"]["name"] for job in climate_jobs.list()} == before


def test_a_failed_attempt_is_retried(objects: ClusterObjects, climate_jobs: ClimateJobs) -> None:
    climate_jobs.create("retried", inputs={"message": "at last", "pause": 12}, maxAttempts=2)
    climate_jobs.wait_for("retried", "Running")
    (pod,) = pods_of(objects, "retried")
    objects.delete("Pod", pod, NAMESPACE, grace_seconds=1)
    climate_jobs.wait_for("retried", "Retrying")
    status = climate_jobs.wait_for("retried", "Succeeded", "Failed", seconds=90)["status"]
    assert (status["phase"], status["attempts"]) == ("Succeeded", 2)


def test_a_suspended_job_stops_and_goes_on_at_the_same_attempt(
    objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    climate_jobs.create("held", inputs={"message": "patience", "pause": 12})
    climate_jobs.wait_for("held", "Running")
    (first,) = pods_of(objects, "held")
    climate_jobs.patch_spec("held", suspend=True)
    climate_jobs.wait_for("held", "Suspended", seconds=20)
    pods = objects.list("Pod", NAMESPACE, label_selector="climatejobs.io/job=held")
    assert all("running" not in state for pod in pods for state in container_states(pod)), "something still runs"
    climate_jobs.patch_spec("held", suspend=False)
    status = climate_jobs.wait_for("held", "Succeeded", "Failed", seconds=60)["status"]
    assert (status["phase"], status["attempts"]) == ("Succeeded", 1)
    assert first not in pods_of(objects, "held")


def test_a_job_is_cancelled_from_between_two_attempts_and_from_a_suspension(
    api: httpx.Client, objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    for name in ("between", "paused"):
        climate_jobs.create(name, inputs={"message": "never said", "pause": 600}, resources={"cpu": "50m"})
    climate_jobs.wait_for("between", "Running")
    climate_jobs.wait_for("paused", "Running")
    (pod,) = pods_of(objects, "between")
    objects.delete("Pod", pod, NAMESPACE, grace_seconds=1)
    climate_jobs.patch_spec("paused", suspend=True)
    climate_jobs.wait_for("between", "Retrying", seconds=20)
    climate_jobs.wait_for("paused", "Suspended", seconds=20)
    for name in ("between", "paused"):
        assert api.delete(f"/jobs/{name}").json()["status"] == "dismissed"
    for name in ("between", "paused"):
        climate_jobs.wait_for(name, "Cancelled", seconds=20)
        wait_until(lambda name=name: not find_leftovers(objects, NAMESPACE, name), f"nothing of {name} to be left", 20)


def test_a_job_that_takes_too_long_is_stopped_and_says_so(objects: ClusterObjects, climate_jobs: ClimateJobs) -> None:
    climate_jobs.create("overdue", inputs={"message": "never said", "pause": 600}, timeoutSeconds=25)
    status = climate_jobs.wait_for("overdue", "Failed", seconds=60)["status"]
    assert status["attempts"] == 1
    assert status["error"]["type"] == "urn:climatejobs:error:deadline-exceeded"
    assert status["error"]["detail"] == "the job did not end within 25 s (timeoutSeconds)"
    assert "timeoutSeconds" in status["error"]["hint"]
    wait_until(lambda: not pods_of(objects, "overdue"), "its pod to be gone", 20)


def test_the_chart_s_own_test_passes(installation: Installation) -> None:
    said = installation.cluster.helm("test", "climatejobs", "--namespace", NAMESPACE, "--timeout", "2m")
    assert "Succeeded" in said
