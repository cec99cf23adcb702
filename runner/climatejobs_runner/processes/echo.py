"""`echo`: gives its inputs back."""

from pydantic import JsonValue

from climatejobs.processes.echo import EchoInputs, EchoOutputs
from climatejobs_runner.attempts import Attempt


def compute(inputs: EchoInputs, attempt: Attempt) -> EchoOutputs:
    """Wait as long as asked, then give back what was given."""
    attempt.progress.begin("Echoing", total=inputs.pause, unit="seconds")
    for _ in range(inputs.pause):
        attempt.stop.wait(1)
        attempt.progress.advance(1)
    given: dict[str, JsonValue] = inputs.model_dump(
        mode="json", by_alias=True, exclude_unset=True, exclude_none=True, exclude={"pause"}
    )
    return EchoOutputs.model_validate(given)
