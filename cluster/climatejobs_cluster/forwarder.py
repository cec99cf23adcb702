"""A way from this machine's 127.0.0.1 into a node, whose network has no other connection.

The listening socket is made outside, in the machine's own network, and handed over; this process then moves into the
node's network for good, where everything it connects to lies. It ends with the node.
"""

import argparse
import asyncio
import os
import resource
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from climatejobs_cluster.layout import CLUSTER_DOMAIN, NODE_ADDRESS
from climatejobs_cluster.namespaces import enter
from climatejobs_cluster.probes import resolve

MODULE = "climatejobs_cluster.forwarder"
CHUNK = 1 << 18
BACKLOG = 4096
CONNECT_SECONDS = 10.0
NAME_SECONDS = 1.0


@dataclass
class Target:
    """Where connections go: a fixed address, or a name of the cluster, whose address may change with the Service."""

    host: str
    port: int
    address: str | None = None
    resolved: float = float("-inf")

    async def find(self) -> str:
        if self.host[-1].isdigit():
            return self.host
        if time.monotonic() - self.resolved > NAME_SECONDS or self.address is None:
            name = f"{self.host}.svc.{CLUSTER_DOMAIN}"
            addresses = await asyncio.to_thread(resolve, name, server=NODE_ADDRESS)
            if not addresses:
                raise OSError(f"there is no service {self.host}")
            self.address, self.resolved = addresses[0], time.monotonic()
        return self.address


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies one direction to its end, and passes the end on: the other direction may still have much to say."""
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def relay(target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serves one connection."""
    far: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            far_reader, far = await asyncio.open_connection(await target.find(), target.port, limit=CHUNK)
        async with asyncio.TaskGroup() as directions:
            directions.create_task(pump(reader, far))
            directions.create_task(pump(far_reader, writer))
    except (OSError, TimeoutError) as error:
        print(f"{target.host}:{target.port}: {error}", flush=True)
    except ExceptionGroup:
        # One side broke the connection off: so is the other.
        with suppress(OSError):
            writer.transport.abort()
        if far is not None:
            far.transport.abort()
    finally:
        ends = [end for end in (writer, far) if end is not None]
        for end in ends:
            end.close()
        for end in ends:
            with suppress(OSError):
                await end.wait_closed()


async def serve(listener: socket.socket, target: Target, node: int) -> None:
    """Accepts connections until the node has ended."""
    node_ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(node, node_ended.set)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await relay(target, reader, writer)

    server = await asyncio.start_server(accept, sock=listener, backlog=BACKLOG, limit=CHUNK)
    async with server:
        await node_ended.wait()
        print("the node has ended", flush=True)
        # Connections that are still open break off with this process.
        os._exit(0)


def listen(port: int) -> socket.socket:
    """A socket on this machine's 127.0.0.1; port 0 takes a free one."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def command(*, listener: int, init_pid: int, user: bool, target: str, state: Path) -> list[str]:
    """The command line of this program; `state` only says whose it is."""
    return [
        *(sys.executable, "-m", MODULE),
        *("--state", str(state), "--listener", str(listener), "--node", str(init_pid), "--target", target),
        *(("--user",) if user else ()),
    ]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--state")
    parser.add_argument("--listener", type=int, required=True)
    parser.add_argument("--node", type=int, required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--user", action="store_true")
    options = parser.parse_args(arguments)
    listener = socket.socket(fileno=options.listener)
    listener.setblocking(False)
    node = os.pidfd_open(options.node)
    enter(options.node, ("user", "net") if options.user else ("net",))
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    host, _, port = options.target.rpartition(":")
    asyncio.run(serve(listener, Target(host, int(port)), node))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
