"""Which addresses may be connected to, before anything is looked up."""

import pytest

from climatejobs.outbound import MAX_REDIRECTS, AddressRefused, Allowance, read_allowance, redirect


@pytest.mark.parametrize(
    ("entries", "host", "allowed"),
    [
        (["data.test"], "data.test", True),
        (["data.test"], "DATA.test.", True),
        (["data.test"], "other.test", False),
        (["*.test"], "data.test", True),
        (["*.test"], "test", False),
        (["*.ata.test"], "data.test", False),
        ([], "anything.example", True),
    ],
)
def test_hosts_that_are_named_are_the_only_ones(entries: list[str], host: str, allowed: bool) -> None:
    allowance = read_allowance(entries)
    if allowed:
        allowance.check_url(f"http://{host}/")
    else:
        with pytest.raises(AddressRefused, match="does not connect to"):
            allowance.check_url(f"http://{host}/")


def test_where_hosts_are_named_other_addresses_are_refused_too() -> None:
    allowance = read_allowance(["data.test", "10.0.0.0/8"])
    allowance.check_url("http://10.1.2.3/")
    assert allowance.check_addresses("data.test", ["8.8.8.8", "8.8.8.8"]) == ["8.8.8.8"]
    with pytest.raises(AddressRefused):
        allowance.check_url("http://8.8.8.8/")
    with pytest.raises(AddressRefused):
        allowance.check_addresses("data.test", ["8.8.8.8", "192.168.0.1"])


@pytest.mark.parametrize("url", ["http://[::1/", "http://", "javascript:alert(1)", "http://a:b@data.test/"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        Allowance().check_url(url)


def test_redirects_have_an_end() -> None:
    assert redirect("http://a.test/x", "/y", 0) == "http://a.test/y"
    assert redirect("http://a.test/x", "http://b.test/", MAX_REDIRECTS - 1) == "http://b.test/"
    with pytest.raises(AddressRefused):
        redirect("http://a.test/x", "/y", MAX_REDIRECTS)
