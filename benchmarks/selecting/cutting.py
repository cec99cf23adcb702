"""The usual way in Python to cut a part out: open lazily, select by labels, write with dask."""

import sys

import xarray as xr


def main() -> None:
    """Arguments: the source, the target, west, south, east and north, first and last time."""
    source, target, *box, start, end = sys.argv[1:]
    west, south, east, north = map(float, box)
    data = xr.open_zarr(source, chunks={})  # pyright: ignore[reportUnknownMemberType] - partly untyped in xarray
    part = data[["value"]].sel(time=slice(start, end), lat=slice(north, south), lon=slice(west, east))
    for variable in part.variables.values():
        variable.encoding.clear()
    lazy = part.chunk("auto")  # pyright: ignore[reportUnknownMemberType] - partly untyped in xarray
    lazy.to_zarr(target, mode="w", zarr_format=3, consolidated=False)  # pyright: ignore[reportUnknownMemberType]


if __name__ == "__main__":
    main()
