"""Memory does not grow with the length of the data."""

import subprocess
import sys

import pytest

from climatejobs.datasets import Dataset
from climatejobs.footprints import dataset_memory
from climatejobs.processes.resample import QUANTILES
from climatejobs_runner.machine import usable_cpus
from tests.integration.runner.conftest import Runner

# The peak as the kernel keeps it for this program alone: what getrusage says includes the process it was forked from.
PROGRAM = """
from pathlib import Path
from climatejobs_runner.main import main
try:
    main()
finally:
    status = Path("/proc/self/status").read_text().splitlines()
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


def peak_bytes(runner: Runner, source: str, method: str) -> int:
    """Most memory that aggregating a data set takes, in the larger of two runs.

    Threads that wait for a busy machine may not all have had their buffer at the same time.
    """
    return max(_run(runner, source, method) for _ in range(2))


def _run(runner: Runner, source: str, method: str) -> int:
    inputs = runner.write_inputs(source_dataset_id=source, frequency="10D", method=method, overwrite=True)
    arguments = ["run", "--process", "resample", "--inputs", str(inputs), "--data", str(runner.data)]
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True, timeout=300
    )
    return int(finished.stdout.splitlines()[-1]) * 1024


@pytest.mark.parametrize("method", ["mean", "p90"])
def test_ten_times_the_data_take_the_same_memory_and_no_more_than_was_promised(runner: Runner, method: str) -> None:
    for name, days in (("short", "200"), ("long", "2000")):
        runner("synthesize", "--id", name, "--days", days, "--size", "40")
    short, long = (peak_bytes(runner, name, method) for name in ("short", "long"))
    assert long <= 1.1 * short
    promised = dataset_memory(
        Dataset.model_validate(runner.pointer("long")), threads=usable_cpus(), sorts=method in QUANTILES
    )
    assert long <= promised
