"""One request to the application that a test can watch while it is answered, and hang up on."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from starlette.types import ASGIApp, Message

from tests.unit.api.conftest import until


class LiveExchange:
    """A GET that is being answered."""

    def __init__(self, app: ASGIApp, path: str, headers: Mapping[str, str] | None = None) -> None:
        path, _, query = path.partition("?")
        self._app = app
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [
                (b"host", b"api.test"),
                *((name.lower().encode(), text.encode()) for name, text in (headers or {}).items()),
            ],
            "server": ("api.test", 80),
            "client": ("127.0.0.1", 1234),
        }
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        self._task = asyncio.ensure_future(self._answer())
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def until_sent(self, text: str) -> None:
        """Return as soon as the body holds that text."""
        await until(lambda: text.encode() in self.body)

    async def hang_up(self) -> None:
        """Be gone, and return once the server has noticed."""
        self._incoming.put_nowait({"type": "http.disconnect"})
        await self.end()

    async def end(self) -> None:
        """Return once the answer is complete."""
        assert self._task is not None
        await asyncio.wait_for(asyncio.shield(self._task), 5)

    async def _answer(self) -> None:
        await self._app(self._scope, self._incoming.get, self._send)

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message.get("body", b"")
