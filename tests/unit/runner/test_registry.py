"""Every process that is described can be computed, and nothing else."""

import subprocess
import sys

import pytest

from climatejobs.processes import PROCESSES
from climatejobs_runner.processes import COMPUTE, load_compute


def test_there_is_one_compute_function_for_each_description() -> None:
    assert list(COMPUTE) == list(PROCESSES)


@pytest.mark.parametrize("process_id", COMPUTE)
def test_compute_functions_are_where_they_are_said_to_be(process_id: str) -> None:
    assert callable(load_compute(process_id))


def test_a_run_does_without_the_slow_libraries() -> None:
    check = (
        "import sys; from climatejobs_runner import program; from climatejobs_runner.processes import load_compute; "
        "load_compute('resample'); print(sorted({'xarray', 'pandas', 'cftime', 'dask', 'h5py'} & set(sys.modules)))"
    )
    finished = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "[]"
