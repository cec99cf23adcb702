"""The result document: it always fits a termination message, and what fits is not cut."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from climatejobs.errors import InvalidInput
from climatejobs.results import (
    MAX_TERMINATION_MESSAGE,
    ResultDocument,
    ShardDone,
    describe_error,
    encode_result,
    parse_result,
)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=6000), st.text(max_size=2000) | st.none())
def test_an_error_fits_a_termination_message_and_can_be_read(detail: str, hint: str | None) -> None:
    encodable = hint.encode(errors="replace").decode() if hint else None
    document = ResultDocument(error=describe_error(InvalidInput(detail, hint=encodable)))
    text = encode_result(document)
    assert len(text.encode()) <= MAX_TERMINATION_MESSAGE
    read = parse_result(text)
    assert read is not None
    assert read.error is not None
    assert read.error.type == "urn:climatejobs:error:invalid-input"


@pytest.mark.parametrize("character", ["a", "é", "気", "🌍", "\x01", '"'])
def test_the_longest_error_fits_in_any_script(character: str) -> None:
    error = InvalidInput(character * 5000, hint=character * 5000)
    text = encode_result(ResultDocument(error=describe_error(error)))
    assert len(text.encode()) <= MAX_TERMINATION_MESSAGE
    assert json.loads(text)["error"]["detail"].startswith(character)


def test_a_short_error_is_not_cut() -> None:
    error = InvalidInput("wrong: température", hint="do this")
    assert json.loads(encode_result(ResultDocument(error=describe_error(error)))) == {
        "error": {
            "type": "urn:climatejobs:error:invalid-input",
            "title": "Invalid input",
            "detail": "wrong: température",
            "hint": "do this",
        }
    }


def test_what_the_kubelet_writes_is_not_a_result() -> None:
    assert parse_result("OOMKilled") is None
    assert parse_result("{}") is None


def test_a_part_that_is_done_is_a_result_without_outputs() -> None:
    text = encode_result(ResultDocument(shard=ShardDone(index=2, of=7)))
    assert json.loads(text) == {"shard": {"index": 2, "of": 7}}
    read = parse_result(text)
    assert read is not None
    assert read.shard == ShardDone(index=2, of=7)
    assert read.outputs is None


def test_a_result_is_one_thing_only() -> None:
    assert parse_result('{"outputs": {}, "shard": {"index": 0, "of": 2}}') is None
