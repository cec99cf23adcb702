"""A job's log and events while a real pod computes."""

import json

import httpx
import pytest

from climatejobs_demo.installation import Installation
from tests.cluster_objects import ClimateJobs, wait_until
from tests.e2e.conftest import kill_runner

pytestmark = pytest.mark.e2e
ASYNC = {"Prefer": "respond-async", "X-Request-ID": "request-of-the-test"}


def submit(api: httpx.Client, **inputs: object) -> str:
    answer = api.post("/processes/echo/execution", json={"inputs": {"message": "hello", **inputs}}, headers=ASYNC)
    assert answer.status_code == 202, answer.text
    return answer.json()["jobID"]


def test_a_log_is_followed_from_its_first_line_to_the_end_of_the_job(
    api: httpx.Client, climate_jobs: ClimateJobs
) -> None:
    name = submit(api, pause=10)
    climate_jobs.wait_for(name, "Running")
    with api.stream("GET", f"/jobs/{name}/logs?follow=true") as stream:
        assert stream.status_code == 200
        lines = list(stream.iter_lines())
    assert lines[0] == f"job {name}, request request-of-the-test"
    assert any("hello" in line for line in lines), "what is written at the end"
    assert climate_jobs.wait_for(name, "Succeeded")["status"]["attempts"] == 1
    whole = api.get(f"/jobs/{name}/logs")
    assert whole.text.splitlines() == lines
    assert api.get(f"/jobs/{name}/logs?tail=1").text.splitlines() == lines[-1:]
    assert api.get(f"/jobs/{name}/logs?attempt=2").status_code == 404


def test_a_job_that_no_node_can_take_has_no_log_yet(api: httpx.Client, climate_jobs: ClimateJobs) -> None:
    body = {"inputs": {"message": "never said"}, "job": {"resources": {"memory": "900Gi"}}}
    name = api.post("/processes/echo/execution", json=body, headers=ASYNC).json()["jobID"]
    wait_until(lambda: climate_jobs.get(name).get("status", {}).get("jobName"), "its Job to be made", 20)
    early = api.get(f"/jobs/{name}/logs")
    assert (early.status_code, early.json()["type"]) == (404, "urn:climatejobs:error:log-not-ready")
    api.delete(f"/jobs/{name}")
    climate_jobs.wait_for(name, "Cancelled", seconds=20)


def test_what_is_kept_of_a_log_outlives_the_pods(
    api: httpx.Client, installation: Installation, climate_jobs: ClimateJobs
) -> None:
    body = {"inputs": {"message": "never said", "pause": 600}, "job": {"maxAttempts": 1}}
    name = api.post("/processes/echo/execution", json=body, headers=ASYNC).json()["jobID"]
    climate_jobs.wait_for(name, "Running")
    (pod,) = installation.kubectl("get", "pods", f"--selector=climatejobs.io/job={name}", "--output=name").splitlines()
    kill_runner(installation, pod, log="last words\n")
    status = climate_jobs.wait_for(name, "Failed", seconds=30)["status"]
    assert status["logTail"].endswith("last words\n")
    remove_pods(installation, name)
    gone = api.get(f"/jobs/{name}/logs")
    assert (gone.status_code, gone.text) == (200, status["logTail"])


def test_the_log_of_a_job_that_told_its_error_is_gone_with_its_pods(
    api: httpx.Client, installation: Installation, climate_jobs: ClimateJobs
) -> None:
    inputs = {"source_dataset_id": "nowhere", "frequency": "1D", "method": "mean", "start": "2025-01-01"}
    name = api.post("/processes/resample/execution", json={"inputs": inputs}, headers=ASYNC).json()["jobID"]
    climate_jobs.wait_for(name, "Failed")
    live = api.get(f"/jobs/{name}/logs").text
    assert "there is no data set 'nowhere'" in live
    assert "logTail" not in climate_jobs.get(name)["status"]
    remove_pods(installation, name)
    gone = api.get(f"/jobs/{name}/logs")
    assert (gone.status_code, gone.json()["type"]) == (410, "urn:climatejobs:error:log-gone")


def remove_pods(installation: Installation, name: str) -> None:
    installation.kubectl("delete", "job", name, "--wait")
    installation.kubectl("wait", "--for=delete", "pod", f"--selector=climatejobs.io/job={name}", "--timeout=60s")


def test_events_tell_the_whole_life_of_a_job(api: httpx.Client, climate_jobs: ClimateJobs) -> None:
    climate_jobs.create("told", inputs={"message": "hello", "pause": 10}, suspend=True)
    seen: list[str] = []
    with api.stream("GET", "/jobs/told/events") as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                if not seen:  # it begins once somebody listens, who so misses nothing
                    climate_jobs.patch_spec("told", suspend=False)
                seen.append(json.loads(line.removeprefix("data: "))["status"])
    assert list(dict.fromkeys(seen)) == ["accepted", "running", "successful"]


def test_a_follower_who_hangs_up_disturbs_nobody(api: httpx.Client, climate_jobs: ClimateJobs) -> None:
    name = submit(api, pause=600)
    climate_jobs.wait_for(name, "Running")
    for _ in range(60):  # more than may be followed at a time
        with api.stream("GET", f"/jobs/{name}/logs?follow=true") as stream:
            assert next(stream.iter_lines()).startswith(f"job {name}")
    api.delete(f"/jobs/{name}")
    wait_until(lambda: api.get(f"/jobs/{name}").json()["phase"] == "Cancelled", "the job to be stopped", 60)
