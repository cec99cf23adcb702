"""Events and log lines: what people and collectors read."""

import json
import logging

import kubernetes_validate
import pytest

from climatejobs.names import Reason
from climatejobs_operator.events import Event, build_event
from climatejobs_operator.logs import JsonFormatter, TextFormatter, fields
from tests.unit.operator.builders import NOW, make_climatejob


def test_an_event_is_valid_and_named_after_what_happened() -> None:
    subject = make_climatejob().metadata
    first = build_event(Event(Reason.FAILED, "x" * 3000), subject, NOW, "operator-1")
    kubernetes_validate.validate(first, "1.34", strict=True)
    again = build_event(Event(Reason.FAILED, "x" * 3000), subject, NOW, "operator-2")
    other = build_event(Event(Reason.FAILED, "y"), subject, NOW, "operator-1")
    assert first["metadata"] == again["metadata"] != other["metadata"]
    later = subject.model_copy(update={"resource_version": "2"})
    repeated = build_event(Event(Reason.FAILED, "x" * 3000), later, NOW, "operator-1")
    assert repeated["metadata"] != first["metadata"]
    assert first["type"] == "Warning"


@pytest.mark.parametrize("letter", ["x", "é", "雨"])
def test_a_long_note_is_cut_to_the_bytes_that_an_event_may_have(letter: str) -> None:
    made = build_event(Event(Reason.FAILED, letter * 3000), make_climatejob().metadata, NOW, "operator-1")
    note = str(made["note"])
    assert note.strip(letter) == "…"
    assert 1021 <= len(note.encode()) <= 1024


def record(message: str, **facts: object) -> logging.LogRecord:
    made = logging.LogRecord("climatejobs", logging.INFO, "", 0, message, None, None)
    made.__dict__.update(fields(**facts))
    return made


def test_a_json_line_carries_the_facts_that_are_known() -> None:
    line = json.loads(JsonFormatter().format(record("Made Job", job="a", phase="Pending", reason=None)))
    assert (line["message"], line["level"], line["job"], line["phase"]) == ("Made Job", "info", "a", "Pending")
    assert "reason" not in line


def test_a_text_line_ends_with_the_facts() -> None:
    assert TextFormatter().format(record("Made Job", job="a")).endswith("Made Job  job=a")
