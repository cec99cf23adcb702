"""A data root in a bucket of an object store that speaks S3, with conditional writes.

There are no renames: a store that is finished is copied by the server to its name, and it is published once the
object `<name>.published` is there, which is created last and never replaced. Address and credentials are taken from
the usual variables: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL, or a web identity.
"""

import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from climatejobs.errors import DataError, TemporaryError
from climatejobs_runner.storage import BucketPlace, Entry

if TYPE_CHECKING:
    # Exist for type checkers alone.
    from obstore import ListResult, ObjectMeta
    from obstore.store import ClientConfig, RetryConfig

PUBLISHED = ".published"
_RETRY: "RetryConfig" = {"max_retries": 6, "retry_timeout": timedelta(seconds=60)}
_STATUS = re.compile(r"status code: ([0-9]{3})")
_PAUSES = (0.05, 0.2, 0.8, 3.0)
"""Seconds from a write that was in another's way to the next try."""
_AT_ONCE = 16
"""Objects that are copied at the same time."""


class BucketStorage:
    """Objects below a prefix of a bucket."""

    beat_seconds = 20.0

    def __init__(self, address: str) -> None:
        bucket, _, prefix = address.partition("/")
        if not bucket:
            raise DataError("the address of the data root names no bucket", hint="Write s3://BUCKET/PREFIX.")
        self._bucket = bucket
        self._prefix = PurePosixPath(prefix.strip("/"))
        self._objects = _open(bucket, self._prefix)
        self.scratch = Path(tempfile.gettempdir())
        try:
            next(self._walk(PurePosixPath()), None)
        except BaseError as error:
            raise _explain(error, bucket) from None

    def place(self, path: PurePosixPath) -> BucketPlace:
        """The place, as objects rooted there."""
        return BucketPlace(path.name, _open(self._bucket, self._prefix / path))

    def check_store(self, path: PurePosixPath) -> None:
        """Raise `DataError` where no store is published."""
        if not self.exists(_marker(path)):
            raise DataError(f"there is no {path}", hint="Import or compute the data set again.")

    def read(self, path: PurePosixPath) -> bytes:
        """The content of an object."""
        return bytes(obstore.get(self._objects, str(path)).bytes())

    def exists(self, path: PurePosixPath) -> bool:
        """Whether there is an object of that name."""
        try:
            obstore.head(self._objects, str(path))
        except FileNotFoundError:
            return False
        return True

    def folders(self, path: PurePosixPath) -> list[str]:
        """Last parts of the prefixes below one."""
        return sorted(PurePosixPath(prefix).name for prefix in self._look(path)["common_prefixes"])

    def files(self, path: PurePosixPath) -> list[Entry]:
        """The objects directly below a prefix."""
        return sorted(
            Entry(PurePosixPath(each["path"]).name, each["last_modified"].timestamp())
            for each in self._look(path)["objects"]
        )

    def sizes(self, path: PurePosixPath) -> Mapping[str, int]:
        """Sizes of the objects below a prefix."""
        return {str(PurePosixPath(name).relative_to(path)): size for name, size in self._walk(path)}

    def replace(self, path: PurePosixPath, content: bytes, writer: str) -> None:
        """Put an object: nobody sees half of one."""
        del writer
        _insist(lambda: obstore.put(self._objects, str(path), content))

    def replace_by(self, path: PurePosixPath, pieces: Iterable[bytes], writer: str) -> None:
        """Put an object in parts."""
        del writer
        # Asked for a piece by the client, the thread that waits for it cannot wait for another object at the same time.
        with ThreadPoolExecutor(1, thread_name_prefix="pieces") as thread:
            obstore.put(self._objects, str(path), _made_by(thread, iter(pieces)))

    def create(self, path: PurePosixPath, content: bytes, writer: str) -> bool:
        """Put an object on the condition that there is none."""
        del writer

        def put() -> bool:
            try:
                obstore.put(self._objects, str(path), content, mode="create", use_multipart=False)
            except AlreadyExistsError:
                if not self.exists(path):
                    raise
                return False
            return True

        return _insist(put)

    def touch(self, path: PurePosixPath) -> float:
        """Put an empty object."""
        self.replace(path, b"", "")
        return obstore.head(self._objects, str(path))["last_modified"].timestamp()

    def remove(self, path: PurePosixPath) -> None:
        """Delete an object and everything below the prefix of its name."""
        while names := [*(name for name, _ in self._walk(path)), *([str(path)] if self.exists(path) else [])]:
            try:
                obstore.delete(self._objects, names)
            except (BaseError, FileNotFoundError) as error:
                # Some servers refuse to delete what somebody else has deleted meanwhile; the rest is looked up again.
                if isinstance(error, BaseError) and "NoSuchKey" not in str(error):
                    raise

    def settle(self, path: PurePosixPath, names: Mapping[str, int], beat: Callable[[], None]) -> None:
        """Nothing to do: an object that was accepted is durable."""
        del path, names
        beat()

    def publish(self, source: PurePosixPath, target: PurePosixPath, beat: Callable[[], None]) -> None:
        """Copy every object, and then say that they are complete."""
        if self.exists(_marker(target)):
            return
        names = list(self.sizes(source))
        if not names:
            raise FileNotFoundError(str(source))

        def copy(name: str) -> None:
            _insist(lambda: obstore.copy(self._objects, str(source / name), str(target / name)))

        with ThreadPoolExecutor(_AT_ONCE) as threads:
            for _ in threads.map(copy, names):
                beat()
        self.create(_marker(target), b"", "")

    def published(self, path: PurePosixPath) -> list[Entry]:
        """Stores that are said to be complete."""
        return [
            Entry(entry.name.removesuffix(PUBLISHED), entry.modified)
            for entry in self.files(path)
            if entry.name.endswith(PUBLISHED)
        ]

    def _look(self, path: PurePosixPath) -> "ListResult[Sequence[ObjectMeta]]":
        """What lies directly below a prefix."""
        return obstore.list_with_delimiter(  # pyright: ignore[reportUnknownMemberType] - names optional arro3
            self._objects, str(path)
        )

    def _walk(self, path: PurePosixPath) -> Iterator[tuple[str, int]]:
        """Name and size of every object below a prefix."""
        batches = obstore.list(  # pyright: ignore[reportUnknownMemberType] - names optional arro3
            self._objects, str(path) if path.parts else None
        )
        for batch in batches:
            yield from ((each["path"], each["size"]) for each in batch)


def _marker(store: PurePosixPath) -> PurePosixPath:
    return store.with_name(store.name + PUBLISHED)


def _insist[T](write: Callable[[], T]) -> T:
    """Write, again where another operation is in the way of a write that does not ask whether there is an object.

    S3 answers 409 then, which the client tells as that there is one. So does a gateway to a file system when somebody
    deletes the last of what lies beside the object.
    """
    for pause in _PAUSES:
        try:
            return write()
        except AlreadyExistsError:
            time.sleep(pause)
    return write()


def _made_by(thread: ThreadPoolExecutor, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same pieces, each made by another thread when it is asked for."""
    while (piece := thread.submit(next, pieces, None).result()) is not None:
        yield piece


def _explain(error: BaseError, bucket: str) -> DataError | TemporaryError:
    """Why a bucket cannot be listed; the client gives no kind for that, only the server's status."""
    words = str(error).partition("\n")[0].partition(": <")[0]
    status = _STATUS.search(words)
    if status is not None and status[1] == "404":
        return DataError(f"there is no bucket {bucket}", hint="Make it, or name another one.")
    if status is not None and status[1] in ("401", "403"):
        hint = "Check the credentials, and what they allow on the bucket."
        return DataError(f"the bucket {bucket} may not be read: {words}", hint=hint)
    return TemporaryError(f"the bucket {bucket} cannot be read: {words}", hint="Check AWS_ENDPOINT_URL.")


def _open(bucket: str, prefix: PurePosixPath) -> S3Store:
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    options: ClientConfig = {"allow_http": True} if endpoint.startswith("http://") else {}
    return S3Store(bucket, prefix=str(prefix) if prefix.parts else None, client_options=options, retry_config=_RETRY)
