"""Several outputs in one body: `multipart/related` of RFC 2387."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True)
class Part:
    """One output; where it is somewhere else, `location` says where and the content is empty."""

    content_id: str
    media_type: str
    content: bytes
    location: str | None = None


def encode_parts(parts: Sequence[Part]) -> tuple[bytes, str]:
    """The body, and its media type with the type of the first part and the boundary."""
    # Made from the contents, so that no content can hold it.
    digest = sha256(b"".join(sha256(part.content).digest() for part in parts)).hexdigest()
    boundary = f"part-{digest[:40]}"
    body = b"".join(_encode(part, boundary) for part in parts) + f"--{boundary}--\r\n".encode()
    kind = parts[0].media_type.replace('"', "")
    return body, f'multipart/related; type="{kind}"; boundary={boundary}'


def _encode(part: Part, boundary: str) -> bytes:
    lines = [f"--{boundary}", f"Content-ID: {part.content_id}", f"Content-Type: {part.media_type}"]
    if part.location is not None:
        lines.append(f"Content-Location: {part.location}")
    return "\r\n".join([*lines, "", ""]).encode() + part.content + b"\r\n"
