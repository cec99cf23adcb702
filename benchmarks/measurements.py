"""What a fresh process takes: time, processor time and memory, from its start to its end."""

import os
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

PEAK = """
import atexit
def tell():
    status = open("/proc/self/status").read().splitlines()
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
atexit.register(tell)
"""
"""Begins a script that is to tell its peak memory."""
OURS = PEAK + "from climatejobs_runner.main import main; main()"
"""The runner, as a pod runs it."""


@dataclass(frozen=True)
class Measured:
    """What a process took."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds, of all its threads."""
    peak: int
    """Bytes of memory at the most."""


def measure(command: list[str]) -> Measured:
    """Run a command; what it says it has `prepared`, in seconds, is not counted."""
    # As in the image, every module is compiled once; libraries are where they were installed.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    started, before = time.perf_counter(), os.times()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        output, complaint = process.communicate()
    wall, after = time.perf_counter() - started, os.times()
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{complaint}")
    wall -= sum(float(line.split()[1]) for line in output.splitlines() if line.startswith("prepared"))
    last = output.split()[-1:] or ["0"]
    peak = int(last[0]) * 1024 if last[0].isdecimal() else 0
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Measured(wall, cpu, peak)


def median(measured: Sequence[Measured]) -> Measured:
    """The medians of wall and CPU time, and the highest peak."""
    return Measured(
        statistics.median(one.wall for one in measured),
        statistics.median(one.cpu for one in measured),
        max(one.peak for one in measured),
    )
