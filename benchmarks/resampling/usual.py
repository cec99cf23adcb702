"""The usual way in Python: open lazily, resample with flox, write with dask."""

import sys

import xarray as xr


def main() -> None:
    """Arguments: the source, the target, frequency and method."""
    source, target, frequency, method = sys.argv[1:]
    data = xr.open_zarr(source, chunks={})  # pyright: ignore[reportUnknownMemberType] - partly untyped in xarray
    resampled = data[["value"]].resample(  # pyright: ignore[reportUnknownMemberType] - partly untyped in xarray
        time=frequency, closed="left", label="left"
    )
    # One value is enough for a sum, as it is here: otherwise the sea would get 0.
    result = resampled.sum(min_count=1) if method == "sum" else resampled.mean()
    for variable in result.variables.values():
        variable.encoding.clear()
    lazy = result.chunk("auto")  # pyright: ignore[reportUnknownMemberType] - partly untyped in xarray
    lazy.to_zarr(target, mode="w", zarr_format=3, consolidated=False)  # pyright: ignore[reportUnknownMemberType]


if __name__ == "__main__":
    main()
