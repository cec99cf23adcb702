"""The guarded fetcher against a real server on this machine, which is private and so allowed only by name."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from ipaddress import ip_network

import pytest

from climatejobs.outbound import AddressRefused, Allowance
from climatejobs_api.fetching import MAX_BYTES, Fetcher, NotFetched

LOCAL = ip_network("127.0.0.1/32")
type Reply = bytes | Callable[[str], bytes]


class Site:
    """A server that says what it is told to, path by path, and remembers what it was asked."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.port = 0
        self.slow = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        self.asked.append(path)
        if path == "/slow":
            await self.slow.wait()
        writer.write(self.pages.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
        writer.close()

    def page(self, path: str, body: bytes, media_type: str = "text/plain") -> str:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.pages[path] = head.encode() + body
        return self.url(path)

    def redirect(self, path: str, target: str) -> str:
        self.pages[path] = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
        return self.url(path)

    def url(self, path: str) -> str:
        return f"http://data.test:{self.port}{path}"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        made.slow.set()
        server.close()
        await server.wait_closed()


def fetcher(*answers: Sequence[str], allowance: Allowance | None = None, seconds: float = 5) -> Fetcher:
    """A fetcher whose names mean the given addresses, one answer after the other."""
    remaining = list(answers or [["127.0.0.1"]])

    async def lookup(_host: str, _port: int) -> Sequence[str]:
        return remaining.pop(0) if len(remaining) > 1 else remaining[0]

    return Fetcher(allowance or Allowance(networks=[LOCAL]), lookup=lookup, seconds=seconds)


async def test_a_document_is_fetched_with_its_type(site: Site) -> None:
    found = await fetcher().fetch(site.page("/a", b"hello", "text/xml; charset=utf-8"))
    assert (found.content, found.media_type) == (b"hello", "text/xml")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
    ],
)
async def test_private_addresses_are_refused_however_they_are_named(site: Site, address: str) -> None:
    page = site.page("/a", b"secret")
    with pytest.raises(AddressRefused, match="not public"):
        await fetcher([address], allowance=Allowance()).fetch(page)
    with pytest.raises(AddressRefused):
        await fetcher(allowance=Allowance()).fetch(f"http://[{address}]/" if ":" in address else f"http://{address}/")
    assert site.asked == []


async def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(AddressRefused, match="not public"):
        await fetcher(["8.8.8.8", "10.0.0.1"], allowance=Allowance()).fetch("http://data.test/")


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "localhost", "127.1"])
async def test_other_spellings_of_this_machine_are_refused(host: str) -> None:
    with pytest.raises((AddressRefused, NotFetched)):
        await Fetcher(Allowance()).fetch(f"http://{host}:1/")


async def test_a_name_is_looked_up_once_and_the_address_kept(site: Site) -> None:
    """Rebinding: were the name looked up again to connect, the second answer would lead elsewhere."""
    found = await fetcher(["127.0.0.1"], ["127.0.0.2"]).fetch(site.page("/a", b"hello"))
    assert found.content == b"hello"


async def test_redirects_are_followed_and_checked_anew(site: Site) -> None:
    site.page("/b", b"hello")
    assert (await fetcher().fetch(site.redirect("/a", "/b"))).content == b"hello"
    with pytest.raises(AddressRefused, match="not public"):
        await fetcher(["127.0.0.1"], ["10.0.0.1"]).fetch(site.redirect("/c", "http://inner.test/"))
    with pytest.raises(AddressRefused, match="not public"):
        await fetcher().fetch(site.redirect("/d", "http://169.254.169.254/latest"))
    with pytest.raises(AddressRefused, match="no http or https"):
        await fetcher().fetch(site.redirect("/e", "file:///etc/passwd"))
    with pytest.raises(AddressRefused, match="redirects"):
        await fetcher().fetch(site.redirect("/f", "/f"))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://data.test/", "//data.test/", "data.test", "http://", ""])
async def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(AddressRefused, match="no http or https"):
        await fetcher().fetch(url)


async def test_passwords_in_an_address_are_refused() -> None:
    with pytest.raises(AddressRefused, match="password"):
        await fetcher().fetch("http://me:secret@data.test/")


async def test_only_so_much_is_read(site: Site) -> None:
    assert len((await fetcher().fetch(site.page("/a", b"x" * MAX_BYTES))).content) == MAX_BYTES
    with pytest.raises(NotFetched, match="more than"):
        await fetcher().fetch(site.page("/b", b"x" * (MAX_BYTES + 1)))


async def test_compressed_content_is_refused(site: Site) -> None:
    site.pages["/a"] = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx"
    with pytest.raises(NotFetched, match="compressed"):
        await fetcher().fetch(site.url("/a"))


async def test_only_so_long_is_waited(site: Site) -> None:
    with pytest.raises(NotFetched, match="longer than"):
        await fetcher(seconds=0.1).fetch(site.url("/slow"))


async def test_a_failure_is_told(site: Site) -> None:
    with pytest.raises(NotFetched, match="answers 404"):
        await fetcher().fetch(site.url("/nothing"))
