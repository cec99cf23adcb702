"""The words of the command line."""

import pytest

from climatejobs_cluster.cli import parse


def test_the_name_may_stand_on_either_side_of_the_subcommand():
    assert parse(["--name", "tests", "status"]).name == "tests"
    assert parse(["status", "--name", "tests"]).name == "tests"
    assert parse(["status"]).name == "demo"


def test_exec_leaves_the_program_its_own_options():
    options = parse(["--name", "x", "exec", "--", "kubectl", "--name", "y", "--", "-v"])
    assert options.name == "x"
    assert options.words == ["kubectl", "--name", "y", "--", "-v"]


def test_exec_works_with_plain_words():
    assert parse(["exec", "kubectl", "version"]).words == ["kubectl", "version"]


def test_exec_may_run_a_program_that_is_named_like_an_option():
    assert parse(["exec", "--", "--version"]).words == ["--version"]


@pytest.mark.parametrize(
    "words",
    [
        ["up", "--no-job-controller"],
        ["up", "--provider", "minikube"],
        ["forward", "web"],
        ["forward", "--port", "8080"],
        ["exec"],
        ["exec", "--"],
        ["load"],
        [],
    ],
)
def test_incomplete_words_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as refusal:
        parse(words)
    assert refusal.value.code == 2
    assert "usage: cluster" in capsys.readouterr().err


def test_forward_can_be_stopped_without_naming_a_service():
    assert parse(["forward", "--stop"]).stop
    assert parse(["forward", "--stop", "--port", "8080"]).port == 8080
