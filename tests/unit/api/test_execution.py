from pathlib import Path
from typing import Any

import pytest

from climatejobs.errors import InvalidInput
from climatejobs.processes import find_process
from climatejobs_api.execution import ALPHABET, build_spec, make_name, read_request
from climatejobs_api.settings import Settings

ECHO = find_process("echo")
RESAMPLE = find_process("resample")
SETTINGS = Settings(data=Path("/nowhere"), max_attempts=5, max_memory="4Gi", max_cpu="2", max_timeout_seconds=3600)
GOOD: dict[str, Any] = {"source_dataset_id": "era5", "frequency": "1D", "method": "mean", "start": "2025-02-01"}


def pointers(body: dict[str, Any], process_id: str = "echo") -> set[str]:
    with pytest.raises(InvalidInput) as caught:
        read_request(find_process(process_id), body, SETTINGS)
    return {fault.pointer for fault in caught.value.faults}


def test_flat_and_framed_bodies_mean_the_same() -> None:
    options: dict[str, Any] = {"response": "document", "job": {"maxAttempts": 2}}
    framed = read_request(RESAMPLE, {"inputs": GOOD, **options}, SETTINGS)
    flat = read_request(RESAMPLE, {**GOOD, **options}, SETTINGS)
    assert flat == framed
    assert flat.inputs == GOOD


def test_pointers_lead_into_the_body_as_it_was_sent() -> None:
    assert pointers({"inputs": {"message": "x", "foo": 1}}) == {"/inputs/foo"}
    assert pointers({"message": "x", "foo": 1}) == {"/foo"}
    assert pointers({}) == {"/message"}


@pytest.mark.parametrize("inputs", [None, 5, "x", []])
def test_inputs_that_are_no_object_are_refused(inputs: object) -> None:
    assert pointers({"inputs": inputs, "message": "x"}) == {"/inputs"}


@pytest.mark.parametrize(
    ("job", "pointer"),
    [
        ({"maxAttempts": 6}, "/job/maxAttempts"),
        ({"maxAttempts": 0}, "/job/maxAttempts"),
        ({"maxAttempts": True}, "/job/maxAttempts"),
        ({"maxAttempts": "2"}, "/job/maxAttempts"),
        ({"timeoutSeconds": 3601}, "/job/timeoutSeconds"),
        ({"priority": 101}, "/job/priority"),
        ({"parallelism": 17}, "/job/parallelism"),
        ({"ttlSecondsAfterFinished": 2592001}, "/job/ttlSecondsAfterFinished"),
        ({"resources": {"memory": "4097Mi"}}, "/job/resources/memory"),
        ({"resources": {"cpu": "2001m"}}, "/job/resources/cpu"),
        ({"resources": {"memory": "lots"}}, "/job/resources/memory"),
        ({"resources": {"mem": "1Gi"}}, "/job/resources/mem"),
        ({"maxAttempt": 2}, "/job/maxAttempt"),
        (5, "/job"),
    ],
)
def test_options_of_the_job_are_bounded(job: object, pointer: str) -> None:
    assert pointers({"inputs": {"message": "x"}, "job": job}) == {pointer}


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"outputs": {"nothing": {}}}, "/outputs/nothing"),
        ({"outputs": {"a/b~": {}}}, "/outputs/a~1b~0"),
        ({"outputs": {"message": {"transmissionMode": "carrier-pigeon"}}}, "/outputs/message/transmissionMode"),
        ({"outputs": ["message"]}, "/outputs"),
        ({"response": "html"}, "/response"),
        ({"subscriber": {"successUri": "ftp://x"}}, "/subscriber/successUri"),
        ({"subscriber": {"successUrl": "https://example.org/"}}, "/subscriber/successUrl"),
    ],
)
def test_the_rest_of_the_frame_is_checked(members: dict[str, Any], pointer: str) -> None:
    assert pointers({"inputs": {"message": "x"}, **members}) == {pointer}


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"job": None}, "/job: must be an object, not null"),
        ({"job": {"resources": {"memory": "lots"}}}, "must be a quantity such as 500m, 2 or 4Gi, not 'lots'"),
        ({"job": {"retries": 2}}, "there is no such member; there are maxAttempts, timeoutSeconds"),
        ({"subscriber": {"successUri": "nowhere"}}, "must be an http or https address, not 'nowhere'"),
        ({"subscriber": {"success": "https://example.org/"}}, "there are successUri, inProgressUri, failedUri"),
    ],
)
def test_faults_of_the_frame_are_told_in_words(members: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_request(ECHO, {"inputs": {"message": "x"}, **members}, SETTINGS)
    assert words in caught.value.detail


def test_the_spec_holds_what_was_asked() -> None:
    request = read_request(
        ECHO,
        {
            "inputs": {"message": "x"},
            "outputs": {"message": {"transmissionMode": "reference"}},
            "response": "raw",
            "subscriber": {"successUri": "http://example.org/done"},
            "job": {"maxAttempts": 4, "resources": {"memory": "4Gi", "cpu": "500m"}, "ttlSecondsAfterFinished": 60},
        },
        SETTINGS,
    )
    manifest = build_spec(ECHO, request, SETTINGS).to_manifest()
    assert manifest["outputs"] == {"message": {"transmissionMode": "reference"}}
    assert manifest["response"] == "raw"
    assert manifest["subscriber"] == {"successUri": "http://example.org/done"}
    assert manifest["resources"] == {"memory": "4Gi", "cpu": "500m"}
    assert (manifest["maxAttempts"], manifest["ttlSecondsAfterFinished"]) == (4, 60)


def test_defaults_stay_within_the_maxima() -> None:
    spec = build_spec(ECHO, read_request(ECHO, {"message": "x"}, SETTINGS), SETTINGS)
    assert (spec.max_attempts, spec.timeout_seconds) == (3, 3600)


def test_empty_outputs_are_all_outputs() -> None:
    request = read_request(ECHO, {"inputs": {"message": "x"}, "outputs": {}}, SETTINGS)
    assert build_spec(ECHO, request, SETTINGS).outputs is None


@pytest.mark.parametrize("process_id", ["echo", "zonal_stats", "a" * 63, "x" * 40 + "_" * 5 + "y"])
def test_names_are_short_labels(process_id: str) -> None:
    name = make_name(process_id, lambda characters: characters[-1])
    assert len(name) <= 52
    assert name.endswith("-" + ALPHABET[-1] * 10)
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert "--" not in name[-12:]
