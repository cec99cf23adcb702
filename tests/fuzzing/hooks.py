"""Loaded by schemathesis: half of what it makes up is turned to things that are there, so that it meets more than 404.

The ids come from the environment, as JSON; see `tests/fuzzing/run.py`.
"""

import json
import os
from typing import Any
from zlib import crc32

import schemathesis

# Its decorator says nothing of the functions that it takes.
# pyright: reportUnknownMemberType=false
IDS: dict[str, list[str]] = json.loads(os.environ.get("CLIMATEJOBS_FUZZED_IDS", "{}"))
"""By the name of the path parameter."""
FILES = ("zarr.json", "time/zarr.json", "t2m/c/0/0/0", "")


@schemathesis.hook
def map_path_parameters(_context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """What is put in the place of a made-up id depends on that id alone, so that runs can be repeated."""
    if not path_parameters:
        return path_parameters
    return {name: _replace(name, value) for name, value in path_parameters.items()}


@schemathesis.hook
def map_headers(context: Any, headers: dict[str, Any] | None) -> dict[str, Any] | None:
    """No execution is waited for: a made-up `echo` may pause for an hour."""
    if context.operation.label.startswith("POST "):
        return {**(headers or {}), "Prefer": "respond-async"}
    return headers


def _replace(name: str, value: Any) -> Any:
    known = list(FILES) if name == "path" and "dataset_id" in IDS else IDS.get(name, [])
    chance = crc32(repr(value).encode())
    return known[chance // 2 % len(known)] if known and chance % 2 else value
