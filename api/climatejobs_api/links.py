"""Absolute links: where this API is, as its clients see it."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from climatejobs.outbound import Network

_AUTHORITY = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9.])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/?")


@dataclass(frozen=True)
class Arrival:
    """What a request says of the way it came."""

    scheme: str
    client: str | None
    """Address of the peer."""
    server: str
    """Address and port of the socket, for requests that name no host."""
    headers: Mapping[str, str]
    """By lower-case name."""


def find_base(
    arrival: Arrival, *, public_url: str | None, trusted_proxies: Sequence[Network], root_path: str = ""
) -> str:
    """The address that every link begins with, without a slash at its end.

    A configured address wins; forwarded headers count only from a trusted proxy, else anyone could bend the links.
    """
    if public_url is not None:
        return public_url
    scheme, prefix = arrival.scheme, root_path
    host = arrival.headers.get("host", "")
    if _trusted(arrival.client, trusted_proxies):
        forwarded_scheme = _first(arrival.headers.get("x-forwarded-proto", "")).lower()
        if forwarded_scheme in ("http", "https"):
            scheme = forwarded_scheme
        forwarded_host = _first(arrival.headers.get("x-forwarded-host", ""))
        if _AUTHORITY.fullmatch(forwarded_host):
            host = forwarded_host
        forwarded_prefix = _first(arrival.headers.get("x-forwarded-prefix", ""))
        if forwarded_prefix and _PREFIX.fullmatch(forwarded_prefix):
            prefix = forwarded_prefix.rstrip("/")
    if not _AUTHORITY.fullmatch(host):
        host = arrival.server
    return f"{scheme}://{host}{prefix}"


def find_client(arrival: Arrival, *, trusted_proxies: Sequence[Network]) -> str:
    """Address of the sender: the nearest one that is not a trusted proxy, as far as those say for whom they speak."""
    client = arrival.client
    hops = [hop.strip() for hop in arrival.headers.get("x-forwarded-for", "").split(",") if hop.strip()]
    while hops and _trusted(client, trusted_proxies):
        client = hops.pop()
    return client or "somebody"


def _first(value: str) -> str:
    return value.split(",", 1)[0].strip()


def _trusted(client: str | None, networks: Sequence[Network]) -> bool:
    if client is None or not networks:
        return False
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
