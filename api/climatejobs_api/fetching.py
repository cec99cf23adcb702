"""The guarded fetcher: the only way in which a user's address makes this program open a connection.

Core's rules say which addresses are connected to; this is the transport that keeps to them.
"""

import asyncio
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver

from climatejobs.errors import UserError
from climatejobs.outbound import SECONDS, Allowance, redirect
from climatejobs.resolving import CheckedResolver, Lookup, look_up

MAX_BYTES = 32 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class NotFetched(UserError):
    """What an address points to cannot be had."""

    slug = "not-fetched"
    title = "Reference cannot be fetched"


@dataclass(frozen=True)
class Fetched:
    """What was found at an address."""

    content: bytes
    media_type: str


class Fetcher:
    """Fetches small documents over http and https."""

    def __init__(self, allowance: Allowance, *, lookup: Lookup = look_up, seconds: float = SECONDS) -> None:
        self._allowance = allowance
        self._lookup = lookup
        self._seconds = seconds

    async def fetch(self, url: str) -> Fetched:
        """What is at that address; raises `NotFetched` or `AddressRefused`."""
        connector = aiohttp.TCPConnector(
            resolver=_Resolver(self._allowance, self._lookup), use_dns_cache=False, force_close=True
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


class _Resolver(CheckedResolver, AbstractResolver):
    """Core's, as the client wants to see it."""


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
