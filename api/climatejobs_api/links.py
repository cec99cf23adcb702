"""Absolute links: where this API is, as its clients see it, and the addresses of what it serves."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from climatejobs_api.documents import Link
from climatejobs_api.settings import Network

RELATIONS = "http://www.opengis.net/def/rel/ogc/1.0/"
JSON = "application/json"
ZARR = "application/vnd.zarr"
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


@dataclass(frozen=True)
class Links:
    """Addresses of everything that is served, below one base."""

    base: str

    def to(self, *segments: str) -> str:
        """The address of a path, each segment quoted."""
        return "/".join((self.base, *(quote(segment, safe="") for segment in segments)))

    def landing(self) -> str:
        return f"{self.base}/"

    def process(self, process_id: str) -> str:
        return self.to("processes", process_id)

    def job(self, job_id: str) -> str:
        return self.to("jobs", job_id)

    def results(self, job_id: str) -> str:
        return self.to("jobs", job_id, "results")

    def events(self, job_id: str) -> str:
        return self.to("jobs", job_id, "events")

    def log(self, job_id: str) -> str:
        return self.to("jobs", job_id, "logs")

    def output(self, job_id: str, output: str) -> str:
        return self.to("jobs", job_id, "results", output)

    def dataset(self, dataset_id: str) -> str:
        return self.to("datasets", dataset_id)

    def current_zarr(self, dataset_id: str) -> str:
        """The store of whatever version is current when it is read."""
        return self.to("datasets", dataset_id, "zarr")

    def version_zarr(self, dataset_id: str, version: str) -> str:
        """The store of one version, which never changes."""
        return self.to("datasets", dataset_id, "versions", version, "zarr")

    def page(self, collection: str, *, limit: int, cursor: str) -> str:
        """A page of a collection."""
        return f"{self.to(collection)}?limit={limit}&cursor={quote(cursor)}"

    def of_dataset(self, dataset_id: str, version: str) -> tuple[Link, ...]:
        """Where a data set, one of its versions and its current version are."""
        return (
            Link(href=self.dataset(dataset_id), rel="describedby", type=JSON, title="Description of the data set"),
            Link(
                href=self.version_zarr(dataset_id, version), rel="enclosure", type=ZARR, title="This version, as Zarr"
            ),
            Link(href=self.current_zarr(dataset_id), rel="latest-version", type=ZARR, title="Current version, as Zarr"),
        )
