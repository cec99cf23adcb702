"""Jobs: which there are, how each stands, what it gave, and how it is stopped and removed."""

from climatejobs.model import ClimateJob
from fastapi import APIRouter
from starlette.responses import Response

from climatejobs_api.context import Context, Current, Cursor, Limit, RequestLinks
from climatejobs_api.documents import Link, respond
from climatejobs_api.links import JSON
from climatejobs_api.pagination import DEFAULT_LIMIT, decode_position, encode_position
from climatejobs_api.problems import no_such_job
from climatejobs_api.results import answer_output, answer_results, check_results
from climatejobs_api.statusinfo import JobList, StatusInfo, describe_job, describe_removed, is_stopping
from climatejobs_api.store import position_of

router = APIRouter(prefix="/jobs", tags=["jobs"])


@router.get("", operation_id="getJobs", summary="The jobs there are, newest first", response_model=JobList)
async def get_jobs(
    context: Current, links: RequestLinks, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response:
    before = decode_position(cursor) if cursor else None
    found = context.store.newest(limit + 1, before=before)
    page = found[:limit]
    own = [Link(href=links.to("jobs"), rel="self", type=JSON, title="Jobs")]
    if len(found) > limit:
        last = position_of(page[-1].submitted_at, page[-1].metadata.name)
        following = links.page("jobs", limit=limit, cursor=encode_position(last))
        own.append(Link(href=following, rel="next", type=JSON, title="Older jobs"))
    return respond(JobList(jobs=tuple(describe_job(job, links) for job in page), links=tuple(own)))


@router.get("/{job_id}", operation_id="getStatus", summary="How a job stands", response_model=StatusInfo)
async def get_status(job_id: str, context: Current, links: RequestLinks) -> Response:
    return respond(describe_job(await _find(context, job_id), links))


@router.delete(
    "/{job_id}",
    operation_id="dismiss",
    summary="Stop a job, or remove the record of one that has ended",
    response_model=StatusInfo,
)
async def dismiss(job_id: str, context: Current, links: RequestLinks) -> Response:
    job = await _find(context, job_id)
    if job.phase.terminal:
        await context.store.remove(job)
        return respond(describe_removed(job, links))
    if not is_stopping(job):
        job = await context.store.cancel(job)
    return respond(describe_job(job, links))


@router.get(
    "/{job_id}/results",
    operation_id="getResult",
    summary="What a job gave",
    response_model=None,
    responses={
        200: {"description": "The results.", "content": {JSON: {"schema": {}}}},
        204: {"description": "The results, as Link headers."},
    },
)
async def get_results(job_id: str, context: Current, links: RequestLinks) -> Response:
    job = await _find(context, job_id)
    check_results(job)
    return await answer_results(job, links, context.settings.data)


@router.get(
    "/{job_id}/results/{output}",
    operation_id="getOutput",
    summary="One output of a job",
    response_model=None,
    responses={200: {"description": "The output.", "content": {JSON: {"schema": {}}}}},
)
async def get_output(job_id: str, output: str, context: Current, links: RequestLinks) -> Response:
    job = await _find(context, job_id)
    check_results(job)
    return await answer_output(job, output, links, context.settings.data)


async def _find(context: Context, job_id: str) -> ClimateJob:
    job = await context.store.find(job_id)
    if job is None:
        raise no_such_job(job_id)
    return job
