"""Processes: what there is, what each takes, and how it is run."""

from typing import cast

from climatejobs.model import ClimateJob, Phase
from climatejobs.processes import PROCESSES, Process, find_process
from fastapi import APIRouter, Request
from pydantic import JsonValue
from starlette.responses import JSONResponse, Response

from climatejobs_api.context import Context, Current, Cursor, Limit, RequestLinks
from climatejobs_api.documents import Document, Link, respond
from climatejobs_api.exchange import request_id
from climatejobs_api.execution import ExecuteRequest, build_spec, make_name, read_request
from climatejobs_api.links import JSON, RELATIONS, Links
from climatejobs_api.pagination import DEFAULT_LIMIT, decode_cursor, encode_cursor
from climatejobs_api.payloads import read_object
from climatejobs_api.preferences import Preferences, choose_wait, name_applied, parse_preferences
from climatejobs_api.problems import Problem
from climatejobs_api.results import answer_results, check_results
from climatejobs_api.statusinfo import StatusInfo, describe_job
from climatejobs_api.store import Submission

router = APIRouter(prefix="/processes", tags=["processes"])


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


@router.get("", operation_id="getProcesses", summary="The processes there are", response_model=ProcessList)
async def get_processes(links: RequestLinks, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Response:
    ids = list(PROCESSES)
    last = decode_cursor(cursor) if cursor else None
    start = ids.index(last) + 1 if last in ids else 0
    page = ids[start : start + limit]
    own = [Link(href=links.to("processes"), rel="self", type=JSON, title="Processes")]
    if start + limit < len(ids):
        following = links.page("processes", limit=limit, cursor=encode_cursor(page[-1]))
        own.append(Link(href=following, rel="next", type=JSON, title="Next page"))
    summaries = [{**PROCESSES[each].summary(), "links": _process_links(each, links)} for each in page]
    return JSONResponse({"processes": summaries, "links": [link.model_dump(exclude_none=True) for link in own]})


@router.get(
    "/{process_id}",
    operation_id="getProcess",
    summary="What a process takes and gives",
    response_model=ProcessDescription,
)
async def get_process(process_id: str, links: RequestLinks) -> Response:
    return JSONResponse({**find_process(process_id).describe(), "links": _process_links(process_id, links)})


@router.post(
    "/{process_id}/execution",
    operation_id="execute",
    summary="Run a process",
    description="Waits for the result, up to a limit of the installation; past it, and always with "
    "`Prefer: respond-async`, the answer is the state of the job that was made. A body without `inputs` is flat: "
    "every member but outputs, response, subscriber and job is an input.",
    response_model=None,
    responses={
        200: {"description": "The results.", "content": {JSON: {"schema": {}}}},
        202: {"description": "The job that was made; 201 in strict mode.", "model": StatusInfo},
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
async def execute(process_id: str, request: Request, context: Current, links: RequestLinks) -> Response:
    process = find_process(process_id)
    body = await read_object(request)
    wanted = read_request(process, body, context.settings)
    job = await _submit(process, wanted, context)
    preferences = parse_preferences(request.headers.getlist("prefer"))
    longest = context.settings.sync_wait_seconds
    seconds = choose_wait(preferences, process.job_control_options, longest=longest)
    ended = await context.store.wait_for_end(job, seconds) if seconds > 0 else None
    headers = _applied(preferences, finished=ended is not None, longest=longest)
    if ended is None or ended.phase is Phase.CANCELLED:
        latest = await context.store.find(job.metadata.name) or job
        return _accepted(latest, links, headers, strict=context.settings.strict)
    headers["Link"] = f'<{links.job(job.metadata.name)}>; rel="monitor"'
    try:
        check_results(ended)
    except Problem as problem:
        problem.headers |= headers
        raise
    return await answer_results(ended, links, context.settings.data, headers=headers)


async def _submit(process: Process, wanted: ExecuteRequest, context: Context) -> ClimateJob:
    return await context.store.submit(
        Submission(
            name=make_name(process.id, context.choose),
            spec=build_spec(process, wanted, context.settings),
            inputs=wanted.inputs,
            submitted_at=context.now(),
            request_id=request_id.get(),
        )
    )


def _accepted(job: ClimateJob, links: Links, headers: dict[str, str], *, strict: bool) -> Response:
    location = {"Location": links.job(job.metadata.name)}
    return respond(describe_job(job, links), 201 if strict else 202, {**headers, **location})


def _applied(preferences: Preferences, *, finished: bool, longest: float) -> dict[str, str]:
    applied = name_applied(preferences, finished=finished, longest=longest)
    return {"Preference-Applied": applied} if applied else {}


def _process_links(process_id: str, links: Links) -> list[JsonValue]:
    own = links.process(process_id)
    found = (
        Link(href=own, rel="self", type=JSON, title="Description of the process"),
        Link(href=f"{own}/execution", rel=f"{RELATIONS}execute", type=JSON, title="Run the process"),
        Link(href=links.to("processes"), rel="up", type=JSON, title="All processes"),
    )
    return cast(list[JsonValue], [link.model_dump(exclude_none=True) for link in found])
