"""Files below the data root, served over HTTP as they lie: ranges, ETag, no symbolic links.

The root is a folder, or a bucket, which has no links.
Every folder on the way is opened from the one above it without following links, so what is read is what was
checked, whatever happens to the names meanwhile.
"""

import os
import re
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from io import FileIO
from pathlib import Path, PurePosixPath

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from climatejobs.ogc.links import CSV, JSON, PARQUET
from climatejobs_api.buckets import Bucket
from climatejobs_api.exchange import is_head
from climatejobs_api.problems import Problem

type DataRoot = Path | Bucket
"""Where data sets and results lie."""

AT_ONCE = 1024 * 1024
"""Bytes up to which a file is read and sent in one piece."""
_JSON_NAMES = frozenset({"zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata"})
_TABLES = {".parquet": PARQUET, ".csv": f"{CSV}; charset=utf-8"}
_RANGE = re.compile(
    r"\s*bytes\s*=\s*(?:(?P<first>[0-9]{1,18})\s*-\s*(?P<last>[0-9]{1,18})?|-\s*(?P<suffix>[0-9]{1,18}))\s*"
)


@dataclass(frozen=True)
class Span:
    """A part of a file: from `start` up to, not including, `stop`."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start


class UnsatisfiableRange(ValueError):
    """The range begins behind the end of the file."""


def open_below(root: Path, path: PurePosixPath) -> int:
    """Open a file or folder below `root` for reading, following no symbolic link below it.

    Returns a file descriptor. Raises FileNotFoundError for everything that is not there as a plain file or folder.
    """
    if path.is_absolute() or not path.parts or any(part == ".." or "\0" in part for part in path.parts):
        raise FileNotFoundError(path)
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in path.parts[:-1]:
            below = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            os.close(folder)
            folder = below
        # Without O_NONBLOCK a pipe that somebody has put there would hold the thread for ever.
        opened = os.open(path.parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        raise FileNotFoundError(path) from error
    finally:
        os.close(folder)
    kind = os.fstat(opened).st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        os.close(opened)
        raise FileNotFoundError(path)
    return opened


def read_below(root: DataRoot, path: PurePosixPath) -> bytes:
    """The content of a file below `root`; raises FileNotFoundError as `open_below` does, also for folders."""
    if isinstance(root, Bucket):
        return root.read(path)
    opened = open_below(root, path)
    try:
        facts = os.fstat(opened)
        if stat.S_ISDIR(facts.st_mode):
            raise FileNotFoundError(path)
        return _read_span(opened, Span(0, facts.st_size))
    finally:
        os.close(opened)


def exists_below(root: DataRoot, path: PurePosixPath) -> bool:
    """Whether a plain file or folder is there, reached over no symbolic link."""
    if isinstance(root, Bucket):
        return root.exists(path)
    try:
        os.close(open_below(root, path))
    except FileNotFoundError:
        return False
    return True


def list_below(root: DataRoot, path: PurePosixPath) -> list[str]:
    """Names in a folder below `root`, sorted, those of folders with a slash at the end, links left out."""
    if isinstance(root, Bucket):
        return root.list(path)
    opened = open_below(root, path)
    try:
        if not stat.S_ISDIR(os.fstat(opened).st_mode):
            raise FileNotFoundError(path)
        with os.scandir(opened) as entries:
            names = [
                f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)
            ]
        return sorted(names)
    finally:
        os.close(opened)


def choose_span(header: str | None, size: int) -> Span | None:
    """The part that a `Range` header asks for; None where the whole is to be sent.

    Several ranges at once are answered with the whole, which RFC 9110 permits. Raises `UnsatisfiableRange`.
    """
    match = _RANGE.fullmatch(header) if header else None
    if match is None:
        return None
    if match["suffix"] is not None:
        length = int(match["suffix"])
        if length == 0 or size == 0:
            raise UnsatisfiableRange
        return Span(max(size - length, 0), size)
    first, last = int(match["first"]), int(match["last"]) if match["last"] else size - 1
    if last < first and match["last"]:
        return None
    if first >= size:
        raise UnsatisfiableRange
    return Span(first, min(last + 1, size))


def matches_etag(header: str | None, etag: str) -> bool:
    """Whether an `If-None-Match` header names the entity tag."""
    if header is None:
        return False
    return header.strip() == "*" or etag in (part.strip().removeprefix("W/") for part in header.split(","))


async def answer_file(root: DataRoot, path: PurePosixPath, request: Request, *, cache_control: str) -> Response:
    """Answer a request with a file below `root`; raises FileNotFoundError, IsADirectoryError or `Problem`."""
    if isinstance(root, Bucket):
        return await _answer_object(root, path, request, cache_control)
    opened, body, answer = await to_thread.run_sync(_prepare, root, path, request, cache_control)
    if opened is None:
        return Response(body, status_code=answer.status, headers=answer.headers)
    # A file object and not a bare descriptor: it closes itself even if the client is gone before the first byte.
    stream = _stream(os.fdopen(opened, "rb", buffering=0), answer.span)
    return StreamingResponse(stream, status_code=answer.status, headers=answer.headers)


async def _answer_object(root: Bucket, path: PurePosixPath, request: Request, cache_control: str) -> Response:
    facts = await to_thread.run_sync(root.examine, path)
    answer = _decide(path.name, facts.size, facts.etag, request, cache_control)
    span = answer.span
    if is_head(request) or span.length == 0:
        return Response(b"", status_code=answer.status, headers=answer.headers)
    if span.length <= AT_ONCE:
        body = await to_thread.run_sync(root.read_part, path, span.start, span.length)
        return Response(body, status_code=answer.status, headers=answer.headers)
    stream = root.stream(path, span.start, span.stop, AT_ONCE)
    return StreamingResponse(stream, status_code=answer.status, headers=answer.headers)


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: dict[str, str]
    span: Span


def _prepare(
    root: Path, path: PurePosixPath, request: Request, cache_control: str
) -> tuple[int | None, bytes, _Answer]:
    """Open the file and decide; read it here, in the same thread, where it is small."""
    opened = open_below(root, path)
    keep = False
    try:
        facts = os.fstat(opened)
        if stat.S_ISDIR(facts.st_mode):
            raise IsADirectoryError(path)
        etag = f'"{facts.st_mtime_ns:x}-{facts.st_size:x}"'
        answer = _decide(path.name, facts.st_size, etag, request, cache_control)
        if is_head(request) or answer.span.length == 0:
            return None, b"", answer
        if answer.span.length <= AT_ONCE:
            return None, _read_span(opened, answer.span), answer
        keep = True
        return opened, b"", answer
    finally:
        if not keep:
            os.close(opened)


def _decide(name: str, size: int, etag: str, request: Request, cache_control: str) -> _Answer:
    headers = {"ETag": etag, "Cache-Control": cache_control, "Accept-Ranges": "bytes"}
    if matches_etag(request.headers.get("if-none-match"), etag):
        return _Answer(HTTPStatus.NOT_MODIFIED, headers, Span(0, 0))
    headers["Content-Type"] = _media_type(name)
    headers["X-Content-Type-Options"] = "nosniff"
    span, status = Span(0, size), HTTPStatus.OK
    # A range means nothing to HEAD: it asks how large the whole is.
    if not is_head(request) and request.headers.get("if-range", etag) == etag:
        try:
            part = choose_span(request.headers.get("range"), size)
        except UnsatisfiableRange:
            raise Problem(
                416, detail=f"the file has {size} bytes", headers={"Content-Range": f"bytes */{size}"}
            ) from None
        if part is not None:
            span, status = part, HTTPStatus.PARTIAL_CONTENT
            headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{size}"
    headers["Content-Length"] = str(span.length)
    return _Answer(status, headers, span)


def _media_type(name: str) -> str:
    if name in _JSON_NAMES:
        return JSON
    return _TABLES.get(PurePosixPath(name).suffix, "application/octet-stream")


def _read_span(opened: int, span: Span) -> bytes:
    pieces: list[bytes] = []
    position = span.start
    while position < span.stop and (piece := os.pread(opened, span.stop - position, position)):
        pieces.append(piece)
        position += len(piece)
    return b"".join(pieces)


async def _stream(file: FileIO, span: Span) -> AsyncIterator[bytes]:
    with file:
        position = span.start
        while position < span.stop:
            length = min(AT_ONCE, span.stop - position)
            piece = await to_thread.run_sync(os.pread, file.fileno(), length, position)
            if not piece:
                return
            yield piece
            position += len(piece)
