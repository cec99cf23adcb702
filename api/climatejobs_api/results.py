"""The results of a job: which outputs, in which form, and what is answered where there are none.

One output that is wanted bare (`raw`, the standard's default) is answered as itself, several as the parts of one
multipart body, those by reference as links; `document` is one JSON object with a member per output.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from anyio import to_thread
from pydantic import JsonValue
from starlette.responses import Response

from climatejobs.datasets import StoredValue, value_path
from climatejobs.errors import (
    TYPE_PREFIX,
    DataError,
    InvalidInput,
    NoData,
    NoSuchDataset,
    NoSuchProcess,
    TooLarge,
    UserError,
)
from climatejobs.model import ClimateJob
from climatejobs.ogc.links import JSON, Links
from climatejobs.ogc.outputs import (
    Wanted,
    describe_member,
    describe_reference,
    describe_value,
    list_declared,
    list_wanted,
    read_stored,
)
from climatejobs.ogc.statusinfo import status_code
from climatejobs_api.files import DataRoot, read_below
from climatejobs_api.multipart import Part, encode_parts
from climatejobs_api.problems import EXCEPTIONS, Problem, no_such_job

_AT_FAULT = frozenset(
    TYPE_PREFIX + kind.slug for kind in (UserError, InvalidInput, NoSuchProcess, NoSuchDataset, NoData, TooLarge)
)
"""Types of errors that the request is to blame for, and not the installation."""
_JSON_CONTENT: dict[str, Any] = {JSON: {"schema": {}}}
OUTPUT_CONTENT: dict[str, Any] = _JSON_CONTENT | {
    kind: {"schema": {"type": "string"}} for kind in ("text/plain", "application/xml")
}
"""Media types of one output, for the definition of the API."""
RESULTS_CONTENT: dict[str, Any] = {**OUTPUT_CONTENT, "multipart/related": {"schema": {"type": "string"}}}
"""Media types of all outputs together."""


def check_results(job: ClimateJob) -> None:
    """Raise the `Problem` that is answered in place of results that a job does not have."""
    code = status_code(job)
    if code == "successful":
        return
    if code == "failed":
        raise _failure(job)
    if code == "dismissed":
        raise Problem(
            404,
            type=no_such_job(job.metadata.name).type,
            title="No results",
            detail=f"job {job.metadata.name} was dismissed, so it has no results",
            hint="Submit it again.",
        )
    raise Problem(
        404,
        type=f"{EXCEPTIONS}result-not-ready",
        title="Result not ready",
        detail=f"job {job.metadata.name} is {code}; it has no results yet",
        hint=f"Ask for /jobs/{job.metadata.name} until its status is successful.",
    )


async def answer_results(
    job: ClimateJob, links: Links, data: DataRoot, *, multipart: bool = False, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with the results of a job that has succeeded, as its request asked for them.

    `multipart` says what becomes of several outputs where the request did not choose between raw and document.
    """
    wanted = list_wanted(job)
    several = len(job.spec.outputs or list_declared(job)) > 1
    raw = job.spec.response == "raw" or (job.spec.response is None and (multipart or not several))
    if not raw or not wanted:
        document = {each.name: await _member(job, each, links, data) for each in wanted}
        return _json(document, headers or {})
    if all(each.by_reference for each in wanted):
        return _answer_links([describe_reference(job, each, links) for each in wanted], headers or {})
    if not several:
        return await _answer_bare(job, wanted[0], links, data, headers or {})
    parts = [await _part(job, each, links, data) for each in wanted]
    body, media_type = encode_parts(parts)
    return Response(body, headers={**(headers or {}), "Content-Type": media_type})


async def answer_output(
    job: ClimateJob, name: str, links: Links, data: DataRoot, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with one output by value; raises `Problem` where there is none of that name."""
    results = job.status.results or {}
    if name not in results:
        raise Problem(
            404,
            type=f"{EXCEPTIONS}no-such-output",
            title="No such output",
            detail=f"job {job.metadata.name} has no output {name!r}",
            hint=f"It has {', '.join(results) or 'none'}.",
        )
    return await _answer_bare(job, Wanted(name, results[name], by_reference=False), links, data, headers or {})


def _failure(job: ClimateJob) -> Problem:
    error = job.status.error
    if error is None:
        return Problem(
            500,
            type=f"{TYPE_PREFIX}failed",
            title="The job failed",
            detail=job.status.message or f"job {job.metadata.name} failed without saying why",
        )
    return Problem(
        400 if error.type in _AT_FAULT else 500,
        type=error.type,
        title=error.title,
        detail=error.detail,
        hint=error.hint,
    )


async def _member(job: ClimateJob, wanted: Wanted, links: Links, data: DataRoot) -> JsonValue:
    stored = None if wanted.by_reference else read_stored(wanted.value)
    content = await to_thread.run_sync(_read_file, job, wanted.name, stored, data) if stored is not None else None
    return describe_member(job, wanted, links, content)


def _answer_links(found: Sequence[Mapping[str, JsonValue]], headers: Mapping[str, str]) -> Response:
    response = Response(status_code=204, headers=dict(headers))
    for link in found:
        members = f'rel="item"; type="{link["type"]}"; title="{link["title"]}"'
        response.headers.append("Link", f"<{link['href']}>; {members}")
    return response


async def _part(job: ClimateJob, wanted: Wanted, links: Links, data: DataRoot) -> Part:
    if wanted.by_reference:
        link = describe_reference(job, wanted, links)
        return Part(wanted.name, str(link["type"]), b"", location=str(link["href"]))
    bare = await _answer_bare(job, wanted, links, data, {})
    return Part(wanted.name, bare.headers["content-type"], bytes(bare.body))


async def _answer_bare(
    job: ClimateJob, wanted: Wanted, links: Links, data: DataRoot, headers: Mapping[str, str]
) -> Response:
    stored = read_stored(wanted.value)
    if stored is not None:
        content = await to_thread.run_sync(_read_file, job, wanted.name, stored, data)
        return Response(content, headers=dict(headers), media_type=stored.media_type)
    value = describe_value(wanted.value, links)
    if isinstance(value, str):
        return Response(value, headers=dict(headers), media_type="text/plain")
    if isinstance(value, dict) and value.keys() == {"value", "mediaType"} and isinstance(value["value"], str):
        return Response(value["value"], headers=dict(headers), media_type=str(value["mediaType"]))
    return _json(value, headers)


def _read_file(job: ClimateJob, name: str, stored: StoredValue, data: DataRoot) -> bytes:
    path = value_path(job.metadata.uid, name)
    try:
        content = read_below(data, path)
    except FileNotFoundError:
        raise DataError(
            f"the output {name!r} of job {job.metadata.name} is no longer in the data root ({path})",
            hint="Submit the job again.",
        ) from None
    if len(content) != stored.size:
        raise DataError(f"the output {name!r} has {len(content)} bytes, not {stored.size}", hint="Submit it again.")
    return content


def _json(value: JsonValue, headers: Mapping[str, str]) -> Response:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Response(body.encode(), headers=dict(headers), media_type=JSON)
