"""A server on this machine's loopback that takes what is posted to it, for tests of callbacks."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Posted:
    """One request that has come in."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Receiver:
    """Answers by path, 204 where nothing else is said, and remembers what it was sent."""

    port: int = 0
    posted: list[Posted] = field(default_factory=list[Posted])
    answers: dict[str, str] = field(default_factory=dict[str, str])
    """Head of the answer, by path; such as `500 Oops` or `307 Moved\\r\\nLocation: /other`."""
    before_answer: Callable[[Posted], None] = lambda _posted: None
    """Called before an answer is sent."""
    silent: asyncio.Event = field(default_factory=asyncio.Event)
    """Whoever asks for /silent is answered once this is set."""

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def paths(self) -> list[str]:
        return [posted.path for posted in self.posted]

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            posted = Posted(first.split()[1], headers, json.loads(body) if body else None)
            self.posted.append(posted)
            if posted.path == "/silent":
                await self.silent.wait()
            self.before_answer(posted)
            head = self.answers.get(posted.path, "204 No Content")
            writer.write(f"HTTP/1.1 {head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receive() -> AsyncGenerator[Receiver]:
    """A receiver for as long as the block lasts."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.answer, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        receiver.silent.set()
        server.close()
        await server.wait_closed()
