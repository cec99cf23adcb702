"""A proxy between the operator and its API server that does what networks and busy servers do, when told to."""

import asyncio
import base64
import json
import ssl
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from tests.cluster_objects import Manifest
from tests.loops import TidyLoop

type Filter = Callable[[Manifest], int]
"""How often an event of a watch is passed on: 0 loses it, 2 repeats it."""

_HOP_BY_HOP = {"host", "connection", "transfer-encoding", "content-length", "accept-encoding", "content-encoding"}
_FOREVER = aiohttp.ClientTimeout(total=None)


@dataclass
class Refusal:
    """What the next requests that fit are answered instead of being passed on."""

    method: str
    path: str
    """Part of the path."""
    status: int
    times: int = 1
    retry_after: int | None = None
    at: list[float] = field(default_factory=list[float])
    """When it was given, by the monotonic clock."""

    def fits(self, request: web.Request) -> bool:
        return self.times > len(self.at) and request.method == self.method and self.path in request.path


@dataclass(frozen=True)
class Delay:
    """What keeps requests of one kind up."""

    method: str
    path: str
    """Part of the path."""
    seconds: float
    of_answer: bool = False
    """Whether the answer is late and not the request: what it asks for has been done in time then."""

    def fits(self, request: web.Request) -> bool:
        return request.method == self.method and self.path in request.path


class Outage(Enum):
    """What becomes of the traffic while the two are cut off from each other."""

    REFUSED = "refused"
    """Connections are broken off, those that are open as well as new ones."""
    SILENT = "silent"
    """Connections stay open, and nothing comes through."""


class Proxy:
    """The proxy. Its event loop runs in a thread; everything here may be called from the test's."""

    def __init__(self, kubeconfig: Path) -> None:
        cluster: Manifest = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._upstream: str = cluster["server"].rstrip("/")
        self._tls = ssl.create_default_context(cadata=authority)
        self._loop = TidyLoop()
        self._session: aiohttp.ClientSession
        self._watches: dict[web.StreamResponse, asyncio.Task[Any] | None] = {}
        self.filter: Filter = lambda _event: 1
        self.refusals: list[Refusal] = []
        self.arrivals: list[tuple[float, str, str]] = []
        """Time, method and path of each request."""
        self.delays: list[Delay] = []
        self.port = 0
        self._outage: Outage | None = None
        self._outage_ends: asyncio.Event

    @contextmanager
    def run(self) -> Generator[None]:
        """Serve on a port of the loopback for as long as the context lasts."""
        started, ended = threading.Event(), asyncio.Event()

        async def serve() -> None:
            application = web.Application(client_max_size=4 << 20)
            application.router.add_route("*", "/{path:.*}", self._answer)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = runner.addresses[0][1]
            connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
            async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
                self._session = session
                started.set()
                await ended.wait()
                await runner.cleanup()
                left = asyncio.all_tasks() - {asyncio.current_task()}
                for task in left:
                    task.cancel()
                await asyncio.gather(*left, return_exceptions=True)

        thread = threading.Thread(target=lambda: self._loop.run_until_complete(serve()))
        thread.start()
        try:
            if not started.wait(10):
                raise TimeoutError("the proxy did not start")
            yield
        finally:
            self._loop.call_soon_threadsafe(ended.set)
            thread.join()
            self._loop.close()

    def refuse(self, method: str, path: str, status: int, times: int = 1, retry_after: int | None = None) -> Refusal:
        """Answer the next requests that fit with an error."""
        refusal = Refusal(method, path, status, times, retry_after)
        self.refusals.append(refusal)
        return refusal

    def say_in_watches(self, code: int) -> int:
        """End every watch with an error of the API server's; how many there were."""
        error = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": f"fault {code}"}
        line = json.dumps({"type": "ERROR", "object": error}).encode() + b"\n"

        async def say() -> int:
            watches = dict(self._watches)
            for response, task in watches.items():
                await response.write(line)
                if task is not None:
                    task.cancel()
            return len(watches)

        return asyncio.run_coroutine_threadsafe(say(), self._loop).result(10)

    def find_writes(self, but: str) -> list[float]:
        """When somebody tried to write anything, but what has `but` in its path."""
        return [at for at, method, path in self.arrivals if method != "GET" and but not in path]

    def cut(self, outage: Outage) -> None:
        """Let nothing through any more, in either direction."""

        async def cut() -> None:
            self._outage, self._outage_ends = outage, asyncio.Event()
            if outage is Outage.REFUSED:
                for task in self._watches.values():
                    if task is not None:
                        task.cancel()

        asyncio.run_coroutine_threadsafe(cut(), self._loop).result(10)

    def mend(self) -> None:
        """Let everything through again that comes from now on; what was under way is lost."""

        async def mend() -> None:
            self._outage = None
            self._outage_ends.set()

        asyncio.run_coroutine_threadsafe(mend(), self._loop).result(10)

    @property
    def watches(self) -> int:
        """Watches that are open."""
        return len(self._watches)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.arrivals.append((time.monotonic(), request.method, request.path))
        if self._outage is not None:
            return await self._lose(request)
        refusal = next((refusal for refusal in self.refusals if refusal.fits(request)), None)
        if refusal is not None:
            refusal.at.append(time.monotonic())
            headers = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
            body = {"kind": "Status", "status": "Failure", "code": refusal.status, "message": "a fault was injected"}
            return web.json_response(body, status=refusal.status, headers=headers)
        await self._delay(request, of_answer=False)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        async with self._session.request(
            request.method,
            self._upstream + request.raw_path,
            headers=headers,
            data=await request.read() or None,
            timeout=_FOREVER,
        ) as answer:
            if answer.ok and request.query.get("watch"):
                return await self._stream(request, answer)
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
            body = await answer.read()
            await self._delay(request, of_answer=True)
            if self._outage is not None:
                return await self._lose(request)
            return web.Response(status=answer.status, headers=kept, body=body)

    async def _delay(self, request: web.Request, *, of_answer: bool) -> None:
        for delay in self.delays:
            if delay.fits(request) and delay.of_answer == of_answer:
                await asyncio.sleep(delay.seconds)  # the fault itself

    async def _lose(self, request: web.Request) -> web.Response:
        """Nobody gets an answer to this request."""
        if self._outage is Outage.SILENT:
            await self._outage_ends.wait()
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _stream(self, request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        self._watches[response] = asyncio.current_task()
        try:
            async for line in answer.content:
                if self._outage is not None:
                    await self._lose(request)
                for _ in range(self.filter(json.loads(line))):
                    await response.write(line)
        except (aiohttp.ClientError, ConnectionError):
            pass  # one of the two has gone: so does the watch
        finally:
            del self._watches[response]
        return response
