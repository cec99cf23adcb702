"""A Zarr store to the netCDF that CDO reads: zlib at level 1, one time step a chunk."""

import sys

import xarray as xr


def main() -> None:
    """Arguments: the store and the file."""
    source, target = sys.argv[1:]
    data = xr.open_zarr(source, chunks={})  # pyright: ignore[reportUnknownMemberType] - partly untyped in xarray
    # What our store says of itself is no attribute that netCDF could hold.
    data.attrs.clear()
    value = data["value"]
    encoding = {
        "value": {"zlib": True, "complevel": 1, "chunksizes": (1, *value.shape[1:]), "_FillValue": float("nan")}
    }
    data[["value"]].to_netcdf(target, engine="h5netcdf", encoding=encoding)  # pyright: ignore[reportUnknownMemberType, reportArgumentType]


if __name__ == "__main__":
    main()
