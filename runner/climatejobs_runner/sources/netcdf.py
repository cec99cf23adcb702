"""NetCDF-4 files."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import xarray as xr

from climatejobs.errors import DataError
from climatejobs_runner.sources.labelled import LabelledSource


def open_netcdf(file: Path | IO[bytes], name: str, variables: Sequence[str]) -> LabelledSource:
    """Open a netCDF-4 file, called by a name in what is said of it."""
    try:
        data = xr.open_dataset(  # pyright: ignore[reportUnknownMemberType] - names classes of optional packages
            file, engine="h5netcdf", decode_times=False, cache=False
        )
    except (OSError, ValueError) as error:
        raise DataError(
            f"{name} cannot be read as netCDF-4: {error}",
            hint="An older netCDF file becomes netCDF-4 by 'nccopy -4 OLD.nc NEW.nc'.",
        ) from None
    return LabelledSource(data, variables, kind="netCDF")
