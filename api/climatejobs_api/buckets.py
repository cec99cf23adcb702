"""A data root in a bucket: objects read, and served over HTTP, as they lie.

Address and credentials of the object store are taken from the usual variables (AWS_ENDPOINT_URL, AWS_REGION,
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, or a web identity). A version is served once its publisher has said that it
is complete, by an object beside it; what a killed one has left of a copy is not there for anybody.
"""

import os
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from climatejobs.errors import TemporaryError

if TYPE_CHECKING:
    # Exist for type checkers alone.
    from obstore.store import ClientConfig, RetryConfig

SCHEME = "s3://"
_PUBLISHED = ".published"
_VERSIONS_DEPTH = 3
"""Parts of ``datasets/<id>/versions``, below which versions lie."""
_TABLES = (".parquet", ".csv")
"""Endings of what lies beside a version."""
_RETRY: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(seconds=15)}


class Facts(NamedTuple):
    """What is known of an object without reading it."""

    size: int
    etag: str


@dataclass(frozen=True)
class Bucket:
    """A data root below a prefix of a bucket."""

    address: str
    """``s3://BUCKET`` or ``s3://BUCKET/PREFIX``."""

    @cached_property
    def _objects(self) -> S3Store:
        bucket, _, prefix = self.address.removeprefix(SCHEME).partition("/")
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        options: ClientConfig = {"allow_http": True} if endpoint.startswith("http://") else {}
        return S3Store(bucket, prefix=prefix.strip("/") or None, client_options=options, retry_config=_RETRY)

    @cached_property
    def _complete(self) -> set[PurePosixPath]:
        """Versions known to be complete: that never changes."""
        return set()

    def read(self, path: PurePosixPath) -> bytes:
        """The content of an object; raises FileNotFoundError."""
        self._check(path)
        with _telling():
            return bytes(obstore.get(self._objects, str(path)).bytes())

    def exists(self, path: PurePosixPath) -> bool:
        """Whether there is an object of that name."""
        try:
            self.examine(path)
        except FileNotFoundError:
            return False
        return True

    def examine(self, path: PurePosixPath) -> Facts:
        """What is known of an object; raises FileNotFoundError, and IsADirectoryError for what others lie below."""
        self._check(path)
        try:
            with _telling():
                found = obstore.head(self._objects, str(path))
        except FileNotFoundError:
            if self._has_below(path):
                raise IsADirectoryError(path) from None
            raise
        return Facts(found["size"], found["e_tag"] or f'"{found["size"]:x}-{found["last_modified"].timestamp():.0f}"')

    def list(self, path: PurePosixPath) -> list[str]:
        """Names directly below a prefix, sorted, with a slash where others lie below them."""
        self._check(path)
        with _telling():
            found = obstore.list_with_delimiter(  # pyright: ignore[reportUnknownMemberType] - names optional arro3
                self._objects, str(path)
            )
        names = [f"{PurePosixPath(prefix).name}/" for prefix in found["common_prefixes"]]
        names += [PurePosixPath(each["path"]).name for each in found["objects"]]
        if not names:
            raise FileNotFoundError(path)
        return sorted(names)

    def read_part(self, path: PurePosixPath, start: int, length: int) -> bytes:
        """Some bytes of an object."""
        with _telling():
            return bytes(obstore.get_range(self._objects, str(path), start=start, length=length))

    async def stream(self, path: PurePosixPath, start: int, stop: int, size: int) -> AsyncIterator[bytes]:
        """Some bytes of an object, in pieces of about that size."""
        answer = await obstore.get_async(self._objects, str(path), options={"range": (start, stop)})
        async for piece in answer.stream(min_chunk_size=size):
            yield bytes(piece)

    def _check(self, path: PurePosixPath) -> None:
        if path.is_absolute() or not path.parts or any(part == ".." or "\0" in part for part in path.parts):
            raise FileNotFoundError(path)
        if len(path.parts) <= _VERSIONS_DEPTH or path.parts[_VERSIONS_DEPTH - 1] != "versions":
            return
        version = PurePosixPath(*path.parts[: _VERSIONS_DEPTH + 1])
        if version == path and path.suffix in _TABLES:
            version = path.with_suffix(".zarr")
        if version not in self._complete:
            with _telling():
                obstore.head(self._objects, f"{version}{_PUBLISHED}")
            self._complete.add(version)

    def _has_below(self, path: PurePosixPath) -> bool:
        with _telling():
            batches = obstore.list(  # pyright: ignore[reportUnknownMemberType] - names optional arro3
                self._objects, str(path), chunk_size=1
            )
            return any(len(batch) > 0 for batch in batches)


@contextmanager
def _telling() -> Generator[None]:
    """Turn what the client says into an error for people; FileNotFoundError passes."""
    try:
        yield
    except BaseError as error:
        words = str(error).partition("\n")[0]
        raise TemporaryError(
            f"the object store does not answer as it should: {words}", hint="Ask again in a moment."
        ) from None
