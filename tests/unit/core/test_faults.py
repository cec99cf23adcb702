from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, JsonValue, ValidationError

from climatejobs.errors import InvalidInput
from climatejobs.faults import describe_fault, quote
from climatejobs.processes import find_process

FORMS = {"^[0-9]+m$": "a number of metres such as 5m"}


class Sample(BaseModel, strict=True):
    text: str = ""
    count: int = Field(default=1, ge=0, le=10)
    kind: Literal["a", "b"] = "a"
    members: dict[str, int] = {}
    items: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    length: str = Field(default="1m", pattern="^[0-9]+m$")
    code: str = Field(default="1", pattern="^[0-9]$")


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("text", None, "must be a text, not null"),
        ("text", 5, "must be a text, not 5"),
        ("text", {"a": 1}, "must be a text, not an object"),
        ("count", "5", "must be a whole number, not '5'"),
        ("count", 1.5, "must be a whole number, not 1.5"),
        ("count", True, "must be a whole number, not true"),
        ("count", -1, "must be at least 0, not -1"),
        ("count", 11, "must be at most 10, not 11"),
        ("kind", "c", "must be 'a' or 'b', not 'c'"),
        ("members", [1], "must be an object, not an array"),
        ("items", [], "must have at least 1 items"),
        ("items", [1, 2, 3], "must have at most 2 items"),
        ("length", "5 feet", "must be a number of metres such as 5m, not '5 feet'"),
        ("code", "x", "string should match pattern '^[0-9]$'"),
    ],
)
def test_a_fault_says_what_is_expected_and_what_was_given(member: str, value: JsonValue, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate({member: value})
    (details,) = caught.value.errors()
    assert describe_fault(dict(details), FORMS) == words


def test_long_values_are_not_repeated_whole() -> None:
    assert len(quote("x" * 5000)) == 100
    assert quote("short") == "'short'"


@pytest.mark.parametrize("name", ["source_dataset_id", "frequency", "method", "start", "end"])
def test_messages_stay_short_whatever_is_sent(name: str) -> None:
    good = {"source_dataset_id": "era5", "frequency": "D", "method": "mean", "start": "2025-02-01"}
    with pytest.raises(InvalidInput) as caught:
        find_process("resample").validate_inputs({**good, name: "x" * 5000})
    assert len(caught.value.detail) < 500
