"""The result document: written where the operator, or a person, will look for it, and never too large."""

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from climatejobs import datasets
from climatejobs.datasets import StoredValue
from climatejobs.errors import ClimateJobsError
from climatejobs.results import MAX_INLINE_VALUE, MAX_TERMINATION_MESSAGE, ResultDocument, encode_result
from climatejobs_runner.attempts import Attempt


def store_large(outputs: Mapping[str, JsonValue], attempt: Attempt) -> dict[str, JsonValue]:
    """Keep large outputs as files below the data root and put references in their place.

    Smaller ones follow, the largest first, until all of them fit a termination message.
    """
    fitting = dict(outputs)
    by_size = sorted(fitting, key=lambda name: len(_encode(fitting[name])), reverse=True)
    for name in by_size:
        size = len(_encode(fitting[name]))
        whole = len(ResultDocument(outputs=fitting).to_json().encode())
        if size > MAX_INLINE_VALUE or (whole > MAX_TERMINATION_MESSAGE and size > MAX_INLINE_VALUE // 8):
            fitting[name] = _store(name, fitting[name], attempt)
    return fitting


def write_result(document: ResultDocument, places: list[Path]) -> None:
    """Write the document to each place."""
    text = encode_result(document)
    for place in places:
        # In place: the file that takes a termination message is mounted and cannot be replaced.
        place.write_text(text, encoding="utf-8")


def describe(document: ResultDocument) -> str:
    """What came of it as a person reads it."""
    if document.shard is not None:
        return f"Shard {document.shard.index} of {document.shard.of} is done; another one gives the result."
    outputs = document.outputs or {}
    return "\n".join(f"{name}: {json.dumps(value, ensure_ascii=False, indent=2)}" for name, value in outputs.items())


def describe_failure(error: ClimateJobsError) -> str:
    """An error as a person reads it: what, where, and what to do."""
    return f"{error.title}: {error.detail}." + (f"\n{error.hint}" if error.hint else "")


def _store(name: str, value: JsonValue, attempt: Attempt) -> JsonValue:
    relative = datasets.value_path(attempt.job_uid, name)
    content = _encode(value)
    attempt.data.storage.replace(relative, content, attempt.pod_uid)
    return StoredValue(file=str(relative), media_type="application/json", size=len(content)).model_dump()


def _encode(value: JsonValue) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
