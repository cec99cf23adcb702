"""What a data root can lie on, by the few operations that everything else is built of.

Paths are relative to the root. A folder has renames and a bucket has not, so what has to happen in one step is
an operation of its own here, and each kind does it in its own way.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    # The client of object stores, which a folder does without.
    from obstore.store import S3Store


@dataclass(frozen=True)
class BucketPlace:
    """A place in a bucket, as `pathlib.Path` is one on a file system."""

    name: str
    objects: "S3Store"
    """Rooted at the place."""


type Place = Path | BucketPlace
"""Where a Zarr store lies."""


class Entry(NamedTuple):
    """Something in a folder."""

    name: str
    modified: float
    """Seconds since 1970 by the storage's clock; of a folder in a bucket 0."""


class Storage(Protocol):
    """What a data root lies on."""

    beat_seconds: float
    """How often whoever is at work should say so."""
    scratch: Path
    """A folder on a disk for large files that have no name and are gone with the program."""

    def place(self, path: PurePosixPath) -> Place:
        """Where something is, for whoever reads or writes a Zarr store there."""
        ...

    def check_store(self, path: PurePosixPath) -> None:
        """Raise `DataError` where there is no store, or one that must not be opened."""
        ...

    def read(self, path: PurePosixPath) -> bytes:
        """The content of a file; raises FileNotFoundError."""
        ...

    def exists(self, path: PurePosixPath) -> bool:
        """Whether there is a file of that name."""
        ...

    def folders(self, path: PurePosixPath) -> list[str]:
        """Names of the folders in a folder, in order; empty where it is not there."""
        ...

    def files(self, path: PurePosixPath) -> list[Entry]:
        """The files in a folder itself, in order of their names; empty where it is not there."""
        ...

    def sizes(self, path: PurePosixPath) -> Mapping[str, int]:
        """Size in bytes of every complete file below a folder, by its path from there."""
        ...

    def replace(self, path: PurePosixPath, content: bytes, writer: str) -> None:
        """Write a file durably and in one step, whether it is there or not; `writer` is nobody else's name."""
        ...

    def replace_by(self, path: PurePosixPath, pieces: Iterable[bytes], writer: str) -> None:
        """The same with a content that comes in pieces, of which few are in memory at a time."""
        ...

    def create(self, path: PurePosixPath, content: bytes, writer: str) -> bool:
        """The same where nothing is there yet; False if something is. The file must be alone in its folder."""
        ...

    def touch(self, path: PurePosixPath) -> float:
        """Have a file there that was modified just now; the time by the storage's clock."""
        ...

    def remove(self, path: PurePosixPath) -> None:
        """Remove a file or folder, if it is there."""
        ...

    def settle(self, path: PurePosixPath, names: Mapping[str, int], beat: Callable[[], None]) -> None:
        """Have files below a folder reach the disk, calling `beat` in between; raises FileNotFoundError."""
        ...

    def publish(self, source: PurePosixPath, target: PurePosixPath, beat: Callable[[], None]) -> None:
        """Give a finished store its name, so that it is there complete or not at all.

        If one of that name is there, that is success. Raises FileNotFoundError where the source is gone.
        """
        ...

    def published(self, path: PurePosixPath) -> list[Entry]:
        """Stores in a folder that have their names, and since when."""
        ...
