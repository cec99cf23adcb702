"""A job while it runs: its changes as they happen, and what it writes."""

import asyncio
from contextlib import AsyncExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response

from climatejobs_api.access import mark_age
from climatejobs_api.context import Current, RequestLinks
from climatejobs_api.events import HEADERS, MEDIA_TYPE, stream_events
from climatejobs_api.exchange import is_head
from climatejobs_api.joblog import check_shard, choose_run, keep_tail, log_not_ready
from climatejobs_api.routers.jobs import JobId, find_job
from climatejobs_api.store import NoLog
from climatejobs_api.streaming import TEXT, Stream, follow_log, read_log

router = APIRouter(prefix="/jobs/{jobId}", tags=["jobs"], dependencies=[Depends(mark_age)])

LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", max_length=64, description="Id of the last event that was received.")
]
Follow = Annotated[bool, Query(description="Go on for as long as the job writes.")]
Tail = Annotated[int | None, Query(ge=0, le=1000000, description="Only so many lines, the last ones.")]
Attempt = Annotated[
    int | None, Query(ge=1, le=1000, description="The log of that attempt, counted from 1; else the newest there is.")
]
Shard = Annotated[int, Query(ge=0, le=1000, description="The log of that share of the work, counted from 0.")]
_EVENT: dict[str, Any] = {
    "type": "object",
    "title": "Event",
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string", "description": "Version of the job."},
        "event": {"type": "string", "enum": ["status"]},
        "data": {"type": "string", "contentMediaType": "application/json", "description": "The state of the job."},
    },
}
"""One event; the stream is a sequence of them."""


@router.get(
    "/events",
    operation_id="getEvents",
    summary="How a job stands, as it changes",
    description="Server-sent events, each with the state of the job as JSON. The stream ends when the job does.",
    response_class=Response,
    responses={
        200: {"description": "The events.", "content": {MEDIA_TYPE: {"schema": _EVENT}}},
        204: {"description": "The job has ended, and the last event was received: there is nothing more to come."},
    },
)
async def get_events(
    job_id: JobId, request: Request, context: Current, links: RequestLinks, last_id: LastEventId = None
) -> Response:
    job = await find_job(context, job_id)
    if job.phase.terminal and last_id == job.metadata.resource_version:
        # What makes a browser's EventSource stop, which else would connect for ever.
        return Response(status_code=204)
    if is_head(request):
        return Response(headers={**HEADERS, "Content-Type": MEDIA_TYPE})
    events = stream_events(
        job,
        context.store,
        links,
        last_id=last_id,
        seconds=context.settings.stream_seconds,
        clock=asyncio.get_running_loop().time,
    )
    return Stream(events, media_type=MEDIA_TYPE, headers=HEADERS)


@router.get(
    "/logs",
    operation_id="getLog",
    summary="What a job writes",
    description="From the pod that runs it; of a job whose pods are gone, the end of its latest failed attempt.",
    response_class=Response,
    responses={
        200: {"description": "The log.", "content": {"text/plain": {"schema": {"type": "string"}}}},
        404: {"description": "There is no such job, or nothing has been written yet."},
        410: {"description": "The pods are gone, and their logs with them."},
        503: {"description": "So many logs are being followed already that another has to wait."},
    },
)
async def get_log(  # noqa: PLR0917  # by position or by name: the framework decides
    job_id: JobId,
    request: Request,
    context: Current,
    follow: Follow = False,
    tail: Tail = None,
    attempt: Attempt = None,
    shard: Shard = 0,
) -> Response:
    job = await find_job(context, job_id)
    check_shard(job, shard)
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
    run = choose_run(job, await context.store.list_runs(job, shard), attempt)
    if run is None:
        return Response(keep_tail(job, attempt, tail), headers={**headers, "Content-Type": TEXT})
    if is_head(request):
        return Response(headers={**headers, "Content-Type": TEXT})
    if follow:
        leave = context.followers.take()
        return Stream(follow_log(context.store, run, tail), media_type=TEXT, headers=headers, ended=leave)
    async with AsyncExitStack() as stack:
        try:
            pieces = await stack.enter_async_context(context.store.open_log(run, follow=False, tail=tail))
        except NoLog:
            if not job.phase.terminal:
                raise log_not_ready(job) from None
            return Response(keep_tail(job, attempt, tail), headers={**headers, "Content-Type": TEXT})
        return Stream(read_log(stack.pop_all(), pieces), media_type=TEXT, headers=headers)
