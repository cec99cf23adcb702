"""The Job that is made: fixed whole by a golden file, and valid by the schemas of Kubernetes."""

import json
from pathlib import Path
from typing import Any, cast

import kubernetes_validate
import pytest
import yaml

from climatejobs import names
from climatejobs.names import Environment
from climatejobs_operator.actions import CreateJob
from climatejobs_operator.job_manifest import Manifest, build_job, lay_over, memory_limit
from climatejobs_operator.settings import Settings
from tests.unit.operator.builders import SETTINGS, make_climatejob

GOLDEN = Path(__file__).with_name("golden_job.yaml")
FIRST = CreateJob(attempts_before=0, deadline_seconds=21600)
KUBERNETES = ("1.34", "1.35")


def build(settings: Settings = SETTINGS, create: CreateJob = FIRST, **spec: Any) -> dict[str, object]:
    """As JSON would give it back."""
    return json.loads(json.dumps(build_job(make_climatejob(**spec), create, settings)))


def test_the_job_is_the_golden_one() -> None:
    assert build() == yaml.safe_load(GOLDEN.read_text())


@pytest.mark.parametrize("version", KUBERNETES)
def test_the_job_is_valid(version: str) -> None:
    kubernetes_validate.validate(build(), version, strict=True)


def test_a_later_job_has_what_is_left() -> None:
    spec = build_job(make_climatejob(maxAttempts=5), CreateJob(attempts_before=3, deadline_seconds=77), SETTINGS)[
        "spec"
    ]
    assert isinstance(spec, dict)
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (1, 77)


def test_a_shared_computation_has_a_pod_for_each_share_with_attempts_of_its_own() -> None:
    job = build(create=CreateJob(attempts_before=1, deadline_seconds=77), parallelism=4, maxAttempts=3)
    for version in KUBERNETES:
        kubernetes_validate.validate(job, version, strict=True)
    spec = cast(Manifest, job["spec"])
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 4, 4)
    assert (spec["backoffLimitPerIndex"], spec["maxFailedIndexes"], "backoffLimit" in spec) == (1, 0, False)
    text = json.dumps(job)
    assert '{"name": "CLIMATEJOBS_SHARDS", "value": "4"}' in text
    assert "metadata.annotations['batch.kubernetes.io/job-completion-index']" in text


def test_the_runner_gets_the_inputs_as_they_are_even_with_dollars() -> None:
    inputs = {"message": "$(CLIMATEJOBS_DATA) costs $$5 ä"}
    environment = json.dumps(build(inputs=inputs), ensure_ascii=False)
    assert "$$(CLIMATEJOBS_DATA) costs $$$$5 ä" in environment


def test_the_jobs_own_resources_win() -> None:
    asked = make_climatejob(resources={"memory": "4Gi"})
    assert memory_limit(asked, SETTINGS) == "4Gi"
    text = json.dumps(build_job(asked, FIRST, SETTINGS))
    assert text.count('{"cpu": "1", "memory": "4Gi"}') == 2


def test_the_installation_lays_over_the_pod() -> None:
    toleration = {"key": "spot", "operator": "Exists"}
    settings = SETTINGS.model_copy(
        update={"runner_pod": {"tolerations": [toleration], "nodeSelector": {"disk": "fast"}}}
    )
    job = build(settings)
    kubernetes_validate.validate(job, KUBERNETES[0], strict=True)
    text = json.dumps(job)
    assert '"nodeSelector": {"disk": "fast"}' in text
    assert '"key": "spot"' in text
    assert "node.kubernetes.io/unreachable" in text


def test_laying_over_merges_objects_joins_lists_and_replaces_the_rest() -> None:
    base: Manifest = {"a": {"x": 1, "y": 1}, "b": [1], "c": 1}
    assert lay_over(base, {"a": {"y": 2}, "b": [2], "c": 2, "d": 3}) == {
        "a": {"x": 1, "y": 2},
        "b": [1, 2],
        "c": 2,
        "d": 3,
    }


def test_every_variable_of_the_contract_is_set() -> None:
    text = json.dumps(build())
    sometimes = {
        Environment.SHARDS,
        Environment.SHARD,
        Environment.REQUEST_ID,
        Environment.REPORT_URL,
        Environment.REPORT_TOKEN,
    }
    assert all(f'"name": "{name}"' in text for name in set(Environment) - sometimes)


def test_the_runner_is_told_which_request_made_the_job() -> None:
    climatejob = make_climatejob()
    annotations = {names.ANNOTATION_REQUEST_ID: "r-$1" + "x" * 1000}
    climatejob = climatejob.model_copy(
        update={"metadata": climatejob.metadata.model_copy(update={"annotations": annotations})}
    )
    text = json.dumps(build_job(climatejob, FIRST, SETTINGS))
    assert f'{{"name": "{Environment.REQUEST_ID}", "value": "r-$$1{"x" * 124}"}}' in text


@pytest.mark.parametrize("version", KUBERNETES)
def test_data_in_a_bucket_take_no_volume(version: str) -> None:
    bucket = {"data_claim": None, "data_bucket": "s3://climate/data", "data_secret": "keys"}
    settings = Settings.model_validate({**SETTINGS.model_dump(exclude={"runner_pod"}), **bucket})
    job = build(settings)
    kubernetes_validate.validate(job, version, strict=True)
    text = json.dumps(job)
    assert "persistentVolumeClaim" not in text
    assert '"mountPath": "/data"' not in text
    assert '{"name": "CLIMATEJOBS_DATA", "value": "s3://climate/data"}' in text
    assert '"secretKeyRef": {"name": "keys", "key": "AWS_SECRET_ACCESS_KEY"}' in text
    assert '{"name": "AWS_REGION", "value": "us-east-1"}' in text
    assert "AWS_ENDPOINT_URL" not in text
