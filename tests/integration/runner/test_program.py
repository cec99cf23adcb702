"""The program as the operator and a person meet it: options, environment, result document, exit status."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.integration.runner.conftest import Runner, weather, write_netcdf


@pytest.fixture
def source(runner: Runner, tmp_path: Path) -> str:
    runner.bring(write_netcdf(tmp_path / "t2m.nc", weather(48), np.arange(48)), "source")
    return "source"


def echo(runner: Runner, **inputs: object) -> dict[str, object]:
    path = runner.data.parent / "inputs.json"
    path.write_text(json.dumps(inputs))
    answer = runner("run", "--process", "echo", "--inputs", path, CLIMATEJOBS_JOB_UID="uid-1")
    assert answer.status == 0, answer.document
    return answer.document["outputs"]


def test_everything_can_come_from_the_environment(runner: Runner, source: str) -> None:
    result = runner.data.parent / "termination-log"
    process = runner.start(
        "run",
        CLIMATEJOBS_PROCESS="resample",
        CLIMATEJOBS_INPUTS=json.dumps(
            {"source_dataset_id": source, "frequency": "1D", "method": "mean", "start": "2025-01-01"}
        ),
        CLIMATEJOBS_DATA=str(runner.data),
        CLIMATEJOBS_RESULT=str(result),
        CLIMATEJOBS_JOB_UID="job",
        CLIMATEJOBS_POD_UID="pod",
        CLIMATEJOBS_JOB_NAME="resample-1",
        CLIMATEJOBS_REQUEST_ID="r-1\nr-2",
        CLIMATEJOBS_MEMORY_LIMIT=str(2**30),
    )
    output, log = process.communicate(timeout=120)
    assert process.returncode == 0, log
    assert json.loads(result.read_text())["outputs"]["dataset"]["id"] == "source_1d_mean"
    assert '"source_1d_mean"' in output
    assert "(100 %, 48 of 48 steps)" in log
    assert log.startswith("job resample-1, request 'r-1\\nr-2'\n")


def test_a_failure_is_told_in_words_and_in_the_result(runner: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    answer = runner.resample("nowhere", "1D")
    assert answer.status == 65
    assert answer.error == {
        "type": "urn:climatejobs:error:no-such-dataset",
        "title": "No such data set",
        "detail": "there is no data set 'nowhere'",
        "hint": "The data root holds no data set yet; climatejobs-runner import brings one in.",
    }
    assert "No such data set: there is no data set 'nowhere'.\nThe data root holds" in capsys.readouterr().err


def test_an_unknown_data_set_is_answered_with_those_there_are(runner: Runner, source: str) -> None:
    assert runner.resample("sauce", "1D").error["hint"] == f"Data sets are: {source}."


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("run",), "--process ID is missing"),
        (("run", "--process", "resampel"), "there is no process 'resampel'"),
        (("run", "--process", "resample"), "--inputs FILE.json is missing"),
        (("run", "--process", "resample", "--inputs", "/nowhere.json"), "/nowhere.json cannot be read"),
    ],
)
def test_a_command_that_cannot_be_carried_out_says_why(
    runner: Runner, arguments: tuple[str, ...], complaint: str
) -> None:
    answer = runner(*arguments)
    assert answer.status == 65
    assert complaint in answer.error["detail"]


@pytest.mark.parametrize(("text", "complaint"), [("{", "are not JSON"), ("[]", "are not a JSON object")])
def test_inputs_have_to_be_a_json_object(runner: Runner, text: str, complaint: str) -> None:
    answer = runner("run", CLIMATEJOBS_PROCESS="echo", CLIMATEJOBS_INPUTS=text)
    assert answer.status == 65
    assert complaint in answer.error["detail"]


def test_a_data_root_that_is_not_there_is_named(tmp_path: Path) -> None:
    answer = Runner(tmp_path / "nowhere").resample("source", "1D")
    assert answer.status == 65
    assert "there is no data root at" in answer.error["detail"]


def test_a_file_system_fault_is_worth_another_attempt(runner: Runner, source: str) -> None:
    # A file where a folder is expected: what a storage fault looks like without one.
    (runner.data / "datasets" / "source_1d_mean").write_text("")
    answer = runner.resample(source, "1D")
    assert answer.status == 75
    assert answer.error["type"] == "urn:climatejobs:error:temporary"


def test_too_little_memory_is_refused_before_anything_is_computed(runner: Runner, source: str) -> None:
    inputs = runner.write_inputs(source_dataset_id=source, frequency="1D", method="mean")
    answer = runner("run", "--process", "resample", "--inputs", inputs, CLIMATEJOBS_MEMORY_LIMIT=str(64 * 2**20))
    assert answer.status == 65
    assert answer.error["type"] == "urn:climatejobs:error:too-large"
    assert "this job may use 64 MiB" in answer.error["detail"]
    assert "Mi in resources.memory" in answer.error["hint"]
    assert not (runner.data / "datasets" / "source_1d_mean").exists()


def test_a_symbolic_link_is_not_followed(runner: Runner, source: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (runner.data / "datasets" / source).rename(elsewhere)
    (runner.data / "datasets" / source).symlink_to(elsewhere)
    answer = runner.resample(source, "1D")
    assert answer.status == 65
    assert "symbolic link" in answer.error["detail"]


@pytest.mark.parametrize("name", ["t2m/c/0/0/0", "t2m/c/0", "t2m", "time/c/0", "zarr.json"])
@pytest.mark.parametrize("there", [True, False], ids=["to what is there", "to nothing"])
def test_a_symbolic_link_in_a_store_is_not_followed(runner: Runner, source: str, name: str, *, there: bool) -> None:
    (store,) = (runner.data / "datasets" / source).glob("versions/*.zarr")
    elsewhere = runner.data.parent / "elsewhere"
    link = store / name
    if there:
        link.rename(elsewhere)
    elif link.is_dir():
        shutil.rmtree(link)
    else:
        link.unlink()
    link.symlink_to(elsewhere)
    answer = runner.resample(source, "1D")
    assert answer.status == 65
    assert name in answer.error["detail"]
    assert "leads through a symbolic link" in answer.error["detail"]


def test_a_pointer_that_leads_elsewhere_is_not_followed(runner: Runner, source: str) -> None:
    path = runner.data / "datasets" / source / "dataset.json"
    path.write_text(json.dumps({**runner.pointer(source), "version": "../../../secret"}))
    answer = runner.resample(source, "1D")
    assert answer.status == 65
    assert "is not a description of a data set" in answer.error["detail"]


def test_a_version_that_is_gone_is_named(runner: Runner, source: str) -> None:
    path = runner.data / "datasets" / source / "dataset.json"
    path.write_text(json.dumps({**runner.pointer(source), "version": "0" * 32}))
    answer = runner.resample(source, "1D")
    assert answer.status == 65
    assert "0" * 32 in answer.error["detail"]


def test_echo_gives_back_what_it_was_given(runner: Runner) -> None:
    inputs = {
        "message": "hello",
        "numbers": [1, 2],
        "area": {"bbox": [1.0, 2.0, 3.0, 4.0]},
        "document": {"value": "<a/>", "mediaType": "application/xml"},
    }
    assert echo(runner, **inputs, pause=0) == inputs


def test_small_outputs_travel_in_the_result_document(runner: Runner) -> None:
    assert echo(runner, message="hello") == {"message": "hello"}
    assert not (runner.data / "results").exists()


def test_a_large_output_is_kept_as_a_file(runner: Runner) -> None:
    message = "é" * 3000
    outputs = echo(runner, message=message, numbers=[1])
    assert outputs == {
        "message": {
            "kind": "stored-value",
            "file": "results/uid-1/message",
            "media_type": "application/json",
            "size": 6002,
        },
        "numbers": [1],
    }
    assert json.loads((runner.data / "results" / "uid-1" / "message").read_text()) == message


def test_several_outputs_together_fit_a_termination_message(runner: Runner) -> None:
    inputs = {"message": "m" * 1800, "numbers": [1000] * 300, "document": "d" * 1900}
    outputs = echo(runner, **inputs)
    assert len((runner.data.parent / "result.json").read_bytes()) <= 4096
    kept = [name for name, value in outputs.items() if isinstance(value, dict)]
    assert kept
    for name in kept:
        assert json.loads((runner.data / "results" / "uid-1" / name).read_text()) == inputs[name]
