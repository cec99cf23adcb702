"""A job's log and events while a real pod computes."""

import httpx
import pytest

from climatejobs_demo.installation import Installation
from tests.cluster_objects import ClimateJobs, wait_until

pytestmark = pytest.mark.e2e
ASYNC = {"Prefer": "respond-async", "X-Request-ID": "request-of-the-test"}


def submit(api: httpx.Client, **inputs: object) -> str:
    answer = api.post("/processes/echo/execution", json={"inputs": {"message": "hello", **inputs}}, headers=ASYNC)
    assert answer.status_code == 202, answer.text
    return answer.json()["jobID"]


def test_a_log_is_followed_from_its_first_line_to_the_end_of_the_job(
    api: httpx.Client, climate_jobs: ClimateJobs
) -> None:
    name = submit(api, pause=3)
    early = api.get(f"/jobs/{name}/logs")
    assert early.status_code == 200 or early.json()["type"] == "urn:climatejobs:error:log-not-ready"
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


def test_what_is_kept_of_a_log_outlives_the_pods(
    api: httpx.Client, installation: Installation, climate_jobs: ClimateJobs
) -> None:
    inputs = {"source_dataset_id": "nowhere", "frequency": "1D", "method": "mean", "start": "2025-01-01"}
    name = api.post("/processes/resample/execution", json={"inputs": inputs}, headers=ASYNC).json()["jobID"]
    climate_jobs.wait_for(name, "Failed")
    live = api.get(f"/jobs/{name}/logs").text
    assert "there is no data set 'nowhere'" in live
    installation.kubectl("delete", "job", name, "--wait")
    installation.kubectl("wait", "--for=delete", "pod", f"--selector=climatejobs.io/job={name}", "--timeout=60s")
    gone = api.get(f"/jobs/{name}/logs")
    kept = climate_jobs.get(name)["status"].get("logTail")
    assert (gone.text == kept) if kept else (gone.status_code == 410)


def test_events_tell_the_whole_life_of_a_job(api: httpx.Client) -> None:
    name = submit(api, pause=2)
    seen: list[str] = []
    with api.stream("GET", f"/jobs/{name}/events") as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                seen += [status for status in ("accepted", "running", "successful") if f'"status":"{status}"' in line]
    assert list(dict.fromkeys(seen)) == ["accepted", "running", "successful"]


def test_a_follower_who_hangs_up_disturbs_nobody(api: httpx.Client, climate_jobs: ClimateJobs) -> None:
    name = submit(api, pause=600)
    climate_jobs.wait_for(name, "Running")
    for _ in range(60):  # more than may be followed at a time
        with api.stream("GET", f"/jobs/{name}/logs?follow=true") as stream:
            assert next(stream.iter_lines()).startswith(f"job {name}")
    api.delete(f"/jobs/{name}")
    wait_until(lambda: api.get(f"/jobs/{name}").json()["phase"] == "Cancelled", "the job to be stopped", 60)
