"""The relay between two connections."""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from climatejobs_cluster.forwarder import Target, listen, start

LARGE = b"x" * 3_000_000


@asynccontextmanager
async def relayed(far_end: asyncio.Server) -> AsyncGenerator[int]:
    """A port that leads to the server."""
    near_end = await start(Target(*far_end.sockets[0].getsockname()), listen(0))
    async with far_end, near_end:
        yield near_end.sockets[0].getsockname()[1]


async def close(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


async def answer_after_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says something only once the other side has said everything."""
    received = await reader.read()
    writer.write(b"%d " % len(received) + LARGE)
    await writer.drain()
    writer.close()


async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"%d" % len(await reader.read()))
    writer.close()


async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    at_once = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)  # a reset, not an end
    writer.transport.abort()


async def test_the_end_of_one_direction_leaves_the_other_open():
    async with relayed(await asyncio.start_server(answer_after_the_end, "127.0.0.1", 0)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(LARGE)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 30) == b"3000000 " + LARGE
        await close(writer)


async def test_a_broken_connection_is_broken_on_both_sides():
    async with relayed(await asyncio.start_server(break_off, "127.0.0.1", 0)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x")
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 30) == b""
        await close(writer)


async def test_many_connections_at_once():
    async with relayed(await asyncio.start_server(count, "127.0.0.1", 0, backlog=1024)) as port:

        async def ask(number: int) -> int:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"y" * number)
            writer.write_eof()
            answer = await reader.read()
            await close(writer)
            return int(answer)

        async with asyncio.timeout(60):
            assert await asyncio.gather(*map(ask, range(300))) == list(range(300))


async def test_one_that_does_not_read_holds_up_the_one_that_writes():
    """Whatever waits to be read waits at its source."""
    released = asyncio.Event()
    sent = 0

    async def flood(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while not released.is_set():
            writer.write(LARGE)
            sent += len(LARGE)
            with suppress(TimeoutError):
                await asyncio.wait_for(writer.drain(), 1)
                continue
            released.set()
        writer.close()

    async with relayed(await asyncio.start_server(flood, "127.0.0.1", 0)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(60):
            await released.wait()
            received = await reader.read()
        assert len(received) == sent
        await close(writer)


async def test_nobody_at_the_far_end_closes_the_connection():
    server = await asyncio.start_server(break_off, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    server.close()
    await server.wait_closed()
    near_end = await start(Target(host, port), listen(0))
    async with near_end:
        reader, writer = await asyncio.open_connection(*near_end.sockets[0].getsockname())
        assert await asyncio.wait_for(reader.read(), 30) == b""
        await close(writer)
