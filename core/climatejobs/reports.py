"""What a runner reports over HTTP while it works and when it is done.

{"progress": {...}}     or     {"outputs": {...}, "seconds": 12.3}
"""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from climatejobs.model import Progress


class Report(BaseModel):
    """Either progress or the outputs of one attempt."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    progress: Progress | None = None
    outputs: dict[str, JsonValue] | None = None
    seconds: float = Field(default=0, ge=0)
    """For how long the runner has run; with the outputs."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.outputs is None) == (self.progress is None):
            raise ValueError("a report has either progress or outputs")
        return self
