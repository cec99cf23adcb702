"""Processes: what there is, what each takes, and how it is run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, cast

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Path, Request
from pydantic import JsonValue
from starlette.responses import JSONResponse, Response

from climatejobs.datasets import Dataset
from climatejobs.errors import DataError, NoSuchDataset
from climatejobs.model import ClimateJob, Phase
from climatejobs.ogc.documents import Document, Link
from climatejobs.ogc.links import JSON, RELATIONS, Links
from climatejobs.ogc.statusinfo import StatusInfo, describe_job
from climatejobs.processes import PROCESSES, Process, find_process
from climatejobs_api.access import CurrentAccess
from climatejobs_api.context import Context, Current, Cursor, Limit, RequestLinks
from climatejobs_api.datasets import read_dataset
from climatejobs_api.documents import add_links, respond
from climatejobs_api.exchange import request_id
from climatejobs_api.execution import ExecuteRequest, build_spec, frame_body, make_name, pointing_into, read_request
from climatejobs_api.files import DataRoot
from climatejobs_api.idempotency import PATTERN, check_repetition, derive_name, digest_request
from climatejobs_api.inputs import fetch_references
from climatejobs_api.negotiation import require_json, wants_multipart
from climatejobs_api.pagination import DEFAULT_LIMIT, decode_cursor, encode_cursor
from climatejobs_api.payloads import read_object
from climatejobs_api.polling import retry_after
from climatejobs_api.preferences import Preferences, choose_wait, name_applied, parse_preferences
from climatejobs_api.problems import Problem
from climatejobs_api.results import RESULTS_CONTENT, answer_results, check_results
from climatejobs_api.sizing import size_request, source_of
from climatejobs_api.store import JobStore, NameTaken, Submission

router = APIRouter(prefix="/processes", tags=["processes"])

ProcessId = Annotated[str, Path(alias="processID", description="Id of a process.")]
Prefer = Annotated[
    str | None,
    Header(alias="Prefer", description="`respond-async` to be answered at once, `wait=N` to wait N seconds at most."),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=PATTERN,
        description="A request that is sent again under the same key makes no second job.",
    ),
]


class ProcessSummary(Document):
    """A process in a list."""

    id: str
    version: str
    title: str
    description: str
    keywords: tuple[str, ...]
    job_control_options: tuple[str, ...]
    output_transmission: tuple[str, ...]
    links: tuple[Link, ...]


class ProcessDescription(ProcessSummary):
    """What a process takes and gives."""

    inputs: dict[str, JsonValue]
    outputs: dict[str, JsonValue]


class ProcessList(Document):
    """A page of processes."""

    processes: tuple[ProcessSummary, ...]
    links: tuple[Link, ...]


@router.get(
    "",
    operation_id="getProcesses",
    summary="The processes there are",
    response_model=ProcessList,
    dependencies=[Depends(require_json)],
)
async def get_processes(links: RequestLinks, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Response:
    ids = list(PROCESSES)
    last = decode_cursor(cursor) if cursor else None
    start = ids.index(last) + 1 if last in ids else 0
    page = ids[start : start + limit]
    own = [Link(href=links.to("processes"), rel="self", type=JSON, title="Processes")]
    if start + limit < len(ids):
        following = links.page("processes", limit=limit, cursor=encode_cursor(page[-1]))
        own.append(Link(href=following, rel="next", type=JSON, title="Next page"))
    summaries = [{**PROCESSES[each].summary(), "links": _dump(_process_links(each, links))} for each in page]
    return _respond({"processes": cast(JsonValue, summaries)}, own)


@router.get(
    "/{processID}",
    operation_id="getProcess",
    summary="What a process takes and gives",
    response_model=ProcessDescription,
    dependencies=[Depends(require_json)],
)
async def get_process(process_id: ProcessId, links: RequestLinks) -> Response:
    return _respond(find_process(process_id).describe(), _process_links(process_id, links))


@router.post(
    "/{processID}/execution",
    operation_id="execute",
    summary="Run a process",
    description="Waits for the result, up to a limit of the installation; past it, and always with "
    "`Prefer: respond-async`, the answer is the state of the job that was made. A body without `inputs` is flat: "
    "every member but outputs, response, subscriber and job is an input.",
    response_model=None,
    responses={
        200: {"description": "The results.", "content": RESULTS_CONTENT},
        202: {"description": "The job that was made.", "model": StatusInfo},
        204: {"description": "The results, as Link headers."},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": {"type": "object"},
                    "examples": {
                        process.id: {"value": {"inputs": dict(process.examples[0])}}
                        for process in PROCESSES.values()
                        if process.examples
                    },
                }
            },
        }
    },
)
async def execute(  # noqa: PLR0917  # by position or by name: the framework decides
    process_id: ProcessId,
    request: Request,
    context: Current,
    links: RequestLinks,
    access: CurrentAccess,
    _prefer: Prefer = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    process = find_process(process_id)
    body = await read_object(request, context.settings.max_body_bytes)
    wanted = await _size(process, await _read(process, body, context), context)
    submission = Submission(
        name=make_name(process.id, context.choose),
        spec=build_spec(process, wanted, context.settings, submitted_by=access.caller.name),
        inputs=wanted.inputs,
        submitted_at=context.now(),
        request_id=request_id.get(),
        base_url=links.base if wanted.subscriber is not None else None,
    )
    if idempotency_key is None:
        job = await context.store.submit(submission)
    else:
        name = derive_name(access.caller.name or "", idempotency_key)
        job = await _submit_once(context.store, replace(submission, name=name, digest=digest_request(process.id, body)))
    preferences = parse_preferences(request.headers.getlist("prefer"))
    longest = context.settings.sync_wait_seconds
    seconds = choose_wait(preferences, process.job_control_options, longest=longest)
    ended = await context.store.wait_for_end(job, seconds) if seconds > 0 else None
    headers = _applied(preferences, finished=ended is not None, longest=longest)
    if ended is None or ended.phase is Phase.CANCELLED:
        latest = await context.store.find(job.metadata.name) or job if seconds > 0 else job
        headers |= {"Location": links.job(job.metadata.name), **retry_after(latest, context.now())}
        place = context.store.place_in_line(latest)
        return respond(describe_job(latest, links, place), 201 if context.settings.strict else 202, headers)
    headers["Link"] = f'<{links.job(job.metadata.name)}>; rel="monitor"'
    try:
        check_results(ended)
    except Problem as problem:
        problem.headers |= headers
        raise
    parts = context.settings.strict or wants_multipart(request)
    return await answer_results(ended, links, context.settings.data, multipart=parts, headers=headers)


async def _read(process: Process, body: Mapping[str, JsonValue], context: Context) -> ExecuteRequest:
    framed = frame_body(body)
    inputs = framed["inputs"]
    if not isinstance(inputs, dict):
        return read_request(process, body, context.settings)
    with pointing_into(body):
        fetched = await fetch_references(inputs, context.fetcher.fetch)
    return read_request(process, {**body, **({"inputs": fetched} if "inputs" in body else fetched)}, context.settings)


async def _size(process: Process, wanted: ExecuteRequest, context: Context) -> ExecuteRequest:
    source_id = source_of(process, wanted)
    if source_id is None:
        return wanted
    source = await context.sources.find(source_id, lambda: _find_source(context.settings.data, source_id))
    return wanted if source is None else size_request(process, wanted, source, context.settings)


async def _find_source(data: DataRoot, source_id: str) -> Dataset | None:
    try:
        return await to_thread.run_sync(read_dataset, data, source_id)
    except (NoSuchDataset, DataError):
        # The runner says what is wrong with it: that may have changed by the time it looks.
        return None


async def _submit_once(store: JobStore, submission: Submission) -> ClimateJob:
    try:
        return await store.submit(submission)
    except NameTaken:
        job = await store.find(submission.name)
        if job is None:
            raise
        check_repetition(job, submission.digest)
        return job


def _applied(preferences: Preferences, *, finished: bool, longest: float) -> dict[str, str]:
    applied = name_applied(preferences, finished=finished, longest=longest)
    return {"Preference-Applied": applied} if applied else {}


def _respond(members: Mapping[str, JsonValue], links: Sequence[Link]) -> Response:
    response = JSONResponse({**members, "links": _dump(links)})
    add_links(response, links)
    return response


def _dump(links: Sequence[Link]) -> list[JsonValue]:
    return cast(list[JsonValue], [link.model_dump(exclude_none=True) for link in links])


def _process_links(process_id: str, links: Links) -> tuple[Link, ...]:
    own = links.process(process_id)
    return (
        Link(href=own, rel="self", type=JSON, title="Description of the process"),
        Link(href=f"{own}/execution", rel=f"{RELATIONS}execute", type=JSON, title="Run the process"),
        Link(href=links.to("processes"), rel="up", type=JSON, title="All processes"),
    )
