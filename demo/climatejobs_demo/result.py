"""What a person wants to see of a result: the first periods, in numbers."""

from collections.abc import Iterator
from typing import cast

import numpy as np
import xarray as xr

SHOWN = 7


def describe(dataset: xr.Dataset, variable: str) -> Iterator[str]:
    """Lines of a table: for each period the mean over all cells that have a value, and the cell in the middle."""
    array = dataset[variable]
    time, *space = (str(name) for name in array.dims)
    values = cast(np.ndarray[tuple[int, int, int], np.dtype[np.float64]], array.to_numpy().astype(np.float64))
    middle = tuple(length // 2 for length in values.shape[1:])
    place = ", ".join(f"{name} {float(array[name][index]):.4f}" for name, index in zip(space, middle, strict=True))
    units = array.attrs.get("units", "")
    yield f"{len(values)} periods of {variable} in {units}; cell {list(middle)} lies at {place}"
    yield f"  {'period from':<20} {'mean of all cells':>18} {'cell ' + str(list(middle)):>14}"
    with np.errstate(invalid="ignore"):
        means = np.nanmean(values.reshape(len(values), -1), axis=1)
    labels = [str(label)[:16].replace("T00:00", "").replace("T", " ") for label in dataset[time].to_numpy()]
    for index in _shown(len(values)):
        if index is None:
            yield "  ..."
        else:
            yield f"  {labels[index]:<20} {means[index]:>18.6f} {values[(index, *middle)]:>14.6f}"


def _shown(count: int) -> Iterator[int | None]:
    if count <= SHOWN + 1:
        yield from range(count)
    else:
        yield from range(SHOWN)
        yield None
        yield count - 1
