"""Whether a component answers, asked from inside the node: the reason why not, or None when all is well."""

import http.client
import secrets
import socket
import ssl
import struct
from urllib.parse import urlsplit

SECONDS = 2.0


def probe(address: str) -> str | None:
    """Asks `http(s)://...`, `unix:PATH` or `dns://SERVER/NAME`."""
    try:
        if address.startswith("unix:"):
            return _unix(address.removeprefix("unix:"))
        if address.startswith("dns:"):
            parts = urlsplit(address)
            addresses = resolve(parts.path.removeprefix("/"), server=parts.hostname or "")
            return None if addresses else f"there is no name {parts.path}"
        return _http(address)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _unix(path: str) -> str | None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        connection.connect(path)
    return None


def _http(address: str) -> str | None:
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        # Some components make their certificate themselves; the question is only whether they are there.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, port, timeout=SECONDS, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        words = answer.read(2000).decode(errors="replace").strip()
        if answer.status == http.HTTPStatus.OK:
            return None
        failing = [line for line in words.splitlines() if line.startswith("[-]")]
        return f"it answers {answer.status}: {'; '.join(failing) or words[:200]}"
    finally:
        connection.close()


def query(name: str, number: int) -> bytes:
    """A DNS question for the IPv4 addresses of a name. Pure."""
    header = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0)
    labels = b"".join(bytes([len(label)]) + label.encode("idna") for label in name.strip(".").split("."))
    return header + labels + b"\0" + struct.pack(">HH", 1, 1)


def addresses_in(answer: bytes, question: bytes) -> list[str]:
    """The IPv4 addresses in a DNS answer to this question. Pure."""
    count = struct.unpack_from(">H", answer, 6)[0]
    position = len(question)
    found: list[str] = []
    for _ in range(count):
        # The owner's name: labels, ended by an empty one or by a pointer of two bytes.
        while answer[position] not in {0} and answer[position] < 0xC0:
            position += answer[position] + 1
        position += 2 if answer[position] >= 0xC0 else 1
        kind, _class, _ttl, length = struct.unpack_from(">HHIH", answer, position)
        position += 10
        if kind == 1 and length == 4:
            found.append(socket.inet_ntoa(answer[position : position + 4]))
        position += length
    return found


def resolve(name: str, *, server: str) -> list[str]:
    """The IPv4 addresses of a name, asked of one server over UDP."""
    question = query(name, secrets.randbelow(1 << 16))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(SECONDS)
        connection.connect((server, 53))
        connection.send(question)
        answer = connection.recv(4096)
    if answer[:2] != question[:2]:
        return []
    try:
        return addresses_in(answer, question)
    except (IndexError, struct.error) as error:
        raise ValueError(f"{server} sent a malformed answer") from error
