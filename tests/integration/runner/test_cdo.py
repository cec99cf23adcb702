"""Results are those of CDO, where that is installed (Debian's package `cdo`)."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.integration.runner.conftest import Runner, open_netcdf, weather, write_netcdf

pytestmark = pytest.mark.skipif(shutil.which("cdo") is None, reason="install cdo to compare with it")

HOURS = np.arange(24 * 62)
"""January and February from a Wednesday on, and three days of March."""


@pytest.mark.parametrize(
    ("frequency", "method", "operator"),
    [
        ("1D", "mean", "daymean"),
        ("1D", "max", "daymax"),
        ("1D", "std", "daystd"),
        ("MS", "sum", "monsum"),
        ("MS", "min", "monmin"),
        ("6h", "mean", "timselmean,6"),
    ],
)
def test_every_cell_is_that_of_cdo(runner: Runner, tmp_path: Path, frequency: str, method: str, operator: str) -> None:
    file = write_netcdf(tmp_path / "t2m.nc", weather(len(HOURS), 4), HOURS)
    runner.bring(file, "source")
    ours = runner.open(runner.resample("source", frequency, method).dataset)["t2m"].to_numpy()
    # In double precision: CDO's own result in the type of the file is rounded on the way.
    subprocess.run(["cdo", "-s", "-O", "-b", "F64", operator, str(file), str(tmp_path / "cdo.nc")], check=True)
    theirs = open_netcdf(tmp_path / "cdo.nc")["t2m"].to_numpy()[: len(ours)]
    np.testing.assert_allclose(ours, theirs.astype(np.float32), rtol=1e-6)
