"""The runner on real files: run in this process for its answers, or as a process of its own to be killed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from climatejobs_runner.program import carry_out
from climatejobs_runner.stopping import Stop
from tests.object_store import BUCKET, ObjectStore, serve_objects

type Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What came of a command."""

    status: int
    document: Json

    @property
    def dataset(self) -> Json:
        """The data set that the command made or found."""
        assert self.status == 0, self.document
        return self.document["outputs"]["dataset"]

    @property
    def error(self) -> Json:
        """The error that the command ended with."""
        return self.document["error"]


@dataclass(frozen=True)
class Runner:
    """The program, at work on one data root."""

    data: Path
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    address: str | None = None
    """What the program calls the data root, where that is not the folder."""
    files: Path | None = None
    """Where files of the test itself go; beside the data root unless given."""

    @property
    def root(self) -> str:
        """What the program is told."""
        return self.address or str(self.data)

    @property
    def beside(self) -> Path:
        """A folder for files of the test itself."""
        return self.files or self.data.parent

    def __call__(self, *arguments: str | Path, **environment: str) -> Answer:
        """Run a command in this process."""
        result = self.beside / "result.json"
        result.unlink(missing_ok=True)
        options = [str(argument) for argument in (*arguments, "--data", self.root, "--result", result)]
        status = carry_out(options, {**self.environment, **environment}, Stop())
        return Answer(status, json.loads(result.read_text(encoding="utf-8")))

    def resample(self, source: str, frequency: str, method: str = "mean", **more: object) -> Answer:
        """Run `resample` in this process; `start` is early unless given."""
        inputs = self.write_inputs(source_dataset_id=source, frequency=frequency, method=method, **more)
        return self("run", "--process", "resample", "--inputs", inputs)

    def bring(self, file: Path | str, dataset_id: str, *options: str, variables: tuple[str, ...] = ("t2m",)) -> Answer:
        """Import variables of a file in this process."""
        wanted = [option for variable in variables for option in ("--variable", variable)]
        return self("import", file, "--id", dataset_id, *wanted, *options)

    def start(self, *arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
        """Start a command as a process of its own."""
        command = [sys.executable, "-c", "from climatejobs_runner.main import main; main()"]
        options = [str(argument) for argument in (*arguments, "--data", self.root)]
        return subprocess.Popen(
            [*command, *options],
            env={**os.environ, **self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def write_inputs(self, **inputs: object) -> Path:
        """A file with the inputs of `resample`."""
        path = self.beside / "inputs.json"
        path.write_text(json.dumps({"start": "1850-01-01", **inputs}), encoding="utf-8")
        return path

    def store(self, dataset: Json) -> Path:
        """Where the store of a data set is."""
        return self.data / dataset["store"]

    def open(self, dataset: Json) -> xr.Dataset:
        """A data set with all its values."""
        return open_zarr(self.store(dataset))

    def pointer(self, dataset_id: str) -> Json:
        """What `dataset.json` says."""
        return json.loads((self.data / "datasets" / dataset_id / "dataset.json").read_text(encoding="utf-8"))

    def stagings(self) -> list[Path]:
        """Staging folders, of all data sets."""
        return sorted(self.data.glob("datasets/*/versions/.staging-*"))


def open_zarr(store: Path | str) -> xr.Dataset:
    """A Zarr store with all its values."""
    opened = xr.open_zarr(store)  # pyright: ignore[reportUnknownMemberType] - partly untyped in xarray
    with opened:
        return opened.load()  # pyright: ignore[reportUnknownMemberType] - partly untyped in xarray


def contents(store: Path) -> dict[str, bytes]:
    """Every file of a store."""
    return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*") if path.is_file()}


def open_netcdf(file: Path) -> xr.Dataset:
    """A netCDF file with all its values."""
    opened = xr.open_dataset(file, engine="h5netcdf")  # pyright: ignore[reportUnknownMemberType] - partly untyped
    with opened:
        return opened.load()  # pyright: ignore[reportUnknownMemberType] - partly untyped in xarray


def write_netcdf(
    path: Path,
    values: NDArray[Any],
    numbers: NDArray[Any],
    units: str = "hours since 2025-01-01",
    calendar: str = "standard",
    **more: Any,
) -> Path:
    """A netCDF file with `t2m(time, lat, lon)` as given, its time axis as plain numbers."""
    coordinates: dict[str, Any] = {
        "time": ("time", numbers, {"units": units, "calendar": calendar, "long_name": "time"}),
        "lat": ("lat", 10.0 - np.arange(values.shape[1]), {"units": "degrees_north", "standard_name": "latitude"}),
        "lon": ("lon", -13.0 + np.arange(values.shape[2]), {"units": "degrees_east", "standard_name": "longitude"}),
    }
    attributes = {"units": "K", "standard_name": "air_temperature", "cell_methods": "time: point"}
    variables = {"t2m": (("time", "lat", "lon"), values, attributes), **more}
    data = xr.Dataset(variables, coordinates, {"institution": "Somewhere"})
    data.to_netcdf(path, engine="h5netcdf")  # pyright: ignore[reportUnknownMemberType] - partly untyped in xarray
    return path


def weather(steps: int, side: int = 5, *, missing: float = 0.2, seed: int = 1) -> np.ndarray:
    """Values with holes, and one cell that never has any."""
    generator = np.random.default_rng(seed)
    values = generator.normal(300, 10, size=(steps, side, side)).astype(np.float32)
    values[generator.random(values.shape) < missing] = np.nan
    values[:, 0, 0] = np.nan
    return values


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    data = tmp_path / "data"
    data.mkdir()
    return Runner(data)


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """A real object store."""
    with serve_objects(tmp_path_factory.mktemp("objects") / "root") as store:
        yield store


@pytest.fixture
def bucket_runner(object_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """The runner at work on a data root in a bucket; `data` is where the objects lie."""
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    prefix = uuid4().hex
    (tmp_path / "files").mkdir()
    return Runner(object_store.folder / prefix, object_store.environment, f"s3://{BUCKET}/{prefix}", tmp_path / "files")


@pytest.fixture(params=["folder", "bucket"])
def runner_on_each_storage(request: pytest.FixtureRequest, tmp_path: Path) -> Runner:
    """The runner at work on a folder, and again on a bucket."""
    if request.param == "bucket":
        return request.getfixturevalue("bucket_runner")
    (tmp_path / "data").mkdir()
    return Runner(tmp_path / "data")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real sample data."""
    folder = os.environ.get("CLIMATEJOBS_TEST_DATA")
    if not folder:
        pytest.skip("set CLIMATEJOBS_TEST_DATA to the folder of ERA5-Land sample files to run this")
    return Path(folder)
