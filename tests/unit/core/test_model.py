"""The ClimateJob as it is read from and written to the cluster."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import JsonValue, ValidationError

from climatejobs.model import ClimateJob, ClimateJobSpec, ClimateJobStatus, Phase, Progress, Resources, Subscriber

CREATED = datetime(2025, 3, 1, 12, 0, 5, tzinfo=UTC)


def climate_job(name: str = "job", **annotations: str) -> ClimateJob:
    return ClimateJob.from_manifest(
        {
            "metadata": {
                "name": name,
                "namespace": "default",
                "uid": "u",
                "resourceVersion": "1",
                "creationTimestamp": "2025-03-01T12:00:05Z",
                "annotations": {f"climatejobs.io/{key.replace('_', '-')}": value for key, value in annotations.items()},
                "managedFields": [{"manager": "kubectl"}],
            },
            "spec": {"process": "echo", "inputs": {"message": "hello"}},
        }
    )


def test_a_new_job_is_pending() -> None:
    assert climate_job().phase is Phase.PENDING


def test_order_is_by_submission_then_name() -> None:
    late = climate_job("a", submitted_at="2025-03-01T12:00:05.000002Z")
    early = climate_job("b", submitted_at="2025-03-01T12:00:05.000001Z")
    unstated = climate_job("c")
    assert sorted([late, early, unstated], key=lambda job: job.order_key) == [unstated, early, late]
    assert climate_job("a").order_key < climate_job("b").order_key


@pytest.mark.parametrize("stated", ["yesterday", "2025-02-01T00:00:00Z", "2026-03-01T12:00:05Z"])
def test_a_submission_time_that_cannot_be_true_is_ignored(stated: str) -> None:
    assert climate_job(submitted_at=stated).submitted_at == CREATED


def test_manifest_is_camel_case_in_whole_seconds_without_nulls() -> None:
    status = ClimateJobStatus(
        phase=Phase.RUNNING,
        started_at=CREATED + timedelta(microseconds=7),
        progress=Progress(percent=5),
    )
    assert status.to_manifest() == {
        "phase": "Running",
        "startedAt": "2025-03-01T12:00:05Z",
        "progress": {"percent": 5},
        "conditions": [],
    }


@pytest.mark.parametrize("phase", list(Phase))
def test_three_phases_are_ends(phase: Phase) -> None:
    assert phase.terminal == (phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED))


@pytest.mark.parametrize(
    "spec", [{"maxAttempts": 0}, {"maxAttempts": 11}, {"process": "Re sample"}, {"timeoutSeconds": 0}]
)
def test_spec_has_limits(spec: dict[str, JsonValue]) -> None:
    with pytest.raises(ValidationError):
        ClimateJobSpec.model_validate({"process": "echo", **spec})


def test_quantities_may_be_numbers() -> None:
    assert Resources.model_validate({"cpu": 2, "memory": "1Gi"}).cpu == "2"
    with pytest.raises(ValidationError):
        Resources.model_validate({"memory": "much"})


def test_subscriber_addresses_are_web_addresses() -> None:
    assert Subscriber.model_validate({"successUri": "https://example.org/done"}).success_uri
    with pytest.raises(ValidationError):
        Subscriber.model_validate({"successUri": "file:///etc/passwd"})
