"""Whether the program is in order (`/livez`) and can answer (`/readyz`)."""

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from climatejobs_api.context import Current

router = APIRouter(tags=["health"], include_in_schema=False)


@router.get("/livez")
async def get_liveness(context: Current) -> Response:
    return _answer(context.store.alive, "jobs are no longer followed")


@router.get("/readyz")
async def get_readiness(context: Current) -> Response:
    return _answer(context.store.synced, "the jobs have not been read from the cluster yet")


def _answer(good: bool, otherwise: str) -> Response:
    return PlainTextResponse("ok" if good else otherwise, status_code=200 if good else 503)
