"""A small HTTP server in the place of the API server, and the client connected to it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from climatejobs_operator.cluster import Cluster


@asynccontextmanager
async def serve(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncGenerator[Cluster]:
    """A client of the namespace `climate`, whose every request is answered by `answer`."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as running, aiohttp.ClientSession() as session:
        yield Cluster(session, str(running.make_url("")).rstrip("/"), "climate")
