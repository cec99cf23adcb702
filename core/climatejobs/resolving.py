"""Host names looked up for connections that a user has asked for: only addresses that have been checked come out.

A client that connects to nothing but what it is given here keeps to the rules of `outbound`, rebinding included.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TypedDict

from climatejobs.outbound import Allowance

type Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host."""


class Found(TypedDict):
    """One address, in the form that HTTP clients take it."""

    hostname: str
    host: str
    port: int
    family: int
    proto: int
    flags: int


async def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as the system finds them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class CheckedResolver:
    """Looks hosts up and gives only addresses that the allowance lets pass."""

    def __init__(self, allowance: Allowance, lookup: Lookup) -> None:
        self._allowance = allowance
        self._lookup = lookup

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[Found]:
        """The addresses of a host, whatever family is asked for; raises `AddressRefused` if one is not to be used."""
        del family
        return [
            Found(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._allowance.check_addresses(host, await self._lookup(host, port))
        ]

    async def close(self) -> None:
        """Nothing is held."""
