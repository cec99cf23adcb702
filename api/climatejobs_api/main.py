"""The program: settings from the environment, the cluster, and a server that stops within about a second."""

import asyncio
import gc
import logging
import signal
import sys
from types import FrameType
from typing import NoReturn

import uvicorn
import uvloop
from pydantic import ValidationError

from climatejobs_api import logs
from climatejobs_api.app import create_app
from climatejobs_api.auth.gate import Gate, GuardedGate
from climatejobs_api.auth.keys import KeySource
from climatejobs_api.auth.oidc import Claims, OidcAuthenticator
from climatejobs_api.cluster.client import ClusterClient
from climatejobs_api.cluster.jobs import ClusterJobs
from climatejobs_api.cluster.reviews import ClusterReviews
from climatejobs_api.metrics import Metrics
from climatejobs_api.settings import PREFIX, Settings
from climatejobs_api.store import NoStore

GRACE_SECONDS = 20
"""For answers that are on their way when the program is told to stop; with what a pod waits before that, less than the
30 s after which Kubernetes kills. Whoever waits for a job gets an answer at once."""
KEEP_ALIVE_SECONDS = 75
"""Longer than proxies keep idle connections, so that none of them sends a request into one that is being closed."""
_log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """A server that ends all waiting when it is told to stop, so that waiting clients still get an answer."""

    def __init__(self, config: uvicorn.Config, jobs: ClusterJobs) -> None:
        super().__init__(config)
        self._jobs = jobs
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._jobs.stop_waiting)
        super().handle_exit(sig, frame)


def settle() -> None:
    """Leave out of the garbage collector's rounds what will stay.

    Going through 50,000 jobs and the program itself stops all answers for some 40 ms, again and again.
    """
    gc.collect()
    gc.freeze()


def build_gate(settings: Settings, client: ClusterClient) -> Gate:
    """The gate that the settings ask for; the cluster decides who may do what, whoever says who somebody is."""
    if settings.auth_mode == "none":
        _log.warning("AUTHENTICATION IS OFF: everybody who reaches this API may submit, stop and remove jobs")
        return Gate()
    reviews = ClusterReviews(client, settings.namespace, audiences=settings.auth_audiences)
    authenticator = reviews if settings.auth_mode == "kubernetes" else _trust_issuer(settings)
    return GuardedGate(authenticator, reviews, namespace=settings.namespace, keep_seconds=settings.auth_keep_seconds)


def _trust_issuer(settings: Settings) -> OidcAuthenticator:
    issuer = settings.oidc_issuer or ""
    claims = Claims(
        issuer=issuer,
        audience=settings.oidc_audience or "",
        username=settings.oidc_username_claim,
        username_prefix=settings.oidc_username_prefix,
        groups=settings.oidc_groups_claim,
        groups_prefix=settings.oidc_groups_prefix,
    )
    return OidcAuthenticator(claims, KeySource(issuer, settings.oidc_keys_url).fetch)


async def serve(settings: Settings) -> None:
    """Serve until told to stop."""
    metrics = Metrics()
    client = await ClusterClient.connect(settings.namespace, observe=metrics.observe_call)
    jobs = ClusterJobs(client, stale_seconds=settings.stale_seconds, listed=settle)
    metrics.watch_copy(jobs)
    app = create_app(settings, jobs, follow=jobs.follow, gate=build_gate(settings, client), metrics=metrics)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    await Server(config, jobs).serve()


def main() -> None:
    """Entry point of `climatejobs-api`."""
    try:
        settings = Settings()
    except ValidationError as error:
        for details in error.errors(include_url=False):
            name = "".join(str(part) for part in details["loc"][:1])
            variable = f"{name if name.isupper() else PREFIX + name.upper()}: " if name else ""
            print(f"climatejobs-api: {variable}{details['msg']}", file=sys.stderr)  # noqa: T201  # no log yet
        sys.exit(78)
    # The server raises the signal again once it has stopped; being told to stop is not a failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)
    logs.configure(settings.log_level, settings.log_format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(serve(settings))
        except NoStore as error:
            print(f"climatejobs-api: {error}", file=sys.stderr)  # noqa: T201  # for whoever started it by hand
            sys.exit(78)


def _exit(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)
