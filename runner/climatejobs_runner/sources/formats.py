"""Telling single files by how they begin, and opening each with the library for it."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO

from climatejobs_runner.sources.source import Source

_HDF, _CLASSIC = b"\x89HDF\r\n\x1a\n", b"CDF"


def is_grib(start: bytes) -> bool:
    """Whether a file that begins so holds GRIB messages; other bytes may come before the first."""
    return b"GRIB" in start[:1024] and not start.startswith((_HDF, _CLASSIC))


def is_netcdf(start: bytes) -> bool:
    """Whether a file that begins so is netCDF, of whatever version; a block of the user's may come first."""
    places = [0, *(512 * 2**power for power in range(12))]
    return start.startswith(_CLASSIC) or any(start[place : place + len(_HDF)] == _HDF for place in places)


def open_file(file: Path | IO[bytes], name: str, variables: Sequence[str], *, grib: bool) -> Source:
    """Open a file of this machine, or one that has no name here, calling it by its name in what is said of it."""
    # Each format brings a library of its own, which the others do without.
    if grib:
        from climatejobs_runner.sources.grib import GribFile  # noqa: PLC0415

        return GribFile(file if isinstance(file, Path) else Path(f"/dev/fd/{file.fileno()}"), name, variables)
    from climatejobs_runner.sources.netcdf import open_netcdf  # noqa: PLC0415

    return open_netcdf(file, name, variables)
