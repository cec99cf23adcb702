"""What a client says it can read (`Accept`), and the answer where that is none of what there is."""

import re

from fastapi import Request

from climatejobs.ogc.links import JSON
from climatejobs_api.problems import Problem

_ZERO = re.compile(r"\s*0(?:\.0{0,3})?\s*")


async def require_json(request: Request) -> None:
    """Raise the `Problem` 406 where the client would not take JSON."""
    accepted = ",".join(request.headers.getlist("accept"))
    if accepted.strip() and not accepts_json(accepted):
        raise Problem(
            406,
            detail=f"only {JSON} is to be had here, and the header Accept ({accepted[:200]}) does not allow it",
            hint=f"Send Accept: {JSON}, or no such header.",
        )


def accepts_json(header: str) -> bool:
    """Whether an `Accept` header lets JSON pass; the most specific of its ranges counts."""
    found: dict[str, bool] = {}
    for member in header.split(","):
        name, *parameters = member.split(";")
        weights = [
            value for key, _, value in (each.partition("=") for each in parameters) if key.strip().lower() == "q"
        ]
        found[name.strip().lower()] = not any(_ZERO.fullmatch(weight) for weight in weights)
    for name in (JSON, "application/*", "*/*"):
        if name in found:
            return found[name]
    return any(name.endswith("+json") and taken for name, taken in found.items())


def wants_multipart(request: Request) -> bool:
    """Whether the client says that it takes several outputs as the parts of one body."""
    return "multipart/related" in ",".join(request.headers.getlist("accept")).lower()
