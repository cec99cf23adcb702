"""From the state of a pod to a sentence: cause, evidence, what to do."""

from pathlib import Path

import pytest

from climatejobs.errors import NoData
from climatejobs.results import ResultDocument, describe_error
from climatejobs_operator.error_details import Kind
from climatejobs_operator.failure import (
    describe_attempt,
    describe_deadline,
    double_quantity,
    format_duration,
    read_log_tail,
)
from climatejobs_operator.pods import Pod
from tests.unit.operator.builders import ended_pod, make_pod


@pytest.mark.parametrize(
    ("pod", "kind", "words"),
    [
        (ended_pod(exit_code=137, reason="OOMKilled"), "out-of-memory", "needed more than 512Mi of memory"),
        (ended_pod(exit_code=137), "killed", "killed (SIGKILL)"),
        (ended_pod(exit_code=139), "unexpected", "exit status 139"),
        (ended_pod(exit_code=143, deleting=0), "stopped", "deleted while it computed"),
        (ended_pod(exit_code=143, disrupted=True), "disrupted", "EvictionByEvictionAPI"),
        (make_pod(phase="Failed", reason="OutOfcpu", message="not enough"), "not-started", "OutOfcpu: not enough"),
        (make_pod(phase="Failed", deleting=0), "stopped", "deleted before it computed"),
        (
            ended_pod(exit_code=128, reason="StartError", message="init was OOM-killed (memory limit too low?)"),
            "out-of-memory",
            "too little memory to be started: init was OOM-killed",
        ),
        (ended_pod(exit_code=128, reason="StartError", message="no such file"), "not-started", "started: no such file"),
    ],
)
def test_a_failed_pod_is_explained(pod: Pod, kind: str, words: str) -> None:
    error = describe_attempt(pod, 2, "512Mi")
    assert error.type == f"urn:climatejobs:error:{kind}"
    assert words in error.detail
    assert (error.hint or "").endswith(".")
    assert error.attempt == 2


def test_the_runners_own_word_comes_first() -> None:
    told = describe_error(NoData("nothing there", hint="Look elsewhere."))
    error = describe_attempt(
        ended_pod(exit_code=65, message=ResultDocument(error=told).to_json(), reason="OOMKilled"), 1, "1Gi"
    )
    assert (error.detail, error.hint, error.exit_code) == ("nothing there", "Look elsewhere.", 65)


def test_the_log_tail_is_what_is_no_result_and_at_most_a_kibibyte() -> None:
    assert read_log_tail(ended_pod(exit_code=1, message="ä" * 2000)) == "ä" * 512
    assert read_log_tail(ended_pod(exit_code=1, message="")) is None
    document = ResultDocument(error=describe_error(NoData("x"))).to_json()
    assert read_log_tail(ended_pod(exit_code=65, message=document)) is None


def test_a_deadline_keeps_the_failure_before_it() -> None:
    earlier = describe_error(NoData("it rained"))
    assert "the latest failure before that: it rained" in describe_deadline(60, 2, earlier).detail


@pytest.mark.parametrize(
    ("quantity", "doubled"), [("512Mi", "1Gi"), ("1Gi", "2Gi"), ("1.5Gi", "3Gi"), ("700M", "1400M"), ("100Mi", "200Mi")]
)
def test_a_quantity_is_doubled_in_its_own_words(quantity: str, doubled: str) -> None:
    assert double_quantity(quantity) == doubled


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (90, "1 min 30 s"), (21600, "6 h"), (90000, "1 d 1 h")])
def test_a_duration_is_put_in_words(seconds: int, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize("kind", Kind)
def test_the_guide_says_what_it_means(kind: Kind) -> None:
    guide = Path(__file__).parents[3] / "docs/how-to/run-jobs.md"
    assert f"\n| {kind.title} |" in guide.read_text(encoding="utf-8")
