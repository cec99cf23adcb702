"""The application: routes, and the one place where errors become answers."""

import logging
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote
from uuid import uuid4

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ExceptionHandler

from climatejobs.errors import TYPE_PREFIX, ClimateJobsError
from climatejobs.faults import describe_fault
from climatejobs.outbound import read_allowance
from climatejobs_api.access import admit
from climatejobs_api.answers import Answers
from climatejobs_api.auth.gate import Gate
from climatejobs_api.auth.schemes import describe_security
from climatejobs_api.context import Context, get_links
from climatejobs_api.exchange import Exchange
from climatejobs_api.fetching import Fetcher
from climatejobs_api.filters import INTERVAL, INTERVAL_WORDS
from climatejobs_api.idempotency import PATTERN
from climatejobs_api.metrics import Metrics
from climatejobs_api.problems import MEDIA_TYPE, PROBLEM_SCHEMA, Problem, answer, from_error, from_store_error
from climatejobs_api.rates import SubmissionRate
from climatejobs_api.routers import datasets, following, health, jobs, landing, processes
from climatejobs_api.settings import Settings
from climatejobs_api.store import JobStore, StoreError
from climatejobs_api.streaming import Seats
from climatejobs_api.version import VERSION

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
EXPOSED = (
    *("Location", "Content-Location", "Link", "Preference-Applied", "Retry-After", "ETag", "Age"),
    *("Content-Range", "Accept-Ranges", "WWW-Authenticate", "X-Request-ID"),
)
DESCRIPTION = "Climate computations as jobs on Kubernetes, asked for over OGC API - Processes."
SOURCE_SECONDS = 1.0
"""For how long submissions are sized by what was read of their source: they often come many at a time."""
_FORMS = {INTERVAL: INTERVAL_WORDS, PATTERN: "1 to 255 printable characters of ASCII without spaces"}
_log = logging.getLogger(__name__)


def create_app(
    settings: Settings,
    store: JobStore,
    *,
    follow: Callable[[], AbstractAsyncContextManager[None]] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    choose: Callable[[str], str] = secrets.choice,
    fetcher: Fetcher | None = None,
    new_request_id: Callable[[], str] = lambda: uuid4().hex,
    gate: Gate | None = None,
    metrics: Metrics | None = None,
) -> FastAPI:
    """Build the application; `follow` is entered for as long as it serves. Without a gate everybody gets in."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        if follow is None:
            yield
        else:
            async with follow():
                yield

    app = FastAPI(
        title="climatejobs",
        description=DESCRIPTION,
        version=VERSION,
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        responses=cast(
            dict[int | str, dict[str, Any]],
            {
                code: {"description": words, "content": {MEDIA_TYPE: {"schema": PROBLEM_SCHEMA}}}
                for code, words in (("4XX", "The request is at fault."), ("5XX", "The server or the job is at fault."))
            },
        ),
    )
    metrics = metrics or Metrics()
    app.state.context = Context(
        settings=settings,
        store=store,
        gate=gate or Gate(),
        rate=SubmissionRate(settings.submissions_per_minute, refused=metrics.count_rate_limited),
        metrics=metrics,
        fetcher=fetcher or Fetcher(read_allowance(settings.fetch_allow)),
        sources=Answers(keep=lambda _source: SOURCE_SECONDS, clock=time.monotonic),
        followers=Seats(),
        now=now,
        choose=choose,
    )
    for router in (landing.router, health.router):
        app.include_router(router)
    for router in (processes.router, jobs.router, following.router, datasets.router):
        app.include_router(router, dependencies=[Depends(admit), *describe_security(settings)])
    for kind, translate in _TRANSLATIONS:
        app.add_exception_handler(kind, _handler(settings, translate))
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=METHODS,
            allow_headers=("*",),
            expose_headers=EXPOSED,
        )
    app.add_middleware(Exchange, new_id=new_request_id, metrics=metrics, root_path=settings.root_path)
    return app


def _handler(settings: Settings, translate: Callable[[Request, Any], Problem]) -> ExceptionHandler:
    async def handle(request: Request, error: Exception) -> Response:
        problem = translate(request, error)
        if problem.status >= 500:
            _log.error("answered %s: %s", problem.status, problem.detail)
        links = await get_links(request)
        # To the letter of the standard, an exception of an execution is plain JSON.
        plain = settings.strict and problem.status == 400
        media_type = "application/json" if plain else MEDIA_TYPE
        path = quote(request.url.path.removeprefix(settings.root_path), safe="/:@!$&'()*+,;=~")
        return answer(problem, instance=f"{links.base}{path}", media_type=media_type)

    return handle


def _from_http(request: Request, error: HTTPException) -> Problem:
    if error.status_code == 405:
        allowed = ", ".join(allowed_methods(request))
        return Problem(
            405,
            detail=f"{request.url.path} does not take {request.method}; it takes {allowed}",
            headers={"Allow": allowed},
        )
    if error.status_code == 404:
        return Problem(404, detail=f"there is nothing at {request.url.path}", hint="GET / links to what there is.")
    return Problem(error.status_code, detail=str(error.detail), headers=error.headers)


def _from_validation(_request: Request, error: RequestValidationError) -> Problem:
    faults = [
        {"parameter": str(fault["loc"][1]), "detail": describe_fault(fault, _FORMS)}
        for fault in cast(Sequence[dict[str, Any]], error.errors())
    ]
    return Problem(
        400,
        type=f"{TYPE_PREFIX}invalid-parameter",
        title="Invalid parameter",
        detail="; ".join(f"{fault['parameter']}: {fault['detail']}" for fault in faults),
        errors=faults,
    )


def allowed_methods(request: Request) -> list[str]:
    """Every method that the path of the request takes, whichever route answers it."""
    routes = cast(FastAPI, request.app).routes
    found = {
        method
        for method in METHODS
        for route in routes
        if route.matches({**request.scope, "method": method})[0] is Match.FULL
    }
    return [method for method in METHODS if method in found or (method == "HEAD" and "GET" in found)]


_TRANSLATIONS: tuple[tuple[type[Exception], Callable[[Request, Any], Problem]], ...] = (
    (Problem, lambda _request, error: error),
    (ClimateJobsError, lambda _request, error: from_error(error)),
    (StoreError, lambda _request, error: from_store_error(error)),
    (HTTPException, _from_http),
    (RequestValidationError, _from_validation),
)
