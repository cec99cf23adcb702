"""Refusing symbolic links where they would be followed.

Whoever may write to the data root must not make a job read what lies beside it. That is seen when a file is read, which
costs next to nothing; to look for links beforehand takes longer than reading where there are many small chunks.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from climatejobs.errors import DataError


class PlainStore(LocalStore):
    """Zarr's store in a folder, without symbolic links; `root` is known to lead through none."""

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """The content of a file, or None; raises `DataError` where a link leads to it."""
        check(self.root, key)
        return await super().get(key, prototype, byte_range)

    def get_sync(
        self, key: str, *, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """The same, without an event loop."""
        check(self.root, key)
        return super().get_sync(key, prototype=prototype, byte_range=byte_range)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Parts of files, each checked alike."""
        wanted = list(key_ranges)
        for key, _ in wanted:
            check(self.root, key)
        return await super().get_partial_values(prototype, wanted)


def check(root: Path | str, name: str) -> None:
    """Raise `DataError` where a symbolic link leads to a file below a folder, which is itself without; there or not."""
    path = f"{root}/{name}"
    if os.path.realpath(path) != path:
        raise DataError(
            f"{name} leads through a symbolic link, which is not followed",
            hint="Store the data themselves below the data root.",
        )


def check_opened(file: int, root: str, name: str) -> None:
    """The same for a file that is open, by its descriptor: whatever happened before, this is what will be read."""
    try:
        plain = os.readlink(f"/proc/self/fd/{file}") == f"{root}/{name}"
    except FileNotFoundError:
        plain = False
    if not plain:
        check(root, name)
