"""The forms in which an input may be given: as itself, as a qualified value, or by reference.

All of them are brought down to the first; what the value has to be is core's business.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import cast

from pydantic import JsonValue

from climatejobs.errors import ClimateJobsError, Fault, InvalidInput
from climatejobs.ogc.links import JSON
from climatejobs.processes import Process
from climatejobs_api.fetching import Fetched
from climatejobs_api.payloads import parse_json

MAX_REFERENCES = 8
_LINK = frozenset({"href", "type", "rel", "title", "hreflang"})
_QUALIFIED = frozenset({"value", "mediaType", "encoding", "schema"})


async def fetch_references(
    inputs: Mapping[str, JsonValue], fetch: Callable[[str], Awaitable[Fetched]]
) -> dict[str, JsonValue]:
    """Put what they point to in the place of references, as qualified values; raises `InvalidInput`."""
    found = {name: value for name, value in inputs.items() if _is_reference(value)}
    if len(found) > MAX_REFERENCES:
        raise InvalidInput(f"{len(found)} inputs are given by reference; at most {MAX_REFERENCES} can be")
    fetched = await asyncio.gather(
        *(_resolve(name, cast(Mapping[str, JsonValue], link), fetch) for name, link in found.items()),
        return_exceptions=True,
    )
    faults: list[Fault] = []
    values = dict(inputs)
    for (name, _), outcome in zip(found.items(), fetched, strict=True):
        if isinstance(outcome, ClimateJobsError):
            faults.append(Fault(f"/inputs/{escape(name)}/href", outcome.detail))
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            values[name] = outcome
    if faults:
        raise InvalidInput.of(faults, hint="Give the value itself in place of the reference.")
    return values


def unwrap_inputs(process: Process, inputs: Mapping[str, JsonValue]) -> tuple[dict[str, JsonValue], frozenset[str]]:
    """Plain values in the place of qualified ones, and the names of those that were; raises `InvalidInput`.

    An input that may be of several media types keeps its qualification, which says which one it is.
    """
    described = cast(Mapping[str, Mapping[str, JsonValue]], process.describe_inputs())
    values, unwrapped, faults = dict(inputs), set[str](), list[Fault]()
    for name, value in inputs.items():
        schema = cast(Mapping[str, JsonValue], described.get(name, {}).get("schema", {}))
        if not isinstance(value, dict) or "value" not in value or "oneOf" in schema or value.keys() - _QUALIFIED:
            continue
        kind, encoding = value.get("mediaType", JSON), value.get("encoding", "utf-8")
        possible = ("text/plain", JSON) if schema.get("type") == "string" else (JSON,)
        if kind not in possible:
            faults.append(Fault(f"/inputs/{escape(name)}/mediaType", f"only {' or '.join(possible)} is possible"))
        if not isinstance(encoding, str) or encoding.lower() != "utf-8":
            faults.append(Fault(f"/inputs/{escape(name)}/encoding", "only utf-8 is possible"))
        values[name] = value["value"]
        unwrapped.add(name)
    if faults:
        raise InvalidInput.of(faults)
    return values, frozenset(unwrapped)


def escape(member: str) -> str:
    """The name of a member as a part of a JSON pointer."""
    return member.replace("~", "~0").replace("/", "~1")


def _is_reference(value: JsonValue) -> bool:
    return isinstance(value, dict) and isinstance(value.get("href"), str) and not value.keys() - _LINK


async def _resolve(
    name: str, link: Mapping[str, JsonValue], fetch: Callable[[str], Awaitable[Fetched]]
) -> dict[str, JsonValue]:
    fetched = await fetch(str(link["href"]))
    kind = str(link.get("type") or fetched.media_type).split(";", 1)[0].strip().lower()
    try:
        if kind == JSON or kind.endswith("+json"):
            return {"value": parse_json(fetched.content)}
        return {"value": fetched.content.decode(), "mediaType": kind}
    except ValueError as error:
        raise InvalidInput(f"what {link['href']} holds cannot be read as {kind}: {error}") from None
