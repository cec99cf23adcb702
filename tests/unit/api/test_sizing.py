"""A job that does not say what it needs gets what it needs, and one that cannot fit is refused before it starts."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from climatejobs.datasets import Dataset
from climatejobs.errors import TooLarge
from climatejobs.footprints import MIB
from climatejobs.processes import find_process
from climatejobs_api.execution import ExecuteRequest, read_request
from climatejobs_api.settings import Settings
from climatejobs_api.sizing import size_request, source_of
from tests.unit.api.manifests import DATASET, write_dataset
from tests.unit.api.memory_jobs import MemoryJobs

RESAMPLE = find_process("resample")
INPUTS: dict[str, Any] = {
    "source_dataset_id": DATASET["id"],
    "frequency": "1D",
    "method": "mean",
    "start": "1950-01-01",
}


def source(years: int = 1, side: int = 200, steps: int = 168) -> Dataset:
    """Hourly data."""
    lengths = {"time": 8760 * years, "y": side, "x": side}
    coverage = {"start": "2001-01-01T00:00:00Z", "end": f"{2000 + years}-12-31T23:00:00Z"}
    return Dataset.model_validate(
        {**DATASET, "frequency": "1h", "shape": lengths, "chunks": {**lengths, "time": steps}, "coverage": coverage}
    )


def size(dataset: Dataset, job: dict[str, Any] | None = None, **settings: Any) -> ExecuteRequest:
    made = Settings(data=Path("/nowhere"), **settings)
    request = read_request(RESAMPLE, {"inputs": INPUTS, "job": job or {}}, made)
    return size_request(RESAMPLE, request, dataset, made)


def memory(request: ExecuteRequest) -> int:
    assert request.job.resources is not None
    assert request.job.resources.memory is not None
    assert request.job.resources.memory.endswith("Mi")
    return int(request.job.resources.memory.removesuffix("Mi"))


def test_memory_is_what_the_process_says_rounded_up() -> None:
    assert RESAMPLE.measure is not None
    needed = RESAMPLE.measure.footprint(RESAMPLE.validate_inputs(INPUTS), source(), 2).memory
    assert 0 <= memory(size(source())) * MIB - needed < 64 * MIB


def test_longer_data_take_more_pods_and_the_same_memory() -> None:
    one, ten = size(source(1)), size(source(10))
    assert memory(one) == memory(ten)
    assert one.job.parallelism == 1
    assert ten.job.parallelism == 4
    assert size(source(10, 400)).job.parallelism == 14


def test_there_are_never_more_pods_than_the_installation_allows() -> None:
    assert size(source(50, 400), max_parallelism=3).job.parallelism == 3


def test_there_are_never_more_pods_than_the_result_has_chunks() -> None:
    made = Settings(data=Path("/nowhere"))
    request = read_request(RESAMPLE, {"inputs": {**INPUTS, "frequency": "10YS"}}, made)
    assert size_request(RESAMPLE, request, source(50, 400), made).job.parallelism == 1


def test_auto_is_the_same_as_leaving_it_out_and_a_number_is_kept() -> None:
    assert size(source(10), {"parallelism": "auto"}) == size(source(10))
    assert size(source(10), {"parallelism": 7}).job.parallelism == 7


def test_what_a_request_says_is_kept() -> None:
    sized = size(source(), {"resources": {"cpu": "500m", "memory": "8Gi"}, "maxAttempts": 2})
    assert sized.job.resources is not None
    assert (sized.job.resources.cpu, sized.job.resources.memory) == ("500m", "8Gi")
    assert sized.job.max_attempts == 2


def test_too_little_memory_is_refused_with_the_amount_that_is_enough() -> None:
    with pytest.raises(TooLarge) as caught:
        size(source(), {"resources": {"memory": "64Mi"}})
    assert "the request gives it 64Mi" in caught.value.detail
    assert caught.value.hint is not None
    enough = caught.value.hint.removeprefix("Ask for at least ").split()[0]
    assert size(source(), {"resources": {"memory": enough}}).job.resources is not None


def test_what_no_pod_of_the_installation_can_hold_is_refused() -> None:
    with pytest.raises(TooLarge, match="this installation gives a job 1Gi"):
        size(source(1, 2000), max_memory="1Gi")
    assert memory(size(source(), max_memory="4Gi")) <= 4096


def test_a_process_without_a_measure_is_left_alone() -> None:
    echo = find_process("echo")
    assert source_of(echo, read_request(echo, {"message": "x"}, Settings(data=Path("/nowhere")))) is None


async def test_a_submission_reads_the_data_set(client: httpx.AsyncClient, data: Path, jobs: MemoryJobs) -> None:
    write_dataset(data)
    headers = {"Prefer": "respond-async"}
    answer = await client.post("/processes/resample/execution", json={"inputs": INPUTS}, headers=headers)
    job = await jobs.find(answer.json()["jobID"])
    assert job is not None
    assert job.spec.resources is not None
    assert job.spec.resources.memory is not None
    assert job.spec.parallelism == 1
    refused = await client.post(
        "/processes/resample/execution", json={"inputs": INPUTS, "job": {"resources": {"memory": "1Mi"}}}
    )
    assert (refused.status_code, refused.json()["type"]) == (400, "urn:climatejobs:error:too-large")


async def test_a_data_set_that_is_not_there_is_left_to_the_runner(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    headers = {"Prefer": "respond-async"}
    answer = await client.post("/processes/resample/execution", json={"inputs": INPUTS}, headers=headers)
    job = await jobs.find(answer.json()["jobID"])
    assert job is not None
    assert job.spec.resources is None
