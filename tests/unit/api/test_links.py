from ipaddress import ip_network

import pytest

from climatejobs.ogc.links import Links
from climatejobs_api.links import Arrival, find_base

PROXIES = (ip_network("10.0.0.0/8"),)
FORWARDED = {
    "host": "api:8080",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "climate.example, inner",
    "x-forwarded-prefix": "/climate/",
}


def base(
    headers: dict[str, str],
    *,
    client: str | None = "10.1.2.3",
    public_url: str | None = None,
    root_path: str = "",
) -> str:
    arrival = Arrival(scheme="http", client=client, server="192.0.2.1:8080", headers=headers)
    return find_base(arrival, public_url=public_url, trusted_proxies=PROXIES, root_path=root_path)


def test_the_configured_address_wins() -> None:
    assert base(FORWARDED, public_url="https://example.org/c") == "https://example.org/c"


def test_a_trusted_proxy_is_believed() -> None:
    assert base(FORWARDED) == "https://climate.example/climate"
    assert base(FORWARDED, client="::ffff:10.1.2.3") == "https://climate.example/climate"


@pytest.mark.parametrize("client", ["192.0.2.9", None, "unix"])
def test_nobody_else_is_believed(client: str | None) -> None:
    assert base(FORWARDED, client=client) == "http://api:8080"


def test_without_a_proxy_the_host_header_counts() -> None:
    assert base({"host": "api:8080"}, root_path="/v1") == "http://api:8080/v1"
    assert base({"host": "[::1]:8080"}) == "http://[::1]:8080"


@pytest.mark.parametrize("host", ["", "evil/path", "a b", 'x"><script>', "user@host", "a:123456", "a?b"])
def test_a_host_that_is_none_is_replaced(host: str) -> None:
    assert base({"host": host}) == "http://192.0.2.1:8080"


def test_forwarded_values_that_make_no_sense_are_ignored() -> None:
    headers = {"host": "api", "x-forwarded-proto": "gopher", "x-forwarded-host": "a/b", "x-forwarded-prefix": "//x y"}
    assert base(headers) == "http://api"


def test_segments_are_quoted() -> None:
    assert Links("http://a").job("x/y?z") == "http://a/jobs/x%2Fy%3Fz"
