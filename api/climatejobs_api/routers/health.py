"""Whether the program is in order (`/livez`) and can answer (`/readyz`, with every check: `?verbose`); `/metrics`."""

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from climatejobs_api.context import Current
from climatejobs_api.metrics import MEDIA_TYPE
from climatejobs_api.store import JobStore

router = APIRouter(tags=["health"], include_in_schema=False)


@router.get("/livez")
async def get_liveness(context: Current) -> Response:
    return _answer(context.store.alive, "jobs are no longer followed")


@router.get("/readyz")
async def get_readiness(request: Request, context: Current) -> Response:
    store = context.store
    checks = {
        "jobs-followed": None if store.alive else "jobs are no longer followed",
        "jobs-read": None if store.synced else "the jobs have not been read from the cluster yet",
        "jobs-current": describe_age(store, context.settings.stale_seconds),
    }
    reasons = [reason for reason in checks.values() if reason]
    if "verbose" not in request.query_params:
        return _answer(not reasons, "; ".join(reasons))
    lines = [f"[-]{name} failed: {reason}" if reason else f"[+]{name} ok" for name, reason in checks.items()]
    lines.append(f"readyz check {'failed' if reasons else 'passed'}")
    return _answer(not reasons, "\n".join(lines), good="\n".join(lines))


@router.get("/metrics")
async def get_metrics(context: Current) -> Response:
    return Response(context.metrics.render(), media_type=MEDIA_TYPE)


def describe_age(store: JobStore, longest: float) -> str | None:
    """What is wrong with the age of what is read here, if it is too great."""
    if not store.synced or store.age <= longest:
        return None
    return f"the cluster has not been heard of for {store.age:.0f} s"


def _answer(passed: bool, otherwise: str, *, good: str = "ok") -> Response:
    return PlainTextResponse(good if passed else otherwise, status_code=200 if passed else 503)
