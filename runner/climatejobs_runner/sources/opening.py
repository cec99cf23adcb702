"""Recognising what a source is, and opening it as such; what it holds is told by a checksum."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from climatejobs.errors import DataError, InvalidInput
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.selection import Window
from climatejobs_runner.sources.addresses import Access, is_address
from climatejobs_runner.sources.formats import is_grib, open_file
from climatejobs_runner.sources.source import Origin, Source

_HASH_BYTES = 1024 * 1024
_ZARR_NAMES = ("zarr.json", ".zgroup", ".zmetadata")
_KNOWN = "netCDF-4, GRIB, Zarr (version 2 or 3) and Icechunk are understood"


@dataclass(frozen=True)
class LocalOrigin:
    """A file or folder of this machine."""

    path: Path
    opener: Callable[[Sequence[str]], Source]
    identity: dict[str, JsonValue]
    stamps: dict[str, tuple[int, int]]
    """Size and time of change of every file."""

    def open(self, variables: Sequence[str]) -> Source:
        """Open it, with a view to some of its variables."""
        return self.opener(variables)

    def identify(self, source: Source, window: Window) -> dict[str, JsonValue]:
        """Its name, and a checksum of all of it or the id of a snapshot."""
        del source, window
        return self.identity

    def check_unchanged(self) -> None:
        """Raise `DataError` if the source has been written to since it was recognised."""
        if self.stamps and self.stamps != _stamps(self.path):
            raise DataError(f"{self.path.name} has changed while it was read", hint="Import it again.")

    def close(self) -> None:
        """Nothing to do."""


def recognise(source: str, access: Access, attempt: Attempt) -> Origin:
    """Find out what a source is; what is a file is read once for its checksum, and fetched if it is not here.

    Raises `InvalidInput` where there is none, or it is of no kind that is known.
    """
    if is_address(source):
        from climatejobs_runner.sources.remote import recognise_remote  # noqa: PLC0415 - brings zarr, as the others do

        return recognise_remote(source, access, attempt)
    return _recognise_path(Path(source), attempt.stop.checkpoint)


def _recognise_path(path: Path, checkpoint: Callable[[], None]) -> LocalOrigin:
    if path.is_file():
        with path.open("rb") as file:
            grib = is_grib(file.read(1024))
        stamps = _stamps(path)
        identity: dict[str, JsonValue] = {"file": path.name, "sha256": _checksum([path], checkpoint)}
        return LocalOrigin(path, lambda variables: open_file(path, path.name, variables, grib=grib), identity, stamps)
    if not path.is_dir():
        raise InvalidInput(f"there is no file {path}", hint="Check the path.")
    if any((path / name).is_file() for name in _ZARR_NAMES):
        from climatejobs_runner.sources import chunked  # noqa: PLC0415 - brings icechunk, which other sources do without

        stamps = _stamps(path)
        identity = {"store": path.name, "sha256": _checksum(sorted(_files(path)), checkpoint, below=path)}
        return LocalOrigin(path, lambda variables: chunked.open_zarr(path, path.name, variables), identity, stamps)
    if (path / "snapshots").is_dir():
        from climatejobs_runner.sources import chunked  # noqa: PLC0415 - see above

        snapshot = chunked.current_snapshot(path)
        return LocalOrigin(
            path,
            lambda variables: chunked.open_icechunk(path, snapshot, variables),
            {"store": path.name, "snapshot": snapshot},
            {},
        )
    raise InvalidInput(f"the folder {path.name} is neither a Zarr store nor an Icechunk repository", hint=f"{_KNOWN}.")


def _stamps(path: Path) -> dict[str, tuple[int, int]]:
    files = [path] if path.is_file() else _files(path)
    return {str(file): (facts.st_size, facts.st_mtime_ns) for file in files if (facts := file.stat())}


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _checksum(files: Sequence[Path], checkpoint: Callable[[], None], *, below: Path | None = None) -> str:
    """SHA-256 of a file, or of a folder's files with their names."""
    digest = hashlib.sha256()
    for path in files:
        if below is not None:
            digest.update(f"{path.relative_to(below)}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while piece := file.read(_HASH_BYTES):
                checkpoint()
                digest.update(piece)
    return digest.hexdigest()
