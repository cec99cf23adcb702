"""The ways to the same result that are compared, each a fresh process."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import zarr

from climatejobs.datasets import Dataset, store_path
from climatejobs.frequencies import parse_frequency
from measurements import OURS, PEAK, Measured, measure
from resampling.data import Source

_HERE = Path(__file__).parent
# CDO 2.1 knows no weeks: seven days each after those before the first Monday.
_CDO = {("1D", "mean"): "daymean", ("W-MON", "sum"): "timselsum,7,5", ("MS", "sum"): "monsum"}


class Contest:
    """One request, to be answered by each."""

    def __init__(self, work: Path, dataset: Dataset, source: Source, frequency: str, method: str) -> None:
        self._work = work
        self._source = source
        self._frequency = frequency
        self._method = method
        self._dataset = dataset
        self._store = work / store_path(dataset.id, dataset.version)
        self._derived = work / "datasets" / f"{dataset.id}_{parse_frequency(frequency).slug}_{method}"
        self._others = {name: work / f"by-{name}" for name in ("xarray.zarr", "cdo.nc", "floor")}
        self._netcdf = work / f"{dataset.id}.nc"

    def run_ours(self, *, again: bool = False) -> Measured:
        """The runner, as a pod runs it; `again` leaves the result, which it then finds."""
        if not again:
            shutil.rmtree(self._derived, ignore_errors=True)
        inputs = {"source_dataset_id": self._dataset.id, "frequency": self._frequency, "method": self._method}
        file = self._work / "inputs.json"
        file.write_text(json.dumps({**inputs, "start": "1900-01-01"}), encoding="utf-8")
        arguments = ["run", "--process", "resample", "--inputs", str(file), "--data", str(self._work)]
        return measure([sys.executable, "-c", OURS, *arguments])

    def run_floor(self, *more: str) -> Measured:
        """Bare read and decompression with two threads."""
        size = self._source.chunk * self._source.side**2 * 4
        script = PEAK + (_HERE / "floor.py").read_text(encoding="utf-8")
        return measure([sys.executable, "-c", script, str(self._store / "value" / "c"), str(size), *more])

    def run_floor_with_result(self) -> Measured:
        """The same, and our result compressed and written out."""
        target = self._others["floor"]
        shutil.rmtree(target, ignore_errors=True)
        (ours,) = (self._derived / "versions").glob("*.zarr")
        return self.run_floor(str(ours / "value" / "c"), str(target))

    def run_xarray(self) -> Measured:
        """The usual way in Python: xarray, dask and flox, with the machine's threads."""
        target = self._others["xarray.zarr"]
        shutil.rmtree(target, ignore_errors=True)
        script = PEAK + (_HERE / "usual.py").read_text(encoding="utf-8")
        return measure([sys.executable, "-c", script, str(self._store), str(target), self._frequency, self._method])

    def convert(self) -> None:
        """Make the netCDF file, compressed by zlib, that CDO reads."""
        if not self._netcdf.exists():
            script = (_HERE / "conversion.py").read_text(encoding="utf-8")
            measure([sys.executable, "-c", script, str(self._store), str(self._netcdf)])

    def run_cdo(self) -> Measured:
        """CDO, one thread as it is by default, to compressed netCDF."""
        operator = _CDO[self._frequency, self._method]
        target = self._others["cdo.nc"]
        target.unlink(missing_ok=True)
        return measure(["cdo", "-s", "-O", "-f", "nc4", "-z", "zip_1", operator, str(self._netcdf), str(target)])

    def compare(self) -> None:
        """Hold our result against xarray's; raises `AssertionError` where they differ."""
        (ours,) = (self._derived / "versions").glob("*.zarr")
        places = (ours / "value", self._others["xarray.zarr"] / "value")
        mine, theirs = (cast(Any, zarr).open_array(place, mode="r") for place in places)
        # xarray keeps the periods at the edges that are incomplete, and sums 32-bit numbers.
        offset = 1 if self._frequency == "W-MON" else 0
        for start in range(0, mine.shape[0], 50):
            one = mine[start : start + 50].astype(np.float64)
            other = theirs[start + offset : start + offset + len(one)].astype(np.float64)
            np.testing.assert_allclose(one, other, rtol=2e-5)

    def clean(self) -> None:
        """Remove the results, and keep the data."""
        for place in (self._derived, *self._others.values()):
            if place.is_dir():
                shutil.rmtree(place)
            else:
                place.unlink(missing_ok=True)
