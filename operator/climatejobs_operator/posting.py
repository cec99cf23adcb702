"""The guarded poster: the only way in which a user's address makes the operator open a connection.

Core's rules say which addresses are connected to; this is the transport that keeps to them.
"""

import asyncio
from collections.abc import Mapping

import aiohttp
from aiohttp.abc import AbstractResolver

from climatejobs.outbound import SECONDS, AddressRefused, Allowance, redirect
from climatejobs.resolving import CheckedResolver, Lookup, look_up
from climatejobs_operator.callbacks import Outcome

_REDIRECTS = frozenset({307, 308})
"""The only ones that keep the method and the body."""
_GONE = 410


class Poster:
    """Posts JSON over http and https. Of the answer nothing is read but its status."""

    def __init__(self, allowance: Allowance, *, lookup: Lookup = look_up, seconds: float = SECONDS) -> None:
        self._allowance = allowance
        self._lookup = lookup
        self._seconds = seconds

    async def post(self, url: str, body: str, headers: Mapping[str, str]) -> Outcome:
        """Deliver a body; never raises because of what is at the other end."""
        connector = aiohttp.TCPConnector(
            resolver=_Resolver(self._allowance, self._lookup), use_dns_cache=False, force_close=True
        )
        try:
            async with (
                asyncio.timeout(self._seconds),
                aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session,
            ):
                return await self._follow(session, url, body.encode(), headers)
        except AddressRefused as refused:
            return Outcome(refused.detail, final=True)
        except TimeoutError:
            return Outcome(f"the receiver takes longer than {self._seconds:g} s")
        except (aiohttp.ClientError, OSError, UnicodeError, ValueError) as error:
            return Outcome(f"the receiver cannot be reached ({type(error).__name__})")

    async def _follow(
        self, session: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str]
    ) -> Outcome:
        hops = 0
        while True:
            self._allowance.check_url(url)
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    return _judge(response.status)
                url = redirect(url, response.headers.get("Location", ""), hops)
                hops += 1


class _Resolver(CheckedResolver, AbstractResolver):
    """Core's, as the client wants to see it."""


def _judge(status: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome()
    return Outcome(f"the receiver answers {status}", final=status == _GONE)
