"""Process descriptions, and the validation that every way into the system shares."""

import json
from collections.abc import Iterator, Mapping
from typing import cast

import pytest
from pydantic import JsonValue

from climatejobs.errors import InvalidInput, NoSuchProcess
from climatejobs.names import MAX_INPUTS_BYTES
from climatejobs.processes import PROCESSES, Process, find_process
from climatejobs.processes.selection import Selection

RESAMPLE: dict[str, JsonValue] = {
    "source_dataset_id": "era5-land-hourly",
    "frequency": "1D",
    "method": "mean",
    "start": "2025-02-01",
}
REFUSED_BY_THE_STANDARD = {"$ref", "$defs", "const", "examples", "prefixItems", "anyOf"}


def refusal(process_id: str, inputs: Mapping[str, JsonValue]) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        find_process(process_id).validate_inputs(inputs)
    return caught.value


def test_unknown_process_names_those_there_are() -> None:
    with pytest.raises(NoSuchProcess) as caught:
        find_process("resampel")
    assert "resample" in (caught.value.hint or "")


@pytest.mark.parametrize("process", PROCESSES.values(), ids=lambda process: process.id)
def test_examples_are_valid(process: Process) -> None:
    assert process.examples
    for example in process.examples:
        process.validate_inputs(example)


@pytest.mark.parametrize("process", PROCESSES.values(), ids=lambda process: process.id)
def test_description_keeps_to_what_the_standard_s_schema_takes(process: Process) -> None:
    description = process.describe()
    assert list(cast(dict[str, JsonValue], description["inputs"])) == list(process.inputs.model_fields)
    for key, value in members(description):
        assert key not in REFUSED_BY_THE_STANDARD
        assert value is not None
        if key in ("exclusiveMinimum", "exclusiveMaximum"):
            assert isinstance(value, bool)


def test_first_input_of_echo_is_a_required_plain_string() -> None:
    inputs = cast(dict[str, dict[str, JsonValue]], find_process("echo").describe()["inputs"])
    name, message = next(iter(inputs.items()))
    assert (name, message["minOccurs"]) == ("message", 1)
    assert cast(dict[str, JsonValue], message["schema"])["type"] == "string"


def test_every_fault_is_named_with_its_place() -> None:
    error = refusal("resample", {"source_dataset_id": "../etc", "method": "average", "start": "soon", "x/y": 1})
    assert {fault.pointer for fault in error.faults} == {
        "/inputs/source_dataset_id",
        "/inputs/frequency",
        "/inputs/method",
        "/inputs/start",
        "/inputs/x~1y",
    }


def test_unknown_inputs_are_refused() -> None:
    error = refusal("resample", {**RESAMPLE, "methode": "mean"})
    assert "/inputs/methode: resample has no such input" in error.detail


def test_end_before_start_is_refused() -> None:
    assert "before start" in refusal("resample", {**RESAMPLE, "end": "2025-01-31"}).detail


@pytest.mark.parametrize(
    ("process", "inputs", "pointer"),
    [
        ("resample", {"end": "2025-01-31"}, "/inputs/end"),
        ("resample", {"source_dataset_id": "a" * 121}, "/inputs/source_dataset_id"),
        ("subset", {"start": "2025-02-02", "end": "2025-02-01"}, "/inputs/end"),
        ("zonal_stats", {}, "/inputs/zones"),
        ("zonal_stats", {"zones": {}}, "/inputs/zones"),
    ],
)
def test_what_concerns_several_inputs_is_told_at_the_place_of_one(
    process: str, inputs: dict[str, JsonValue], pointer: str
) -> None:
    good = RESAMPLE if process == "resample" else {"source_dataset_id": "era5"}
    assert [fault.pointer for fault in refusal(process, {**good, **inputs}).faults] == [pointer]


def test_a_result_that_could_not_be_called_after_its_source_is_refused_beforehand() -> None:
    refused = refusal("resample", {**RESAMPLE, "source_dataset_id": "a" * 121})
    assert "with _1d_mean at the end, and have 129 characters; an id has at most 128" in refused.detail
    assert refused.hint == "Take the data from a data set whose id has at most 120 characters."


@pytest.mark.parametrize("value", ["true", 1, None])
def test_values_are_not_converted(value: JsonValue) -> None:
    assert refusal("resample", {**RESAMPLE, "overwrite": value}).faults[0].pointer == "/inputs/overwrite"


@pytest.mark.parametrize(
    ("inputs", "pointer", "complaint"),
    [
        ({"min_valid_fraction": 1.5}, "/inputs/min_valid_fraction", "must be at most 1"),
        ({"min_valid_fraction": -0.1}, "/inputs/min_valid_fraction", "must be at least 0"),
        ({"method": "p42"}, "/inputs/method", "'median'"),
        ({"method": "sum", "day_weighting": True}, "/inputs/day_weighting", "for means, not for sum"),
    ],
)
def test_what_a_method_cannot_do_is_refused(inputs: dict[str, JsonValue], pointer: str, complaint: str) -> None:
    (fault,) = refusal("resample", {**RESAMPLE, **inputs}).faults
    assert (fault.pointer, complaint in fault.detail) == (pointer, True)


def test_the_quantile_in_the_middle_has_one_name() -> None:
    inputs = find_process("resample").validate_inputs({**RESAMPLE, "method": "p50", "min_valid_fraction": 1})
    assert inputs.model_dump()["method"] == "median"


def test_inputs_have_a_size_limit() -> None:
    error = refusal("echo", {"message": "x" * MAX_INPUTS_BYTES})
    assert str(MAX_INPUTS_BYTES) in error.detail


def test_half_a_surrogate_pair_is_named_not_stumbled_over() -> None:
    assert refusal("echo", {"message": "\ud83c"}).faults[0].pointer == "/inputs/message"


def test_a_document_of_another_media_type_is_refused() -> None:
    assert refusal("echo", {"message": "m", "document": {"value": "<a/>", "mediaType": "text/html"}}).faults


def test_outputs_are_checked() -> None:
    with pytest.raises(ValueError, match="dataset"):
        find_process("resample").validate_outputs({"data": {}})


def members(value: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    """Every member of every object in a JSON value."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield key, member
            yield from members(member)
    elif isinstance(value, list):
        for item in value:
            yield from members(item)


def test_descriptions_are_json() -> None:
    for process in PROCESSES.values():
        assert json.loads(json.dumps(process.describe())) == process.describe()


ZONES: dict[str, JsonValue] = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}


@pytest.mark.parametrize(
    ("process", "inputs", "complaint"),
    [
        ("subset", {}, "nothing says what to cut out"),
        ("subset", {"bbox": [0.0, 5.0, 1.0, 4.0]}, "south 5 lies north of its north 4"),
        ("subset", {"bbox": [0.0, 1.0]}, "at least 4 items"),
        ("subset", {"bbox": [0.0, 1.0, 2.0, float("inf")]}, "finite"),
        ("subset", {"variables": ["a", "a"]}, "named twice"),
        ("subset", {"start": "2025-02-02", "end": "2025-02-01"}, "before start"),
        ("zonal_stats", {}, "one of them is needed"),
        ("zonal_stats", {"zones": ZONES, "zones_id": "districts"}, "only one"),
        ("zonal_stats", {"zones": {"type": "Point"}}, "'Point'"),
        ("zonal_stats", {"zones_id": "../etc"}, "is not a data set id"),
        ("zonal_stats", {"zones": ZONES, "statistics": ["mean", "mean"]}, "named twice"),
        ("zonal_stats", {"zones": ZONES, "statistics": ["mode"]}, "'mean', 'sum', 'min', 'max'"),
    ],
)
def test_parts_that_make_no_sense_are_refused(process: str, inputs: dict[str, JsonValue], complaint: str) -> None:
    assert complaint in refusal(process, {"source_dataset_id": "era5", **inputs}).detail


def test_a_date_at_the_end_stands_for_its_whole_day() -> None:
    inputs = {"source_dataset_id": "era5", "start": "2025-02-01", "end": "2025-02-01"}
    checked = cast(Selection, find_process("subset").validate_inputs(inputs))
    assert str(checked.last_moment) == "2025-02-01T23:59:59Z"
    checked = cast(Selection, find_process("subset").validate_inputs({**inputs, "end": "2025-02-01T00:00"}))
    assert str(checked.last_moment) == "2025-02-01T00:00:00Z"
