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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from climatejobs_cluster.layout import CLUSTER_DOMAIN, NODE_ADDRESS
from climatejobs_cluster.namespaces import enter
from climatejobs_cluster.probes import resolve

MODULE = "climatejobs_cluster.forwarder"
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


class End(asyncio.Protocol):
    """One side of a connection that is passed on: what comes in here goes out at the other side."""

    def __init__(self, joins: Callable[["End"], None] = lambda _end: None) -> None:
        """`joins` is called once the side is there; nothing is read of it before it has another."""
        self._joins = joins
        self._transport: asyncio.Transport
        self._other: End | None = None
        self._heard_all = False

    def join(self, other: "End") -> None:
        """Pass on what comes, in both directions."""
        self._other, other._other = other, self
        for end in (self, other):
            end._transport.resume_reading()

    def close(self) -> None:
        """Send what is left to be sent, then close."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.pause_reading()
        self._joins(self)

    def data_received(self, data: bytes) -> None:
        if self._other is not None:
            self._other._transport.write(data)

    def eof_received(self) -> bool:
        """The end of one direction is passed on, and the other goes on: it may still have much to say."""
        self._heard_all = True
        if self._other is not None:
            if self._other._heard_all:
                self.close()
                self._other.close()
            else:
                self._other._transport.write_eof()
        return True

    def pause_writing(self) -> None:
        if self._other is not None:
            self._other._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._other is not None:
            self._other._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """One side broke the connection off: so is the other."""
        if self._other is None:
            return
        if exc is None:
            self._other.close()
        else:
            self._other._transport.abort()


async def start(target: Target, listener: socket.socket) -> asyncio.Server:
    """A server that passes every connection on."""
    loop = asyncio.get_running_loop()
    connecting: set[asyncio.Task[None]] = set()

    async def connect(near: End) -> None:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, far = await loop.create_connection(End, await target.find(), target.port)
        except (OSError, TimeoutError) as error:
            print(f"{target.host}:{target.port}: {error}", flush=True)
            near.close()
        else:
            near.join(far)

    def begin(near: End) -> None:
        task = asyncio.create_task(connect(near))
        connecting.add(task)
        task.add_done_callback(connecting.discard)

    return await loop.create_server(lambda: End(begin), sock=listener, backlog=BACKLOG)


async def serve(listener: socket.socket, target: Target, node: int) -> None:
    """Accepts connections until the node has ended."""
    node_ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(node, node_ended.set)
    async with await start(target, listener):
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
