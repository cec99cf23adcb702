"""The guarded fetcher: the only way in which a user's address makes this program open a connection.

An address is looked up once, every address found is checked, and the connection goes to those alone, so that a
name which means something else a moment later (rebinding) gets nowhere. Redirects are followed by hand and checked
like the first address.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from climatejobs.errors import UserError
from climatejobs_api.settings import Network

MAX_BYTES = 32 * 1024
MAX_REDIRECTS = 3
SECONDS = 10.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# They carry an IPv4 address inside that a gateway would connect to.
_TRANSLATED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("2002::/16"))

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address
type Lookup = Callable[[str, int], Awaitable[Sequence[str]]]


class NotFetched(UserError):
    """What an address points to cannot be had, or must not be."""

    slug = "not-fetched"
    title = "Reference cannot be fetched"


@dataclass(frozen=True)
class Fetched:
    """What was found at an address."""

    content: bytes
    media_type: str


@dataclass(frozen=True)
class Allowance:
    """Where fetching may go: public addresses, and private ones only where a network is named.

    Where `hosts` are named, only those, and addresses in `networks`. `*.example.org` is every host below it.
    """

    hosts: Sequence[str] = ()
    networks: Sequence[Network] = ()

    def check_host(self, host: str) -> None:
        """Raise `NotFetched` where no such host is allowed; one given as an address is checked as such."""
        if not self.hosts or _parse_address(host) is not None:
            return
        name = host.lower().rstrip(".")
        if not any(name.endswith(each[1:]) if each.startswith("*.") else name == each for each in self.hosts):
            raise NotFetched(f"this installation does not fetch from {host}", hint="Give the value itself.")

    def check_address(self, host: str, text: str) -> None:
        """Raise `NotFetched` where the address is not one to connect to."""
        address = _parse_address(text)
        if address is not None and any(address in network for network in self.networks):
            return
        public = address is not None and address.is_global and not address.is_multicast
        if not public or any(address in network for network in _TRANSLATED):
            raise NotFetched(f"{host} is at an address that is not public", hint="Give the value itself.")
        if self.hosts and _parse_address(host) is not None:
            raise NotFetched(f"this installation does not fetch from {host}", hint="Give the value itself.")


def read_allowance(entries: Sequence[str]) -> Allowance:
    """The allowance that settings name: each entry is a network or a host."""
    hosts: list[str] = []
    networks: list[Network] = []
    for entry in entries:
        try:
            networks.append(ipaddress.ip_network(entry))
        except ValueError:
            hosts.append(entry.lower())
    return Allowance(hosts, networks)


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
        """What is at that address; raises `NotFetched`."""
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
        for _ in range(MAX_REDIRECTS + 1):
            self._check(url)
            headers = {"Accept-Encoding": "identity"}
            async with session.get(url, allow_redirects=False, headers=headers) as response:
                if response.status not in _REDIRECTS:
                    return await _read(response, url)
                url = urljoin(url, response.headers.get("Location", ""))
        raise NotFetched(f"{url} is behind more than {MAX_REDIRECTS} redirects", hint="Give the final address.")

    def _check(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise NotFetched(f"{url} is no http or https address", hint="Give one, or the value itself.")
        if parts.username is not None or parts.password is not None:
            raise NotFetched(f"the address at {parts.hostname} carries a password", hint="Leave it out.")
        self._allowance.check_host(parts.hostname)
        # The client does not look up what is an address already.
        if _parse_address(parts.hostname) is not None:
            self._allowance.check_address(parts.hostname, parts.hostname)


class _CheckedResolver(AbstractResolver):
    """Gives the client only addresses that have been checked."""

    def __init__(self, allowance: Allowance, lookup: Lookup) -> None:
        self._allowance = allowance
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = list(dict.fromkeys(await self._lookup(host, port)))
        for address in addresses:
            self._allowance.check_address(host, address)
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


def _parse_address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
