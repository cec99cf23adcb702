"""Jobs: which there are, how each stands, what it gave, and how it is stopped and removed."""

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator
from starlette.responses import Response

from climatejobs.model import ClimateJob
from climatejobs.ogc.documents import Link
from climatejobs.ogc.links import JSON, Links
from climatejobs.ogc.statusinfo import JobList, StatusCode, StatusInfo, describe_job, describe_removed, is_stopping
from climatejobs_api.access import CurrentAccess, mark_age
from climatejobs_api.context import Context, Current, Cursor, Limit, RequestLinks
from climatejobs_api.documents import respond
from climatejobs_api.files import matches_etag
from climatejobs_api.filters import INTERVAL, LONGEST_DURATION, JobFilter, parse_interval
from climatejobs_api.negotiation import require_json, wants_multipart
from climatejobs_api.pagination import DEFAULT_LIMIT, Direction, decode_place, encode_place
from climatejobs_api.polling import retry_after
from climatejobs_api.problems import no_such_job
from climatejobs_api.results import OUTPUT_CONTENT, RESULTS_CONTENT, answer_output, answer_results, check_results
from climatejobs_api.store import position_of

router = APIRouter(prefix="/jobs", tags=["jobs"], dependencies=[Depends(mark_age)])


JobId = Annotated[str, Path(alias="jobId", description="Id of a job.")]
OutputId = Annotated[str, Path(alias="outputId", description="Name of an output of the job's process.")]


_UNCHANGED: dict[str, Any] = {"description": "Nothing has changed since the ETag in If-None-Match was given."}


def _split(values: object) -> object:
    if not isinstance(values, list):
        return values
    return [part for value in values for part in str(value).split(",")]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # as they come in a query


Types = Annotated[
    tuple[Literal["process"], ...],
    BeforeValidator(_split),
    Query(alias="type", description="Types of jobs; there is one."),
]
Processes = Annotated[
    tuple[str, ...],
    BeforeValidator(_split),
    Query(alias="processID", description="Only jobs of these processes."),
]
Statuses = Annotated[
    tuple[StatusCode, ...],
    BeforeValidator(_split),
    Query(alias="status", description="Only jobs of these states."),
]
Created = Annotated[
    str | None,
    Query(
        alias="datetime",
        pattern=INTERVAL,
        description="Only jobs created at that moment, or between two with a slash between them; `..` is an open end.",
    ),
]
Duration = Annotated[int | None, Query(ge=0, le=LONGEST_DURATION)]


async def read_filter(  # noqa: PLR0917  # by position or by name: the framework decides
    context: Current,
    _types: Types = (),
    processes: Processes = (),
    statuses: Statuses = (),
    created: Created = None,
    min_seconds: Annotated[Duration, Query(alias="minDuration", description="Only jobs that took so long.")] = None,
    max_seconds: Annotated[Duration, Query(alias="maxDuration", description="Only jobs that took no longer.")] = None,
) -> JobFilter:
    """The conditions that the address names."""
    try:
        interval = parse_interval(created) if created is not None else None
    except ValueError as error:
        raise RequestValidationError(
            [{"type": "value_error", "loc": ("query", "datetime"), "msg": str(error), "input": created}]
        ) from None
    return JobFilter(context.now(), processes, statuses, interval, min_seconds, max_seconds)


@router.get(
    "",
    operation_id="getJobs",
    summary="The jobs there are, newest first",
    response_model=JobList,
    dependencies=[Depends(require_json)],
)
async def get_jobs(  # noqa: PLR0917  # by position or by name: the framework decides
    request: Request,
    context: Current,
    links: RequestLinks,
    conditions: Annotated[JobFilter, Depends(read_filter)],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    store, selection = context.store, conditions.select()
    place = decode_place(cursor) if cursor else None
    backwards = place is not None and place.direction is Direction.NEWER
    # One more than the page holds says whether another follows: looking for it could mean going through all jobs again.
    if place is not None and backwards:
        found = store.newer(limit + 1, than=place.position, selection=selection)
        page = found[-limit:]
    else:
        found = store.older(limit + 1, than=place.position if place else None, selection=selection)
        page = found[:limit]
    own = [Link(href=_page(links, request, cursor), rel="self", type=JSON, title="Jobs")]
    if page:
        more = len(found) > limit
        last, first = (position_of(job.submitted_at, job.metadata.name) for job in (page[-1], page[0]))
        if store.older(1, than=last, selection=selection) if backwards else more:
            href = _page(links, request, encode_place(Direction.OLDER, last))
            own.append(Link(href=href, rel="next", type=JSON, title="Older jobs"))
        if more if backwards else place is not None and store.newer(1, than=first, selection=selection):
            href = _page(links, request, encode_place(Direction.NEWER, first))
            own.append(Link(href=href, rel="prev", type=JSON, title="Newer jobs"))
    jobs = tuple(describe_job(job, links, store.place_in_line(job)) for job in page)
    return respond(JobList(jobs=jobs, links=tuple(own)))


@router.get(
    "/{jobId}",
    operation_id="getStatus",
    summary="How a job stands",
    response_model=StatusInfo,
    responses={304: _UNCHANGED},
    dependencies=[Depends(require_json)],
)
async def get_status(job_id: JobId, request: Request, context: Current, links: RequestLinks) -> Response:
    job = await find_job(context, job_id)
    place = context.store.place_in_line(job)
    headers = {**_validators(job, place), **retry_after(job, context.now())}
    if _is_known(request, job, place):
        return Response(status_code=304, headers=headers)
    return respond(describe_job(job, links, place), headers=headers)


@router.delete(
    "/{jobId}",
    operation_id="dismiss",
    summary="Stop a job, or remove the record of one that has ended",
    response_model=StatusInfo,
)
async def dismiss(job_id: JobId, context: Current, links: RequestLinks, access: CurrentAccess) -> Response:
    job = await find_job(context, job_id)
    # As kubectl would have it: a live job is changed, an ended one deleted.
    await access.require("delete" if job.phase.terminal else "patch", job_id)
    if job.phase.terminal:
        await context.store.remove(job)
        return respond(describe_removed(job, links))
    if not is_stopping(job):
        job = await context.store.cancel(job)
    return respond(describe_job(job, links))


@router.get(
    "/{jobId}/results",
    operation_id="getResult",
    summary="What a job gave",
    response_model=None,
    responses={
        200: {"description": "The results.", "content": RESULTS_CONTENT},
        204: {"description": "The results, as Link headers."},
        304: _UNCHANGED,
    },
)
async def get_results(job_id: JobId, request: Request, context: Current, links: RequestLinks) -> Response:
    job = await find_job(context, job_id)
    check_results(job)
    # Which of the two forms is answered may hang on Accept.
    headers = {**_validators(job), "Vary": "Accept"}
    if _is_known(request, job):
        return Response(status_code=304, headers=headers)
    parts = context.settings.strict or wants_multipart(request)
    return await answer_results(job, links, context.settings.data, multipart=parts, headers=headers)


@router.get(
    "/{jobId}/results/{outputId}",
    operation_id="getOutput",
    summary="One output of a job",
    response_model=None,
    responses={200: {"description": "The output.", "content": OUTPUT_CONTENT}, 304: _UNCHANGED},
)
async def get_output(
    job_id: JobId, output: OutputId, request: Request, context: Current, links: RequestLinks
) -> Response:
    job = await find_job(context, job_id)
    check_results(job)
    headers = _validators(job)
    if output in (job.status.results or {}) and _is_known(request, job):
        return Response(status_code=304, headers=headers)
    return await answer_output(job, output, links, context.settings.data, headers)


async def find_job(context: Context, job_id: str) -> ClimateJob:
    """The job of that id; raises `Problem` 404."""
    job = await context.store.find(job_id)
    if job is None:
        raise no_such_job(job_id)
    return job


def _validators(job: ClimateJob, place: int | None = None) -> dict[str, str]:
    return {"ETag": f"W/{_etag(job, place)}", "Cache-Control": "no-cache"}


def _is_known(request: Request, job: ClimateJob, place: int | None = None) -> bool:
    """Whether the client holds the answer already."""
    return matches_etag(request.headers.get("if-none-match"), _etag(job, place))


def _etag(job: ClimateJob, place: int | None) -> str:
    """A job moves on in line without a change of its own."""
    where = "" if place is None else f"-{place}"
    return f'"{job.metadata.uid}-{job.metadata.resource_version}{where}"'


def _page(links: Links, request: Request, cursor: str | None) -> str:
    """The address of a page under the same conditions."""
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    query += [("cursor", cursor)] if cursor else []
    return links.to("jobs") + (f"?{urlencode(query)}" if query else "")
