"""Load from one process: so many requests at a time over kept-alive connections, and how long each took."""

import asyncio
import ssl
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, cast

import aiohttp
import msgspec
import yaml


class Unexpected(Exception):
    """An answer that spoils the measurement."""


@dataclass(frozen=True)
class Sample:
    """What one round gave."""

    seconds: float
    latencies: tuple[float, ...]
    """Seconds of each request, sorted."""

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds

    def quantile(self, share: float) -> float:
        """The latency in milliseconds that this share of the requests did not exceed."""
        return self.latencies[min(int(share * len(self.latencies)), len(self.latencies) - 1)] * 1000


class Server:
    """A server, and how it is spoken to."""

    def __init__(self, base: str, session: aiohttp.ClientSession) -> None:
        self.base = base
        self._session = session

    async def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """Send one request; raises `Unexpected` where it is not answered with success."""
        async with self._session.request(method, f"{self.base}{path}", data=body, headers=headers) as response:
            content = await response.read()
            if response.status >= 300:
                raise Unexpected(f"{method} {path} answered {response.status}: {content[:500]!r}")
            return content

    async def close(self) -> None:
        await self._session.close()


async def measure(requests: Iterable[Callable[[], Awaitable[object]]], concurrency: int) -> Sample:
    """Send the requests, at most that many at a time."""
    waiting = iter(requests)
    latencies: list[float] = []

    async def work() -> None:
        for send in waiting:
            begun = time.perf_counter()
            await send()
            latencies.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work())
    return Sample(time.perf_counter() - begun, tuple(sorted(latencies)))


def join(samples: Iterable[Sample]) -> Sample:
    """Several rounds as one."""
    every = tuple(samples)
    latencies = tuple(sorted(latency for sample in every for latency in sample.latencies))
    return Sample(sum(sample.seconds for sample in every), latencies)


def open_server(base: str) -> Server:
    """A server that asks for nothing."""
    return Server(base, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))


def open_api_server(kubeconfig: Path) -> Server:
    """The API server that a kubeconfig of the cluster tool names, with its credentials."""
    config = cast(dict[str, Any], yaml.safe_load(kubeconfig.read_text(encoding="utf-8")))
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode())
    headers: dict[str, str] = {}
    if "token" in user:
        headers["Authorization"] = f"Bearer {user['token']}"
    else:
        with NamedTemporaryFile() as pair:
            pair.write(b64decode(user["client-certificate-data"]) + b"\n" + b64decode(user["client-key-data"]))
            pair.flush()
            context.load_cert_chain(pair.name)
    connector = aiohttp.TCPConnector(limit=0, ssl=context)
    return Server(cluster["server"], aiohttp.ClientSession(connector=connector, headers=headers))


def encode(document: object) -> bytes:
    """A document as JSON."""
    return msgspec.json.encode(document)
