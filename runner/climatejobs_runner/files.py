"""The files of a Zarr store, by their names: in a folder, or in a bucket."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from climatejobs.errors import DataError
from climatejobs_runner.storage import BucketPlace, Place

PARTIAL = ".partial"
"""How the name of a file ends that has not been written to its end."""

type Bytes = bytes | bytearray | memoryview


class Files(Protocol):
    """The files of one store."""

    def read(self, name: str, scratch: bytearray) -> memoryview:
        """The content of a file; raises `FileNotFoundError`.

        `scratch` may be used for it, and grows as needed: what is given is valid until it is used again.
        """
        ...

    def write(self, name: str, content: Bytes) -> None:
        """Write a file, which is there whole or not at all."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        ...

    def folders(self) -> list[str]:
        """Names of the folders in the store itself, in order."""
        ...


def open_files(place: Place) -> Files:
    """The files of the store that lies at a place, or is going to."""
    return ObjectFiles(place) if isinstance(place, BucketPlace) else FolderFiles(place)


class FolderFiles:
    """Files below a folder, to which no symbolic link leads. None below it is followed.

    Whoever may write to the data root must not make a job read what lies beside it. That is seen when a file is read,
    which costs next to nothing; to look for links beforehand takes longer than reading where there are many small
    chunks.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)

    def read(self, name: str, scratch: bytearray) -> memoryview:
        """The content, in `scratch`; raises `DataError` where a symbolic link leads to the file."""
        # No file object: where a chunk is one step, opening costs as much as reading.
        try:
            file = os.open(f"{self._root}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._check(name)
            raise
        try:
            self._check_opened(file, name)
            size = os.fstat(file).st_size
            if len(scratch) < size:
                scratch.extend(bytes(size - len(scratch)))
            view = memoryview(scratch)[:size]
            filled = 0
            while filled < size and (count := os.readv(file, [view[filled:]])):
                filled += count
            return view[:filled]
        finally:
            os.close(file)

    def write(self, name: str, content: Bytes) -> None:
        """Write another file and rename it."""
        path = f"{self._root}/{name}"
        draft = f"{path}.{os.urandom(8).hex()}{PARTIAL}"
        try:
            try:
                file = open(draft, "xb")  # noqa: SIM115 - it is closed below, as is the one that is opened instead
            except FileNotFoundError:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                file = open(draft, "xb")  # noqa: SIM115 - as above
            with file:
                file.write(content)
            os.replace(draft, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(draft)
            raise

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with suppress(FileNotFoundError):
            os.unlink(f"{self._root}/{name}")

    def folders(self) -> list[str]:
        """Names of the folders directly below."""
        with os.scandir(self._root) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))

    def _check(self, name: str) -> None:
        path = f"{self._root}/{name}"
        if os.path.realpath(path) != path:
            raise DataError(
                f"{name} leads through a symbolic link, which is not followed",
                hint="Store the data themselves below the data root.",
            )

    def _check_opened(self, file: int, name: str) -> None:
        """Whatever happened before, what is open is what will be read."""
        try:
            plain = os.readlink(f"/proc/self/fd/{file}") == f"{self._root}/{name}"
        except FileNotFoundError:
            plain = False
        if not plain:
            self._check(name)


class ObjectFiles:
    """Objects of a bucket."""

    def __init__(self, place: BucketPlace) -> None:
        import obstore  # noqa: PLC0415 - the client of object stores, which a folder does without

        self._client = obstore
        self._objects = place.objects

    def read(self, name: str, scratch: bytearray) -> memoryview:
        """The content, in memory of its own."""
        del scratch
        return memoryview(self._client.get(self._objects, name).bytes())

    def write(self, name: str, content: Bytes) -> None:
        """Put an object: nobody sees half of one."""
        self._client.put(self._objects, name, content)

    def remove(self, name: str) -> None:
        """Delete an object, if it is there."""
        with suppress(FileNotFoundError):
            self._client.delete(self._objects, name)

    def folders(self) -> list[str]:
        """Prefixes of the objects' names."""
        listed = self._client.list_with_delimiter(  # pyright: ignore[reportUnknownMemberType] - names optional arro3
            self._objects
        )
        return sorted(prefix.rstrip("/").rpartition("/")[2] for prefix in listed["common_prefixes"])
