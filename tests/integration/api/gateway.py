"""A way to the API server that a test can close: connections are passed on as they are, or not at all."""

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from tests.cluster_objects import Manifest
from tests.loops import TidyLoop


class Gateway:
    """The way. Its event loop runs in a thread; everything here may be called from the test's."""

    def __init__(self, kubeconfig: Path) -> None:
        self._config: Manifest = yaml.safe_load(kubeconfig.read_text())
        self._target = urlsplit(str(self._config["clusters"][0]["cluster"]["server"]))
        self._loop = TidyLoop()
        self._open = True
        self._connections: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = {}
        self._port = 0

    def write_kubeconfig(self, target: Path) -> None:
        """Write what leads to the same server on this way."""
        self._config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self._port}"
        target.write_text(yaml.safe_dump(self._config))

    def close(self) -> None:
        """Break every connection, and let no other be made."""
        self._open = False
        asyncio.run_coroutine_threadsafe(self._break_all(), self._loop).result(10)

    def open(self) -> None:
        """Let connections be made again."""
        self._open = True

    @contextmanager
    def run(self) -> Generator[None]:
        """Be there for as long as the context lasts."""
        thread = threading.Thread(target=self._loop.run_forever)
        thread.start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._pass, "127.0.0.1"), self._loop).result(10)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(server.close)
            self.close()
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    async def _break_all(self) -> None:
        connections = dict(self._connections)
        for ends in connections.values():
            for end in ends:
                end.transport.abort()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection(self._target.hostname, self._target.port)
        if not self._open:  # closed meanwhile
            writer.transport.abort()
            back.transport.abort()
            return
        connection = asyncio.create_task(_join((reader, writer), (there, back)))
        self._connections[connection] = (writer, back)
        connection.add_done_callback(self._connections.pop)


type _End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _join(one: _End, other: _End) -> None:
    """Pass on what either end sends, until one of them has gone."""
    try:
        await asyncio.gather(_copy(one[0], other[1]), _copy(other[0], one[1]))
    finally:
        for _, writer in (one, other):
            writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        pass  # one of the two ends has gone
    writer.transport.abort()
