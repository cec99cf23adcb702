"""Clients and validators that others have written, against the API on a real cluster."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from ogcapi_registry import parse_conformance_classes, validate_ogc_api
from owslib.ogcapi.processes import Processes

from tests.cluster_objects import ClimateJobs, ClusterObjects, wait_until
from tests.e2e.conftest import NAMESPACE
from tests.fuzzing.run import fuzz

pytestmark = pytest.mark.e2e


@pytest.fixture
def leftovers(objects: ClusterObjects, climate_jobs: ClimateJobs) -> Iterator[None]:
    """Takes away whatever jobs a test has made: a made-up `echo` may pause for an hour."""
    before = {job["metadata"]["name"] for job in climate_jobs.list()}
    yield
    for job in climate_jobs.list():
        if job["metadata"]["name"] not in before:
            objects.delete("ClimateJob", job["metadata"]["name"], NAMESPACE, version=job["apiVersion"])


def test_owslib_runs_a_process_and_reads_its_result(api: httpx.Client) -> None:
    client = cast(Any, Processes(str(api.base_url.join("/"))))
    assert client.api()["openapi"] == "3.0.3"
    assert [process["id"] for process in client.processes()] == [
        process["id"] for process in api.get("/processes").json()["processes"]
    ]
    assert next(iter(client.process("echo")["inputs"])) == "message"
    answer = client.execute("echo", inputs={"message": "hello"}, async_=True)
    location = client.response_headers["Location"]
    assert location.endswith(f"/jobs/{answer['jobID']}")
    wait_until(lambda: api.get(location).json()["status"] == "successful", "the job to succeed", 60)
    assert api.get(f"{location}/results").json() == {"message": "hello"}

    def execute() -> dict[str, Any] | None:
        answer = client.execute("echo", inputs={"message": "now"}, async_=False)
        return None if "jobID" in answer else answer  # a slow job is answered with itself

    assert wait_until(execute, "an answer with the result", 120) == {"message": "now"}


def test_the_registry_finds_everything_that_is_claimed(api: httpx.Client) -> None:
    classes = parse_conformance_classes(api.get("/conformance").json()["conformsTo"])
    outcome = validate_ogc_api(api.get("/openapi-3.0.json").json(), classes)
    assert outcome.is_valid, outcome.errors


@pytest.mark.usefixtures("leftovers")
def test_schemathesis_finds_nothing(
    api: httpx.Client, climate_jobs: ClimateJobs, synthetic_dataset: str, tmp_path: Path
) -> None:
    for name in ("fuzzed-1", "fuzzed-2"):
        climate_jobs.create(name)
    climate_jobs.create("fuzzed-3", inputs={"message": 5})
    for name in ("fuzzed-1", "fuzzed-2", "fuzzed-3"):
        climate_jobs.wait_for(name, "Succeeded", "Failed")
    jobs = ["fuzzed-1", "fuzzed-2", "fuzzed-3"]
    ids = {"jobId": jobs, "outputId": ["message"], "processID": ["echo"], "dataset_id": [synthetic_dataset]}
    finished = fuzz(str(api.base_url).rstrip("/"), "openapi-3.0.json", tmp_path, ids, examples=8)
    assert finished.returncode == 0, finished.stdout[-8000:]
