"""What a process is: an id, words for people, and models that its inputs and outputs must fit.

Everything that can be checked without data is checked by the models, for every way a job comes in.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, Protocol, cast

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from climatejobs.datasets import Dataset
from climatejobs.errors import ClimateJobsError, Fault, InvalidInput
from climatejobs.faults import describe_fault
from climatejobs.footprints import Footprint
from climatejobs.names import MAX_INPUTS_BYTES
from climatejobs.schema import Schema, plain_schema

type JobControlOption = Literal["sync-execute", "async-execute", "dismiss"]
type TransmissionMode = Literal["value", "reference"]


class Inputs(BaseModel):
    """Base of the inputs of a process: unknown members are refused, declared order is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class Outputs(BaseModel):
    """Base of the outputs of a process."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Measure(Protocol):
    """Says what a computation takes, from its inputs and what `dataset.json` says of its source."""

    def source_id(self, inputs: Inputs) -> str:
        """Id of the data set that decides."""
        ...

    def footprint(self, inputs: Inputs, source: Dataset, cpus: int) -> Footprint:
        """What it takes with so many CPUs."""
        ...


@dataclass(frozen=True)
class Process:
    """One process: the facts that its description, its validation and its results share."""

    id: str
    title: str
    description: str
    version: str
    inputs: type[Inputs]
    outputs: type[Outputs]
    keywords: tuple[str, ...] = ()
    job_control_options: tuple[JobControlOption, ...] = ("sync-execute", "async-execute", "dismiss")
    output_transmission: tuple[TransmissionMode, ...] = ("value", "reference")
    shareable: bool = False
    """Whether several pods can share one computation; otherwise the first of them does all of it."""
    measure: Measure | None = None
    """Sizes a job that does not say itself what it needs; without it the installation's defaults hold."""
    examples: tuple[Mapping[str, JsonValue], ...] = field(default=())
    """Complete inputs that work, for documentation."""

    def validate_inputs(self, inputs: Mapping[str, JsonValue]) -> Inputs:
        """Check inputs against the description.

        Raises `InvalidInput` naming every member at fault.
        """
        # Half a surrogate pair is JSON, but not text: the members' own checks say which one it is.
        size = len(json.dumps(inputs, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass"))
        if size > MAX_INPUTS_BYTES:
            raise InvalidInput(
                f"the inputs of {self.id} take {size} bytes; at most {MAX_INPUTS_BYTES} are allowed",
                hint="Store large input as a data set and name it.",
            )
        try:
            return self.inputs.model_validate(dict(inputs))
        except ValidationError as error:
            faults = [_fault(dict(details), self) for details in error.errors(include_url=False)]
            raise InvalidInput.of(faults, hint=_hint(error, self)) from None

    def validate_outputs(self, outputs: Mapping[str, JsonValue]) -> Outputs:
        """Check that outputs are what this process gives; raises `pydantic.ValidationError` otherwise."""
        return self.outputs.model_validate(dict(outputs))

    def summary(self) -> Schema:
        """The process summary of OGC API - Processes 1.0, without links."""
        return {
            "id": self.id,
            "title": self.title,
            "description": self.description,
            "version": self.version,
            "keywords": list(self.keywords),
            "jobControlOptions": list(self.job_control_options),
            "outputTransmission": list(self.output_transmission),
        }

    def describe(self) -> Schema:
        """The process description of OGC API - Processes 1.0, without links."""
        return {**self.summary(), "inputs": dict(self.describe_inputs()), "outputs": dict(_entries(self.outputs))}

    def describe_inputs(self) -> Mapping[str, JsonValue]:
        """The descriptions of the inputs by name, in declared order; the same object for every caller."""
        return _entries(self.inputs)


@cache
def _entries(model: type[BaseModel]) -> Mapping[str, JsonValue]:
    """One description per member, in declared order. Kept: a schema takes longer to make than a request to answer."""
    schema = plain_schema(model)
    required = cast(list[str], schema.get("required", []))
    properties = cast(Mapping[str, Schema], schema.get("properties", {}))
    entries: Schema = {}
    for name, member in properties.items():
        info = model.model_fields[name]
        member_schema = {key: value for key, value in member.items() if key != "description"}
        entry: Schema = {"title": info.title or name.replace("_", " ").capitalize()}
        if info.description:
            entry["description"] = info.description
        entry["schema"] = member_schema
        entry["minOccurs"] = 1 if name in required else 0
        entry["maxOccurs"] = 1
        entries[name] = entry
    return entries


def _fault(details: dict[str, object], process: Process) -> Fault:
    location = cast(tuple[int | str, ...], details["loc"])
    pointer = "/inputs" + "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in location)
    if details["type"] == "extra_forbidden":
        return Fault(pointer, f"{process.id} has no such input")
    if details["type"] == "missing":
        return Fault(pointer, "this input is required")
    context = cast(dict[str, object], details.get("ctx", {}))
    cause = context.get("error")
    if isinstance(cause, InvalidInput) and cause.faults:
        # What concerns several members is found by the whole, which says at whose place.
        return Fault(pointer + cause.faults[0].pointer, cause.faults[0].detail)
    if isinstance(cause, ClimateJobsError):
        return Fault(pointer, cause.detail)
    return Fault(pointer, describe_fault(details, {}))


def _hint(error: ValidationError, process: Process) -> str:
    for details in error.errors(include_url=False):
        cause = details.get("ctx", {}).get("error")
        if isinstance(cause, ClimateJobsError) and cause.hint:
            return cause.hint
    known = ", ".join(process.inputs.model_fields)
    return f"The inputs of {process.id} are {known}."
