"""How fast `resample` is: beside the bare decompression of its chunks, xarray with dask and flox, and CDO.

    .venv/bin/python benchmarks/resample.py [--work DIR] [--cases NAME ...] [--repeat 3]

Makes its data (10 GB) unless the work folder holds them. Every figure is the median of several fresh processes, taken
in turn, so that what else the machine does falls on all alike, and includes the start of the process for everyone.
Results are compared cell by cell, and the runner's peak memory with what core's footprint function foretells.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from climatejobs.footprints import MIB, dataset_memory
from climatejobs_runner.machine import usable_cpus
from measurements import Measured, median
from resampling import contenders
from resampling.data import Source, make
from targets import Target, report

YEAR, DECADE_HOURS, DECADE_DAYS = 8760, 87600, 3653


@dataclass(frozen=True)
class Case:
    """One request, and how fast it should be compared with the others."""

    name: str
    source: Source
    frequency: str
    method: str
    ratio: float = 3.0
    """How many times faster than the others."""
    writes: bool = False
    """Whether the result is so large that writing its bytes belongs to the floor."""


CASES = (
    Case("year_168h", Source("temperature", YEAR, 200, 168), "1D", "mean"),
    Case("year_24h", Source("temperature", YEAR, 200, 24), "1D", "mean"),
    Case("year_1h", Source("temperature", YEAR, 200, 1), "1D", "mean"),
    Case("year_400", Source("temperature", YEAR, 400, 168), "1D", "mean"),
    Case("decade_weeks", Source("precipitation", DECADE_DAYS, 400, 30), "W-MON", "sum", ratio=2.0, writes=True),
    Case("decade_months", Source("precipitation", DECADE_DAYS, 400, 30), "MS", "sum", ratio=2.0, writes=True),
)
MEMORY = (
    Case("memory_1_year", Source("temperature", YEAR, 200, 168), "1D", "mean"),
    Case("memory_10_years", Source("temperature", DECADE_HOURS, 200, 168), "1D", "mean"),
)


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="folder for the data, kept; a temporary one otherwise")
    parser.add_argument("--cases", nargs="+", choices=[case.name for case in CASES] + ["memory", "startup"])
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="climatejobs-resample-"))
    wanted = set(options.cases or [case.name for case in CASES] + ["memory", "startup"])
    targets: list[Target] = []
    try:
        work.mkdir(parents=True, exist_ok=True)
        for case in CASES:
            if case.name in wanted:
                targets += measure(case, work, options.repeat)
        if "memory" in wanted:
            targets += measure_memory(work)
        if "startup" in wanted:
            targets.append(measure_startup(work))
    finally:
        if options.work is None:
            shutil.rmtree(work, ignore_errors=True)
    return report(targets)


def measure(case: Case, work: Path, repeat: int) -> list[Target]:
    """Run everyone on one case, in turn."""
    dataset = make(case.source, work)
    contest = contenders.Contest(work, dataset, case.source, case.frequency, case.method)
    ways: dict[str, Callable[[], Measured]] = {"climatejobs": contest.run_ours}
    ways["floor"] = contest.run_floor if not case.writes else contest.run_floor_with_result
    ways["xarray"] = contest.run_xarray
    if shutil.which("cdo"):
        contest.convert()
        ways["cdo"] = contest.run_cdo
    rounds: dict[str, list[Measured]] = {name: [] for name in ways}
    for _ in range(repeat):
        for name, way in ways.items():
            rounds[name].append(way())
    medians = {name: median(measured) for name, measured in rounds.items()}
    ours = medians["climatejobs"]
    print(f"\n{case.name}: {case.source.id}, {case.frequency} {case.method}, {case.source.raw_bytes / 1e9:.2f} GB raw")
    print(f"  {'':12}{'wall s':>9}{'CPU s':>9}{'peak MiB':>10}{'x ours':>9}")
    for name, figures in medians.items():
        ratio = figures.wall / ours.wall
        # CDO cannot be asked for its peak; it is known to hold a few time steps.
        peak = f"{figures.peak / 2**20:.0f}" if figures.peak else "-"
        print(f"  {name:12}{figures.wall:9.2f}{figures.cpu:9.2f}{peak:>10}{ratio:9.2f}")
    contest.compare()
    floor = medians["floor"]
    targets = [Target(f"{case.name}_wall", ours.wall, 1.6 * floor.wall + 0.6, "<=", "s")]
    for name in ("xarray", "cdo"):
        if name in medians:
            targets.append(Target(f"{case.name}_{name}_ratio", medians[name].wall / ours.wall, case.ratio, ">="))
    footprint = dataset_memory(dataset, threads=usable_cpus())
    targets.append(Target(f"{case.name}_footprint", ours.peak / MIB, footprint / MIB, "<=", "MiB"))
    contest.clean()
    return targets


def measure_memory(work: Path) -> list[Target]:
    """Peak memory for one year and for ten."""
    peaks: list[float] = []
    for case in MEMORY:
        contest = contenders.Contest(work, make(case.source, work), case.source, case.frequency, case.method)
        peaks.append(max(contest.run_ours().peak for _ in range(2)) / 2**20)
        contest.clean()
        print(f"{case.name}: {peaks[-1]:.0f} MiB")
    return [
        Target("memory_10_years_to_1", peaks[1] / peaks[0], 1.1, "<="),
        Target("memory_1_to_10_years", peaks[0] / peaks[1], 1.1, "<="),
        Target("memory_200x200", max(peaks), 200, "<=", "MiB"),
    ]


def measure_startup(work: Path) -> Target:
    """From the start of the process until it begins to aggregate: a request that finds its result there already."""
    source = Source("temperature", 48, 8, 24)
    contest = contenders.Contest(work, make(source, work), source, "1D", "mean")
    contest.run_ours()
    figures = [contest.run_ours(again=True).wall for _ in range(7)]
    contest.clean()
    print(f"\nstart-up, 7 processes: {', '.join(f'{figure:.2f}' for figure in sorted(figures))} s")
    return Target("startup", statistics.median(figures), 0.7, "<=", "s")


if __name__ == "__main__":
    sys.exit(main())
