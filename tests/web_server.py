"""A web server on this machine that serves a folder, and misbehaves as it is told to."""

import hashlib
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit


@dataclass
class Site:
    """What is served, how, and what has been asked for."""

    folder: Path
    address: str = ""
    break_after: int | None = None
    """Bytes of an answer after which the connection ends."""
    breaks: int = 1_000_000
    """How often it does."""
    ranges: bool = True
    """Whether parts are sent."""
    version: Literal["tag", "time", "nothing"] = "tag"
    """What is said of an object's version."""
    length: bool = True
    """Whether its length is."""
    claimed: int | None = None
    """Bytes that every file is said to have, instead of those it has."""
    statuses: dict[str, int] = field(default_factory=dict[str, int])
    """Answers that are given for some paths instead of what is there."""
    refused: dict[str, int] = field(default_factory=dict[str, int])
    """The same for GET alone."""
    replaced: dict[str, tuple[int, Path, bytes | None]] = field(
        default_factory=dict[str, tuple[int, Path, bytes | None]]
    )
    """What a file becomes at the first or another GET of some path, once the answer is settled; None removes it."""
    signatures: set[str | None] = field(default_factory=set[str | None])
    """What was said in `Authorization`."""
    asked: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    """Method, path with query, and range of each request."""

    def ranges_of(self, path: str) -> list[str]:
        """Ranges that were asked for of one file."""
        return [asked for method, target, asked in self.asked if method == "GET" and urlsplit(target).path == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        site, path = self.site, urlsplit(self.path).path
        asked = self.headers.get("Range", "")
        site.asked.append((self.command, self.path, asked))
        file = site.folder / path.strip("/")
        site.signatures.add(self.headers.get("Authorization"))
        status = site.statuses.get(path, 200 if file.is_file() else 404)
        if self.command == "GET":
            status = site.refused.get(path, status)
        if status != 200:
            self._answer(status, b"<html>no</html>", {})
            return
        content, changed = file.read_bytes(), file.stat().st_mtime
        if self.command == "GET" and path in site.replaced:
            number, target, replacement = site.replaced[path]
            if len(site.ranges_of(path)) == number:
                target.unlink() if replacement is None else target.write_bytes(replacement)
        headers = {"Content-Type": "application/octet-stream"}
        if site.version == "tag":
            headers["ETag"] = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        elif site.version == "time":
            headers["Last-Modified"] = formatdate(changed, usegmt=True)
        if self.headers.get("If-Match", headers.get("ETag")) != headers.get("ETag"):
            self._answer(412, b"", headers)
        elif asked and site.ranges:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start = int(first) if first else len(content) - int(last)
            stop = min(len(content), int(last) + 1) if first and last else len(content)
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
            self._answer(206, content[start:stop], headers)
        else:
            self._answer(200, content, headers)

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        site = self.site
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if site.length:
            claimed = site.claimed if status == 200 else None
            self.send_header("Content-Length", str(len(content) if claimed is None else claimed))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command == "HEAD":
            return
        broken = site.break_after is not None and len(content) > site.break_after and site.breaks > 0
        if broken:
            site.breaks -= 1
            self.close_connection = True
        try:
            self.wfile.write(content[: site.break_after] if broken else content)
            self.wfile.flush()
        except ConnectionError:
            # Whoever asked has heard enough.
            self.close_connection = True


@contextmanager
def serve_folder(folder: Path, certificate: Path | None = None) -> Generator[Site]:
    """Serve a folder; over TLS where there is a file with a key and a certificate."""
    site = Site(folder)
    handler = type("Handler", (_Handler,), {"site": site})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda request, client_address: None  # whoever does not trust it hangs up
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    site.address = f"{scheme}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
