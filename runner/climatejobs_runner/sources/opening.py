"""Recognising what a source is, and opening it as such; what it holds is told by a checksum."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from climatejobs.errors import DataError, InvalidInput
from climatejobs_runner.sources.source import Source

_HASH_BYTES = 1024 * 1024
_ZARR_NAMES = ("zarr.json", ".zgroup", ".zmetadata")
_KNOWN = "netCDF-4, GRIB, Zarr (version 2 or 3) and Icechunk are understood"


@dataclass(frozen=True)
class Origin:
    """A source that has been recognised: how it is opened, and what tells its contents from others'."""

    path: Path
    open: Callable[[Sequence[str]], Source]
    identity: dict[str, JsonValue]
    """For provenance: its name, and a checksum or the id of a snapshot."""
    stamps: dict[str, tuple[int, int]]
    """Size and time of change of every file."""

    def check_unchanged(self) -> None:
        """Raise `DataError` if the source has been written to since it was recognised."""
        if self.stamps and self.stamps != _stamps(self.path):
            raise DataError(f"{self.path.name} has changed while it was read", hint="Import it again.")


def recognise(path: Path, checkpoint: Callable[[], None]) -> Origin:
    """Find out what a source is, and read all of it once for its checksum, calling `checkpoint` in between.

    Raises `InvalidInput` where there is none, or it is of no kind that is known.
    """
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(1024)
        stamps = _stamps(path)
        identity: dict[str, JsonValue] = {"file": path.name, "sha256": _checksum([path], checkpoint)}
        return Origin(
            path, _opener(path, grib=b"GRIB" in start and not start.startswith((b"\x89HDF", b"CDF"))), identity, stamps
        )
    if not path.is_dir():
        raise InvalidInput(f"there is no file {path}", hint="Check the path.")
    if any((path / name).is_file() for name in _ZARR_NAMES):
        stamps = _stamps(path)
        identity = {"store": path.name, "sha256": _checksum(sorted(_files(path)), checkpoint, below=path)}
        return Origin(path, _zarr_opener(path), identity, stamps)
    if (path / "snapshots").is_dir():
        from climatejobs_runner.sources import chunked  # noqa: PLC0415 - brings icechunk, which other sources do without

        snapshot = chunked.current_snapshot(path)
        return Origin(
            path,
            lambda variables: chunked.open_icechunk(path, snapshot, variables),
            {"store": path.name, "snapshot": snapshot},
            {},
        )
    raise InvalidInput(f"the folder {path.name} is neither a Zarr store nor an Icechunk repository", hint=f"{_KNOWN}.")


def _opener(path: Path, *, grib: bool) -> Callable[[Sequence[str]], Source]:
    # Each format brings a library of its own, which the others do without.
    if grib:
        from climatejobs_runner.sources.grib import GribFile  # noqa: PLC0415

        return lambda variables: GribFile(path, variables)
    from climatejobs_runner.sources.netcdf import open_netcdf  # noqa: PLC0415

    return lambda variables: open_netcdf(path, variables)


def _zarr_opener(path: Path) -> Callable[[Sequence[str]], Source]:
    from climatejobs_runner.sources.chunked import open_zarr  # noqa: PLC0415 - see above

    return lambda variables: open_zarr(path, variables)


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
