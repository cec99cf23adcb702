"""The result document: how the runner tells the operator what came out.

{"outputs": {"dataset": {...}}}     or     {"error": {"type", "title", "detail", "hint"}}

Where several pods share a computation, one of them gives the outputs; any other that has done its part says only
that, and how much it was: {"shard": {"index": 0, "of": 3, "total": 122, "unit": "steps"}}
"""

import json
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from climatejobs.errors import ClimateJobsError
from climatejobs.model import ErrorDetail

MAX_TERMINATION_MESSAGE = 4096
"""Bytes that the kubelet keeps of a termination message."""
MAX_INLINE_VALUE = 2048
"""Bytes of JSON up to which an output travels by itself; a larger one is kept as a file."""


class ShardDone(BaseModel):
    """One of the pods that share a computation has done its part, and another one gives the outputs."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    index: int = Field(ge=0)
    """Which of them, counted from 0."""
    of: int = Field(ge=1)
    """How many there are."""
    total: int | None = Field(default=None, ge=0)
    """Units of work that its part had; what is kept of its progress, which others may have forgotten by then."""
    unit: str | None = Field(default=None, max_length=63)


class ResultDocument(BaseModel):
    """What came of one attempt: the outputs, an error, or a part that is done."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    outputs: dict[str, JsonValue] | None = None
    error: ErrorDetail | None = None
    shard: ShardDone | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if sum(member is not None for member in (self.outputs, self.error, self.shard)) != 1:
            raise ValueError("a result document has either outputs, an error or a shard")
        return self

    def to_json(self) -> str:
        """Compact JSON, without members that are not set."""
        return json.dumps(
            self.model_dump(mode="json", by_alias=True, exclude_none=True), separators=(",", ":"), ensure_ascii=False
        )


def parse_result(text: str) -> ResultDocument | None:
    """Read a termination message; None where it is not a result document, such as a message of the kubelet."""
    try:
        return ResultDocument.model_validate_json(text)
    except ValidationError:
        return None


def encode_result(document: ResultDocument) -> str:
    """The document as a termination message: an error that is too long for one is cut."""
    text = document.to_json()
    while document.error is not None and len(text.encode()) > MAX_TERMINATION_MESSAGE:
        sizes = {name: _encoded_size(getattr(document.error, name)) for name in ("detail", "hint")}
        longer = max(sizes, key=lambda name: sizes[name])
        kept: str = getattr(document.error, longer)
        # Little by little, because a character takes anything from one to six bytes.
        shorter = _cut(kept, len(kept) * 9 // 10)
        document = ResultDocument(error=document.error.model_copy(update={longer: shorter}))
        text = document.to_json()
    return text


def describe_error(error: ClimateJobsError) -> ErrorDetail:
    """The error as it travels: cut to what a status may hold."""
    return ErrorDetail(
        type=error.type,
        title=error.title,
        detail=_cut(error.detail, 2048),
        hint=_cut(error.hint, 1024) if error.hint else None,
    )


def _encoded_size(text: str | None) -> int:
    return len(json.dumps(text or "", ensure_ascii=False).encode())


def _cut(text: str, length: int) -> str:
    # A name of a file may hold bytes that are not UTF-8; those cannot travel.
    text = text.encode(errors="replace").decode()
    return text if len(text) <= length else text[: length - 1] + "…"
