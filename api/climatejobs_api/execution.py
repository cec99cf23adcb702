"""From the body of an execute request to the spec of a job. Pure: nothing is read or made here.

What a process takes is checked by core alone; this module knows the frame around it.
"""

from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError, WithJsonSchema
from pydantic.alias_generators import to_camel

from climatejobs.errors import Fault, InvalidInput
from climatejobs.faults import describe_fault
from climatejobs.model import FORMS, ClimateJobSpec, KubernetesModel, Output, Resources, Subscriber
from climatejobs.names import MAX_NAME_LENGTH
from climatejobs.outbound import AddressRefused, read_allowance
from climatejobs.processes import Process
from climatejobs_api.inputs import escape, unwrap_inputs
from climatejobs_api.settings import Settings, exceeds

FRAME = frozenset({"inputs", "outputs", "response", "subscriber", "job"})
"""Members of a body that are not inputs where the inputs stand beside them."""
RANDOM_CHARACTERS = 10
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Letters and digits that make no words and are not mistaken for each other."""
_PARALLELISM: dict[str, JsonValue] = {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "auto"}]}


def _absent_if_auto(value: object) -> object:
    return None if value == "auto" else value


class JobOptions(BaseModel):
    """How the job is to be run; the installation sets the maxima."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, title="JobOptions"
    )

    max_attempts: int | None = Field(
        default=None, ge=1, strict=True, description="How often the computation is tried at most."
    )
    timeout_seconds: int | None = Field(
        default=None, ge=1, strict=True, description="Wall time for all attempts together."
    )
    priority: int | None = Field(
        default=None, ge=-1000000, strict=True, description="Higher starts earlier among waiting jobs."
    )
    parallelism: Annotated[int | None, BeforeValidator(_absent_if_auto), WithJsonSchema(_PARALLELISM)] = Field(
        default=None,
        ge=1,
        strict=True,
        description="How many pods share the computation; as many as are worth it where this is auto or absent.",
    )
    resources: Resources | None = Field(default=None, description="CPU and memory that one pod may use.")
    ttl_seconds_after_finished: int | None = Field(
        default=None, ge=0, strict=True, description="Seconds after the end until the job's record is deleted."
    )


class ExecuteRequest(KubernetesModel):
    """The body of an execute request."""

    inputs: dict[str, JsonValue] = Field(description="The inputs of the process, by name.")
    outputs: dict[str, Output] | None = Field(
        default=None, description="The outputs wanted, by name; all of them where this is absent or empty."
    )
    response: Literal["raw", "document"] | None = Field(
        default=None, description="Whether to answer with a bare value (raw) or with one JSON document."
    )
    subscriber: Subscriber | None = Field(default=None, description="Addresses that are told of the job's progress.")
    job: JobOptions = Field(default_factory=JobOptions, description="How the job is to be run.")


def frame_body(body: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """The body with its inputs under `inputs`, where it is flat and they stand beside the rest."""
    if "inputs" in body:
        return body
    return {
        "inputs": {name: value for name, value in body.items() if name not in FRAME},
        **{name: value for name, value in body.items() if name in FRAME},
    }


@contextmanager
def pointing_into(body: Mapping[str, JsonValue], unwrapped: Collection[str] = ()) -> Generator[None]:
    """Let pointers of an `InvalidInput` lead into the body as it was sent, before anything was moved in it."""
    try:
        yield
    except InvalidInput as error:
        faults = [Fault(_sent_pointer(fault.pointer, body, unwrapped), fault.detail) for fault in error.faults]
        if faults == list(error.faults):
            raise
        raise InvalidInput.of(faults, hint=error.hint) from None


def read_request(process: Process, body: Mapping[str, JsonValue], settings: Settings) -> ExecuteRequest:
    """Check a body against the frame, the process and the installation's maxima.

    Raises `InvalidInput` whose pointers lead into the body as it was sent.
    """
    try:
        request = ExecuteRequest.model_validate(frame_body(body))
    except ValidationError as error:
        raise InvalidInput.of([_fault(dict(details)) for details in error.errors(include_url=False)]) from None
    faults = [
        *_unknown_members(body),
        *_unknown_outputs(process, request),
        *_refused_addresses(request.subscriber, settings),
        *_beyond_maxima(request.job, settings),
    ]
    if faults:
        raise InvalidInput.of(faults)
    with pointing_into(body):
        inputs, unwrapped = unwrap_inputs(process, request.inputs)
    with pointing_into(body, unwrapped):
        process.validate_inputs(inputs)
    return request.model_copy(update={"inputs": inputs})


def build_spec(
    process: Process, request: ExecuteRequest, settings: Settings, *, submitted_by: str | None = None
) -> ClimateJobSpec:
    """The spec of the job that a checked request asks for."""
    options = request.job.model_dump(exclude_none=True)
    fields = ClimateJobSpec.model_fields
    options.setdefault("max_attempts", min(fields["max_attempts"].default, settings.max_attempts))
    options.setdefault("timeout_seconds", min(fields["timeout_seconds"].default, settings.max_timeout_seconds))
    return ClimateJobSpec(
        process=process.id,
        inputs=request.inputs,
        outputs=request.outputs or None,
        response=request.response,
        subscriber=request.subscriber,
        submitted_by=submitted_by,
        **options,
    )


def make_name(process_id: str, choose: Callable[[str], str]) -> str:
    """Name of a new job: the process and ten characters from `choose`, which picks one of a text."""
    stem = process_id.replace("_", "-").strip("-")[: MAX_NAME_LENGTH - RANDOM_CHARACTERS - 1].rstrip("-")
    return f"{stem}-{''.join(choose(ALPHABET) for _ in range(RANDOM_CHARACTERS))}"


def _unknown_members(body: Mapping[str, JsonValue]) -> list[Fault]:
    """Members that would be without effect in places where somebody counts on it."""
    job = body.get("job")
    places = (
        ("/subscriber", body.get("subscriber"), Subscriber),
        ("/job/resources", job.get("resources") if isinstance(job, dict) else None, Resources),
    )
    return [
        Fault(f"{pointer}/{escape(name)}", f"there is no such member; there are {_names(model)}")
        for pointer, value, model in places
        if isinstance(value, dict)
        for name in value
        if name not in {field.alias or each for each, field in model.model_fields.items()}
    ]


def _names(model: type[BaseModel]) -> str:
    return ", ".join(field.alias or name for name, field in model.model_fields.items())


def _unknown_outputs(process: Process, request: ExecuteRequest) -> list[Fault]:
    known = process.outputs.model_fields
    faults: list[Fault] = []
    for name, wanted in (request.outputs or {}).items():
        if name not in known:
            pointer = f"/outputs/{escape(name)}"
            faults.append(Fault(pointer, f"{process.id} has no such output; it has {', '.join(known)}"))
        elif wanted.transmission_mode and wanted.transmission_mode not in process.output_transmission:
            modes = " or ".join(process.output_transmission)
            faults.append(Fault(f"/outputs/{escape(name)}/transmissionMode", f"only {modes} is possible"))
    return faults


def _refused_addresses(subscriber: Subscriber | None, settings: Settings) -> list[Fault]:
    """Addresses that would be refused whatever they lead to; the rest shows when something is sent there."""
    allowance, faults = read_allowance(settings.fetch_allow), list[Fault]()
    for name, url in (subscriber.to_manifest() if subscriber is not None else {}).items():
        try:
            allowance.check_url(str(url))
        except AddressRefused as refused:
            faults.append(Fault(f"/subscriber/{name}", refused.detail))
    return faults


def _beyond_maxima(options: JobOptions, settings: Settings) -> list[Fault]:
    numbers = (
        ("maxAttempts", options.max_attempts, settings.max_attempts),
        ("timeoutSeconds", options.timeout_seconds, settings.max_timeout_seconds),
        ("priority", options.priority, settings.max_priority),
        ("parallelism", options.parallelism, settings.max_parallelism),
        ("ttlSecondsAfterFinished", options.ttl_seconds_after_finished, settings.max_ttl_seconds),
    )
    faults = [
        Fault(f"/job/{name}", f"{value} is more than this installation allows; at most {bound}")
        for name, value, bound in numbers
        if value is not None and value > bound
    ]
    wanted = options.resources or Resources()
    quantities = (("cpu", wanted.cpu, settings.max_cpu), ("memory", wanted.memory, settings.max_memory))
    faults += [
        Fault(f"/job/resources/{name}", f"{value} is more than this installation allows; at most {bound}")
        for name, value, bound in quantities
        if exceeds(value, bound)
    ]
    return faults


def _sent_pointer(pointer: str, body: Mapping[str, JsonValue], unwrapped: Collection[str]) -> str:
    for name in unwrapped:
        place = f"/inputs/{escape(name)}"
        if pointer == place or pointer.startswith(f"{place}/"):
            pointer = f"{place}/value{pointer.removeprefix(place)}"
    return pointer if "inputs" in body else pointer.removeprefix("/inputs")


def _fault(details: Mapping[str, Any]) -> Fault:
    pointer = "".join(f"/{escape(str(part))}" for part in details["loc"])
    if details["type"] == "extra_forbidden":
        return Fault(pointer, f"there is no such member; there are {_names(JobOptions)}")
    return Fault(pointer, describe_fault(details, FORMS))
