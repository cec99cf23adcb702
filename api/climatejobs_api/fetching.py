"""The guarded fetcher: the only way in which a user's address makes this program open a connection.

Core's rules say which addresses are connected to; this is the transport that keeps to them.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from climatejobs.errors import UserError
from climatejobs.outbound import SECONDS, Allowance, redirect

MAX_BYTES = 32 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

type Lookup = Callable[[str, int], Awaitable[Sequence[str]]]


class NotFetched(UserError):
    """What an address points to cannot be had."""

    slug = "not-fetched"
    title = "Reference cannot be fetched"


@dataclass(frozen=True)
class Fetched:
    """What was found at an address."""

    content: bytes
    media_type: str


async def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as the system finds them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class Fetcher:
    """Fetches small documents over http and https."""

    def __init__(self, allowance: Allowance, *, lookup: Lookup = look_up, seconds: float = SECONDS) -> None:
        self._allowance = allowance
        self._lookup = lookup
        self._seconds = seconds

    async def fetch(self, url: str) -> Fetched:
        """What is at that address; raises `NotFetched` or `AddressRefused`."""
        connector = aiohttp.TCPConnector(
            resolver=_CheckedResolver(self._allowance, self._lookup), use_dns_cache=False, force_close=True
        )
        try:
            async with (
                asyncio.timeout(self._seconds),
                aiohttp.ClientSession(
                    connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
                ) as session,
            ):
                return await self._follow(session, url)
        except TimeoutError:
            raise NotFetched(f"{url} takes longer than {self._seconds:g} s", hint="Give the value itself.") from None
        except (aiohttp.ClientError, OSError, UnicodeError, ValueError):
            raise NotFetched(f"{url} cannot be reached", hint="Check the address.") from None

    async def _follow(self, session: aiohttp.ClientSession, url: str) -> Fetched:
        hops = 0
        while True:
            self._allowance.check_url(url)
            headers = {"Accept-Encoding": "identity"}
            async with session.get(url, allow_redirects=False, headers=headers) as response:
                if response.status not in _REDIRECTS:
                    return await _read(response, url)
                url = redirect(url, response.headers.get("Location", ""), hops)
                hops += 1


class _CheckedResolver(AbstractResolver):
    """Gives the client only addresses that have been checked."""

    def __init__(self, allowance: Allowance, lookup: Lookup) -> None:
        self._allowance = allowance
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = self._allowance.check_addresses(host, await self._lookup(host, port))
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


async def _read(response: aiohttp.ClientResponse, url: str) -> Fetched:
    if response.status != 200:
        raise NotFetched(f"{url} answers {response.status}", hint="Check the address.")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise NotFetched(f"{url} is sent compressed, though that was not asked for", hint="Give the value itself.")
    content = bytearray()
    async for piece in response.content.iter_any():
        content += piece
        if len(content) > MAX_BYTES:
            raise NotFetched(f"{url} holds more than {MAX_BYTES} bytes", hint="Store large input as a data set.")
    return Fetched(bytes(content), response.content_type)
