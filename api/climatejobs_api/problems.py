"""Problem details of RFC 9457: the one shape in which anything that went wrong is answered.

Errors of the other modules become problems here and nowhere else. A problem never carries a stack trace.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from pydantic import JsonValue
from starlette.responses import Response

from climatejobs.errors import (
    TYPE_PREFIX,
    ClimateJobsError,
    InvalidInput,
    NoSuchDataset,
    NoSuchProcess,
    TemporaryError,
    UserError,
)
from climatejobs_api.store import JobGone, NameTaken, NoLog, Refused, StoreAway, StoreError, UnreadableJob

EXCEPTIONS = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/"
MEDIA_TYPE = "application/problem+json"

PROBLEM_SCHEMA: dict[str, JsonValue] = {
    "type": "object",
    "title": "Problem",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "Names the kind of problem."},
        "title": {"type": "string", "description": "The kind of problem in words."},
        "status": {"type": "integer", "description": "The HTTP status code."},
        "detail": {"type": "string", "description": "What happened in this case."},
        "instance": {"type": "string", "format": "uri-reference", "description": "Where it happened."},
        "hint": {"type": "string", "description": "What to do about it."},
        "errors": {
            "type": "array",
            "description": "Every single thing that is wrong with the request.",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer into the request body."},
                    "parameter": {"type": "string", "description": "Name of a parameter of the address."},
                    "detail": {"type": "string", "description": "What is wrong there."},
                },
            },
        },
    },
}


class Problem(Exception):
    """An answer that is not the one that was hoped for."""

    def __init__(
        self,
        status: int,
        *,
        title: str | None = None,
        detail: str | None = None,
        type: str = "about:blank",  # noqa: A002  # the member's name in the RFC
        hint: str | None = None,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, JsonValue] | None = None,
    ) -> None:
        super().__init__(detail or title)
        self.status = status
        self.type = type
        self.title = title or HTTPStatus(status).phrase
        self.detail = detail
        self.hint = hint
        self.errors = errors
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    def to_body(self, instance: str) -> dict[str, JsonValue]:
        """The members of the problem, without those that say nothing."""
        members: dict[str, JsonValue] = {
            "type": self.type,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "hint": self.hint,
            "errors": [dict(error) for error in self.errors],
            **self.extra,
        }
        return {name: value for name, value in members.items() if value is not None and value != []}


def answer(problem: Problem, *, instance: str, media_type: str = MEDIA_TYPE) -> Response:
    """The response that carries the problem."""
    body = json.dumps(problem.to_body(instance), ensure_ascii=False, separators=(",", ":"))
    response = Response(body.encode(), status_code=problem.status, headers=problem.headers)
    # Set by hand: Starlette would add a charset parameter, which this media type does not have.
    response.headers["Content-Type"] = media_type
    return response


def no_such_job(job_id: str) -> Problem:
    """No job has that id, or it has been removed."""
    return Problem(
        404,
        type=f"{EXCEPTIONS}no-such-job",
        title="No such job",
        detail=f"there is no job {job_id!r}",
        hint="It may have been removed, or its time to live is over; GET /jobs lists the jobs there are.",
    )


def from_error(error: ClimateJobsError) -> Problem:
    """The problem that an error of core is."""
    faults = error.faults if isinstance(error, InvalidInput) else ()
    kind, status = error.type, 500
    match error:
        case NoSuchProcess():
            kind, status = f"{EXCEPTIONS}no-such-process", 404
        case NoSuchDataset():
            status = 404
        case UserError():
            status = 400
        case TemporaryError():
            status = 503
        case _:
            pass
    return Problem(
        status,
        type=kind,
        title=error.title,
        detail=error.detail,
        hint=error.hint,
        errors=[{"pointer": fault.pointer, "detail": fault.detail} for fault in faults],
        headers={"Retry-After": "5"} if status == 503 else None,
    )


def from_store_error(error: StoreError) -> Problem:
    """The problem that an error of the store is."""
    match error:
        case StoreAway():
            return Problem(
                503,
                type=f"{TYPE_PREFIX}store-away",
                title="The cluster cannot be reached",
                detail=error.detail,
                hint=f"Nothing is wrong with the request; send it again in {error.retry_after} seconds.",
                headers={"Retry-After": str(error.retry_after)},
            )
        case Refused():
            return Problem(
                403 if error.forbidden else 400,
                type=f"{TYPE_PREFIX}refused",
                title="Refused by the cluster",
                detail=error.detail,
                hint="Ask whoever runs this installation." if error.forbidden else "Change the request as it says.",
            )
        case NameTaken():
            return Problem(
                409,
                type=f"{TYPE_PREFIX}name-taken",
                title="Name taken",
                detail="another job has just taken the same name",
                hint="Send the request again.",
            )
        case JobGone():
            return Problem(
                404,
                type=f"{EXCEPTIONS}no-such-job",
                title="No such job",
                detail="the job has just been removed",
            )
        case NoLog():
            return Problem(
                410,
                type=f"{TYPE_PREFIX}log-gone",
                title="The log is gone",
                detail="the pod whose log was asked for has just been deleted",
            )
        case UnreadableJob():
            return Problem(
                500,
                type=f"{TYPE_PREFIX}unreadable-job",
                title="Unreadable job",
                detail=str(error),
                hint=f"kubectl get climatejob {error.name} -o yaml shows it as it is.",
            )
        case _:
            raise AssertionError(f"no problem is defined for {error!r}")
