"""Request bodies: read up to a limit, and parsed more strictly than Python's JSON is.

What is let through here is stored in the cluster and read again by other programs, so everything that JSON
libraries disagree about is refused: names given twice, NaN, numbers out of range, half a surrogate pair.
"""

import json
import math
from collections.abc import Sequence
from typing import NoReturn, cast

from pydantic import JsonValue
from starlette.requests import Request

from climatejobs.errors import TYPE_PREFIX
from climatejobs_api.problems import Problem

MAX_DEPTH = 32
_MAX_INTEGER = 2**63 - 1


async def read_object(request: Request, max_bytes: int) -> dict[str, JsonValue]:
    """The JSON object in the body of a request; raises `Problem` where there is none, or it is larger."""
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding != "identity":
        raise Problem(
            415,
            detail=f"the body is encoded as {coding[:100]}; only bodies that are not encoded are understood",
            hint="Send the JSON as it is, without the header Content-Encoding.",
            headers={"Accept-Encoding": "identity"},
        )
    media_type = request.headers.get("content-type", "application/json").split(";", 1)[0].strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise Problem(
            415,
            detail=f"the body is {media_type or 'of no known type'}; only application/json is understood",
            hint="Send JSON with the header Content-Type: application/json.",
            headers={"Accept": "application/json"},
        )
    return parse_object(await _read_body(request, max_bytes))


def parse_object(body: bytes) -> dict[str, JsonValue]:
    """Parse a JSON object; raises `Problem` saying what is wrong with it."""
    try:
        value = parse_json(body)
    except ValueError as error:
        raise _unreadable(str(error)) from None
    if not isinstance(value, dict):
        raise _unreadable("it is not an object; an execution is written {...}")
    return value


def parse_json(text: bytes) -> JsonValue:
    """Parse JSON as strictly as this module says; raises ValueError saying what is wrong with it."""
    try:
        value = cast(
            JsonValue,
            json.loads(
                # Some editors and shells begin a file with a byte order mark, which a reader may ignore.
                text.decode("utf-8-sig"),
                object_pairs_hook=_unique,
                parse_constant=_refuse_constant,
                parse_float=_finite,
                parse_int=_in_range,
            ),
        )
        _check(value)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg.lower()} at line {error.lineno}, column {error.colno}") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except UnicodeEncodeError:
        raise ValueError(
            "a text in it has half of a surrogate pair (\\ud800 to \\udfff), which is no character"
        ) from None
    except RecursionError:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep") from None
    return value


async def _read_body(request: Request, max_bytes: int) -> bytes:
    body = bytearray()
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:19]) > max_bytes:
        raise _too_large(max_bytes)
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(body)


def _unique(pairs: Sequence[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice!r} is given more than once")
    return members


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON; leave a value out where there is none")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _in_range(text: str) -> int:
    # Checked by length first: Python refuses to convert very long numbers, in words meant for programmers.
    if len(text) > 20 or abs(int(text)) > _MAX_INTEGER:
        raise ValueError(f"the number {text[:40]} is too large")
    return int(text)


def _check(root: JsonValue) -> None:
    """Refuse what cannot be stored: text that is not Unicode, and deep nesting."""
    level: list[JsonValue] = [root]
    for _ in range(MAX_DEPTH):
        below: list[JsonValue] = []
        for value in level:
            if isinstance(value, str):
                value.encode()
            elif isinstance(value, list):
                below.extend(value)
            elif isinstance(value, dict):
                below.extend(value)
                below.extend(value.values())
        if not below:
            return
        level = below
    raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")


def _unreadable(reason: str) -> Problem:
    return Problem(
        400,
        type=f"{TYPE_PREFIX}unreadable-body",
        title="Unreadable body",
        detail=f"the body of the request cannot be read: {reason}",
        hint='Send a JSON object, such as {"inputs": {...}}.',
        errors=({"pointer": "", "detail": reason},),
    )


def _too_large(max_bytes: int) -> Problem:
    return Problem(
        413,
        detail=f"the body of the request is larger than {max_bytes} bytes",
        hint="Store large input as a data set and name it.",
    )
