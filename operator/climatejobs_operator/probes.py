"""The HTTP server of probes and measurements.

/healthz is 200 while the operator hears and works, else 503 with the reason. /readyz is 200 as soon as the process
serves, leading or not: a standby takes requests, and passes them on. /metrics has all measurements.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiohttp import web

from climatejobs_operator.health import Health
from climatejobs_operator.metrics import MEDIA_TYPE, Metrics


def build_app(health: Health, metrics: Metrics) -> web.Application:
    """The application."""

    async def answer_health(_request: web.Request) -> web.Response:
        trouble = health.find_trouble()
        body = {"status": "ok" if trouble is None else "stuck", "reason": trouble, **health.describe()}
        return web.json_response(body, status=200 if trouble is None else 503)

    async def answer_readiness(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", **health.describe()})

    async def answer_metrics(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": MEDIA_TYPE})

    app = web.Application()
    app.router.add_get("/metrics", answer_metrics)
    app.router.add_get("/healthz", answer_health)
    app.router.add_get("/readyz", answer_readiness)
    return app


@asynccontextmanager
async def serve(app: web.Application, port: int) -> AsyncGenerator[None]:
    """Serve an application on all interfaces for as long as the context lasts."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, port=port).start()
    try:
        yield
    finally:
        await runner.cleanup()
