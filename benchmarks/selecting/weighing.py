"""The usual way in Python to take means over areas: open lazily, weigh the cells, write with dask."""

import sys

import numpy as np
import xarray as xr


def main() -> None:
    """Arguments: the source, the target, and the file of the weights by zone, row and column."""
    source, target, weights = sys.argv[1:]
    data = xr.open_zarr(source, chunks={})  # pyright: ignore[reportUnknownMemberType] - partly untyped in xarray
    weighed = data["value"].weighted(xr.DataArray(np.load(weights), dims=("zone", "lat", "lon")))
    result = weighed.mean(("lat", "lon")).transpose("time", "zone").to_dataset(name="value_mean")
    for variable in result.variables.values():
        variable.encoding.clear()
    lazy = result.chunk("auto")  # pyright: ignore[reportUnknownMemberType] - partly untyped in xarray
    lazy.to_zarr(target, mode="w", zarr_format=3, consolidated=False)  # pyright: ignore[reportUnknownMemberType]


if __name__ == "__main__":
    main()
