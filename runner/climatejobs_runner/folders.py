"""A data root in a folder: on a disk, or on a volume that several nodes share.

No symbolic link below the root is followed.
"""

import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from climatejobs.errors import DataError
from climatejobs_runner.files import PARTIAL
from climatejobs_runner.storage import Entry

_SYNCED_AT_ONCE = 8
"""Files that are waited for at a time until they are on the disk."""


class FolderStorage:
    """Files below a folder."""

    beat_seconds = 0.0

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise DataError(
                f"there is no data root at {root}",
                hint="Name the folder that holds the data sets, or check that the volume is mounted.",
            )
        self._root = root.resolve()
        self.scratch = self._root

    def place(self, path: PurePosixPath) -> Path:
        """The absolute path; raises `DataError` if a symbolic link is in the way."""
        found = self._root
        for part in path.parts:
            found = found / part
            if found.is_symlink():
                raise DataError(
                    f"{path} leads through a symbolic link, which is not followed",
                    hint="Store the data themselves below the data root.",
                )
        return found

    def check_store(self, path: PurePosixPath) -> None:
        """Raise `DataError` where there is no folder, or one that a symbolic link leads to."""
        if not self.place(path).is_dir():
            raise DataError(f"there is no {path}", hint="Import or compute the data set again.")

    def read(self, path: PurePosixPath) -> bytes:
        """The content of a file."""
        return self.place(path).read_bytes()

    def exists(self, path: PurePosixPath) -> bool:
        """Whether there is a file of that name."""
        return self.place(path).is_file()

    def folders(self, path: PurePosixPath) -> list[str]:
        """Names of the folders in a folder."""
        return sorted(entry.name for entry in _scan(self.place(path)) if entry.is_dir(follow_symlinks=False))

    def files(self, path: PurePosixPath) -> list[Entry]:
        """The files in a folder itself."""
        return sorted(
            Entry(entry.name, state.st_mtime)
            for entry, state in _look(_scan(self.place(path)))
            if stat.S_ISREG(state.st_mode)
        )

    def sizes(self, path: PurePosixPath) -> Mapping[str, int]:
        """Sizes of the files below a folder, but for those that are being written."""
        root = self.place(path)
        return {
            file.relative_to(root).as_posix(): state.st_size
            for file, state in _look(sorted(root.rglob("*")))
            if file.suffix != PARTIAL and stat.S_ISREG(state.st_mode)
        }

    def replace(self, path: PurePosixPath, content: bytes, writer: str) -> None:
        """Write another file and rename it."""
        self.replace_by(path, [content], writer)

    def replace_by(self, path: PurePosixPath, pieces: Iterable[bytes], writer: str) -> None:
        """Write another file, piece by piece, and rename it."""
        place = self.place(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_name(f".{place.name}-{writer}")
        try:
            _write(draft, pieces)
            draft.replace(place)
        finally:
            draft.unlink(missing_ok=True)
        _sync(place.parent)

    def create(self, path: PurePosixPath, content: bytes, writer: str) -> bool:
        """Write the file in another folder and rename that: nothing that is there is replaced by a folder's rename."""
        place = self.place(path)
        draft = place.parent.with_name(f".{place.parent.name}-{writer}")
        draft.mkdir(parents=True, exist_ok=True)
        try:
            _write(draft / place.name, [content])
            _sync(draft)
            draft.rename(place.parent)
        except OSError:
            if not place.is_file():
                raise
            return False
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        _sync(place.parent.parent)
        return True

    def touch(self, path: PurePosixPath) -> float:
        """Have a file there that was modified just now."""
        place = self.place(path)
        try:
            os.utime(place)
        except FileNotFoundError:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
        return place.stat().st_mtime

    def remove(self, path: PurePosixPath) -> None:
        """Remove a file or folder, if it is there."""
        place = self.place(path)
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)

    def settle(self, path: PurePosixPath, names: Mapping[str, int], beat: Callable[[], None]) -> None:
        """Have files, and the folders they are in, reach the disk."""
        root = self.place(path)
        folders = {folder for name in names for folder in PurePosixPath(name).parents}
        # Waited for together, they share the journal's commits, or a file server's round trips.
        with ThreadPoolExecutor(_SYNCED_AT_ONCE, thread_name_prefix="sync") as pool:
            for _ in pool.map(_sync, (root / name for name in (*names, *folders))):
                beat()

    def publish(self, source: PurePosixPath, target: PurePosixPath, beat: Callable[[], None]) -> None:
        """Sweep what killed writers left, have all of it reach the disk, and rename it."""
        place, named = self.place(source), self.place(target)
        for partial in sorted(place.rglob(f"*{PARTIAL}")):
            partial.unlink(missing_ok=True)
        self.settle(source, self.sizes(source), beat)
        try:
            place.rename(named)
        except OSError:
            if not named.is_dir():
                raise
        _sync(named.parent)

    def published(self, path: PurePosixPath) -> list[Entry]:
        """Folders that are named as stores are."""
        return [
            Entry(entry.name, state.st_mtime)
            for entry, state in _look(_scan(self.place(path)))
            if entry.name.endswith(".zarr") and stat.S_ISDIR(state.st_mode)
        ]


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def _look[E: (Path, os.DirEntry[str])](entries: Iterable[E]) -> Iterator[tuple[E, os.stat_result]]:
    """Those that are still there: others remove theirs while this one lists them."""
    for entry in entries:
        try:
            state = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        yield entry, state
