"""The HTTP server of the probes: /healthz is 200 while the operator hears and works, else 503 with the reason."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiohttp import web

from climatejobs_operator.pulse import Pulse


def build_app(pulse: Pulse) -> web.Application:
    """The application."""

    async def answer(_request: web.Request) -> web.Response:
        trouble = pulse.find_trouble()
        body = {"status": "ok" if trouble is None else "stuck", "reason": trouble, **pulse.describe()}
        return web.json_response(body, status=200 if trouble is None else 503)

    app = web.Application()
    app.router.add_get("/healthz", answer)
    return app


@asynccontextmanager
async def serve_probes(pulse: Pulse, port: int) -> AsyncGenerator[None]:
    """Serve the probes on all interfaces for as long as the context lasts."""
    runner = web.AppRunner(build_app(pulse), access_log=None, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, port=port).start()
    try:
        yield
    finally:
        await runner.cleanup()
