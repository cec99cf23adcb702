"""Clients and validators that others have written, against the real program and a real API server."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, cast

import httpx
import pytest
from ogcapi_registry import parse_conformance_classes, validate_ogc_api
from owslib.ogcapi.processes import Processes

from climatejobs.processes import PROCESSES
from tests.cluster_objects import ClimateJobs
from tests.fuzzing.run import fuzz
from tests.integration.api.conftest import Replica, StartReplica
from tests.integration.conftest import ControlPlane
from tests.unit.api.manifests import DATASET, write_dataset

pytestmark = pytest.mark.integration
ENDS = (
    {"phase": "Succeeded", "results": {"message": "hello"}},
    {"phase": "Failed", "message": "No data.", "logTail": "the end\n"},
    {"phase": "Running"},
)


class ProcessesClient(Protocol):
    """What is used of OWSLib's client, which names no types."""

    response_headers: Mapping[str, str]

    def conformance(self) -> Mapping[str, Any]: ...

    def api(self) -> Mapping[str, Any]: ...

    def processes(self) -> Sequence[Mapping[str, Any]]: ...

    def process(self, process_id: str) -> Mapping[str, Any]: ...

    def execute(self, process_id: str, inputs: Mapping[str, Any], *, async_: bool) -> Mapping[str, Any]: ...


def test_owslib_finds_and_runs_a_process(start: StartReplica, climate_jobs: ClimateJobs) -> None:
    with start(strict=True, sync_wait_seconds=0) as api:
        client = cast(ProcessesClient, Processes(f"{api.url}/"))
        assert client.conformance()["conformsTo"]
        assert client.api()["openapi"] == "3.0.3"
        assert [process["id"] for process in client.processes()] == list(PROCESSES)
        assert next(iter(client.process("echo")["inputs"])) == "message"
        answer = client.execute("echo", inputs={"message": "hello"}, async_=True)
        assert client.response_headers["Location"] == f"{api.url}/jobs/{answer['jobID']}"
        assert climate_jobs.get(answer["jobID"])["spec"]["inputs"] == {"message": "hello"}
        assert httpx.get(client.response_headers["Location"], timeout=30).json()["status"] == "accepted"


@pytest.mark.parametrize("strict", [True, False])
def test_the_registry_finds_everything_that_is_claimed(start: StartReplica, strict: bool) -> None:
    with start(strict=strict) as api:
        classes = parse_conformance_classes(api.http.get("/conformance").json()["conformsTo"])
        outcome = validate_ogc_api(api.http.get("/openapi-3.0.json").json(), classes)
        assert outcome.is_valid, outcome.errors


@pytest.mark.parametrize("definition", ["openapi.json", "openapi-3.0.json"])
def test_schemathesis_finds_nothing(
    start: StartReplica, control_plane: ControlPlane, climate_jobs: ClimateJobs, tmp_path: Path, definition: str
) -> None:
    write_dataset(tmp_path)
    with start(sync_wait_seconds=0, stream_seconds=0.1) as api:
        jobs = [api.submit() for _ in range(3)]
        for name, status in zip(jobs, ENDS, strict=True):
            control_plane.objects.replace_status({**climate_jobs.get(name), "status": status})
        ids = {"jobId": jobs, "outputId": ["message"], "processID": ["echo"], "dataset_id": [DATASET["id"]]}
        finished = fuzz(api.url, definition, tmp_path, ids)
    assert finished.returncode == 0, finished.stdout[-8000:]


def test_the_same_key_at_two_replicas_makes_one_job(start: StartReplica, climate_jobs: ClimateJobs) -> None:
    def submit(replica: Replica, message: str) -> httpx.Response:
        headers = {"Prefer": "respond-async", "Idempotency-Key": "once"}
        return replica.http.post("/processes/echo/execution", json={"message": message}, headers=headers)

    with start() as one, start() as two:
        first, second = submit(one, "hello"), submit(two, "hello")
        assert first.status_code == second.status_code == 202
        assert first.json()["jobID"] == second.json()["jobID"]
        assert submit(two, "other").status_code == 409
        assert climate_jobs.get(first.json()["jobID"])["metadata"]["annotations"]["climatejobs.io/request-digest"]
        assert len(climate_jobs.list()) == 1


def test_the_same_key_at_two_replicas_at_once_makes_one_job(start: StartReplica, climate_jobs: ClimateJobs) -> None:
    def submit(replica: Replica, key: str) -> httpx.Response:
        headers = {"Prefer": "respond-async", "Idempotency-Key": key}
        return httpx.post(
            f"{replica.url}/processes/echo/execution", json={"message": "hello"}, headers=headers, timeout=30
        )

    with start() as one, start() as two, ThreadPoolExecutor(8) as pool:
        for number in range(5):
            sent = [pool.submit(submit, replica, f"key-{number}") for replica in (one, two) * 4]
            answers = [each.result(60) for each in sent]
            assert {answer.status_code for answer in answers} == {202}
            assert len({answer.json()["jobID"] for answer in answers}) == 1
    assert len(climate_jobs.list()) == 5
