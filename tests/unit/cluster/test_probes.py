"""Questions to components, and to the name server."""

import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from climatejobs_cluster.probes import addresses_in, probe, query


def answer(question: bytes, *records: bytes) -> bytes:
    header = question[:2] + struct.pack(">HHHHH", 0x8180, 1, len(records), 0, 0)
    return header + question[12:] + b"".join(records)


def record(owner: bytes, kind: int, data: bytes) -> bytes:
    return owner + struct.pack(">HHIH", kind, 1, 5, len(data)) + data


def test_the_addresses_of_an_answer():
    question = query("web.default.svc.cluster.local", 7)
    pointer = b"\xc0\x0c"
    text = answer(
        question,
        record(pointer, 5, b"\x01a\x00"),
        record(b"\x01a\x00", 1, bytes([10, 30, 0, 1])),
        record(pointer, 1, bytes([10, 30, 0, 2])),
    )
    assert addresses_in(text, question) == ["10.30.0.1", "10.30.0.2"]
    assert addresses_in(answer(question), question) == []


def test_a_question_is_well_formed():
    assert query("a.bc", 1)[12:] == b"\x01a\x02bc\x00" + struct.pack(">HH", 1, 1)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        healthy = self.path == "/healthz"
        self.send_response(200 if healthy else 500)
        self.end_headers()
        self.wfile.write(b"ok" if healthy else b"[+]ping ok\n[-]etcd failed: reason withheld\nhealthz check failed")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        del format, args


def test_http():
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        port = server.server_address[1]
        assert probe(f"http://127.0.0.1:{port}/healthz") is None
        assert probe(f"http://127.0.0.1:{port}/readyz") == "it answers 500: [-]etcd failed: reason withheld"
        server.shutdown()
        thread.join(timeout=10)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/", "https://127.0.0.1:1/", "unix:/nowhere"])
def test_silence_is_a_reason(address: str):
    assert probe(address)


def test_unix_sockets(tmp_path: Path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert probe(f"unix:{path}") is None
