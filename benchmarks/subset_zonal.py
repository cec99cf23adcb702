"""How fast `subset` and `zonal_stats` are beside xarray with dask.

    .venv/bin/python benchmarks/subset_zonal.py [--work DIR] [--cases NAME ...] [--repeat 3]

Makes its data (a year of hours) unless the work folder holds them, as `resample.py` does. Every figure is the median of
several fresh processes, taken in turn, start of the process included. Results are compared value by value. There are no
targets: the ratios are for information.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import zarr

from climatejobs.datasets import Dataset, store_path
from climatejobs_runner.coverage import cell_areas, cover, read_polygon
from measurements import OURS, PEAK, Measured, measure, median
from resampling.data import Source, make

_HERE = Path(__file__).parent
SOURCE = Source("temperature", 8760, 200, 168)
"""0.1 degrees from 20 N to the equator and from 0 to 20 E."""
DISTRICTS = 16
WEIGHTS = "weights.npy"


@dataclass(frozen=True)
class Case:
    """One request, and the way that it usually goes."""

    name: str
    process: str
    inputs: Mapping[str, object]
    script: str
    """Name of the file with the usual way."""
    arguments: tuple[str, ...]
    """What it is given beside source and target."""
    variable: str


def cut(name: str, box: tuple[float, float, float, float], start: str, end: str) -> Case:
    """Cutting out a box and a span of time."""
    inputs = {"bbox": box, "start": start, "end": end}
    arguments = (*(f"{edge:g}" for edge in box), start, end)
    return Case(name, "subset", inputs, "cutting.py", arguments, "value")


def districts() -> list[dict[str, object]]:
    """Polygons of 24 corners, as different as districts are, in rows of four; some of them partly at sea."""
    generator = np.random.default_rng(DISTRICTS)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    found: list[dict[str, object]] = []
    for number in range(DISTRICTS):
        row, column = divmod(number, 4)
        radii = 2.3 * generator.uniform(0.7, 1.0, angles.size)
        east = 2.5 + 5 * column + radii * np.cos(angles)
        north = 2.5 + 5 * row + radii * np.sin(angles)
        ring = np.round(np.column_stack((east, north)), 3).tolist()
        geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
        found.append({"type": "Feature", "properties": {"name": f"District {number}"}, "geometry": geometry})
    return found


# The boxes' edges lie between centres of cells, where rounding cannot make the two take different ones.
CASES = (
    cut("box", (4.95, 4.95, 14.95, 14.95), "2025-01-01", "2025-12-31"),
    cut("month", (-0.05, -0.05, 20.05, 20.05), "2025-06-01", "2025-06-30"),
    Case(
        "districts",
        "zonal_stats",
        {"zones": {"type": "FeatureCollection", "features": districts()}, "statistics": ["mean"]},
        "weighing.py",
        (WEIGHTS,),
        "value_mean",
    ),
)


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="folder for the data, kept; a temporary one otherwise")
    parser.add_argument("--cases", nargs="+", choices=[case.name for case in CASES])
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="climatejobs-subset-zonal-"))
    try:
        work.mkdir(parents=True, exist_ok=True)
        dataset = make(SOURCE, work)
        np.save(work / WEIGHTS, weigh(dataset))
        for case in CASES:
            if case.name in (options.cases or [case.name]):
                compare(case, dataset, work, options.repeat)
    finally:
        if options.work is None:
            shutil.rmtree(work, ignore_errors=True)
    return 0


def weigh(dataset: Dataset) -> np.ndarray:
    """Areas of what lies in each district, by district, row and column: the fractions that the runner takes too."""
    side = SOURCE.side
    east = np.asarray(0.1 * (np.arange(side + 1) - 0.5), dtype=np.float64)
    north = np.asarray(20 - east, dtype=np.float64)
    areas = cell_areas(north, east)
    weights = np.zeros((DISTRICTS, side * side))
    for row, district in zip(weights, districts(), strict=True):
        covered = cover(read_polygon(cast(dict[str, object], district["geometry"])), north, east)
        row[covered.cells] = covered.fractions * areas[covered.cells]
    return weights.reshape(DISTRICTS, *list(dataset.shape.values())[1:])


def compare(case: Case, dataset: Dataset, work: Path, repeat: int) -> None:
    """Run both on one case, in turn, and print how they compare."""
    rounds: dict[str, list[Measured]] = {"climatejobs": [], "xarray": []}
    target = work / "by-xarray.zarr"
    for _ in range(repeat):
        measured, store = run_ours(case, dataset, work)
        rounds["climatejobs"].append(measured)
        rounds["xarray"].append(run_usual(case, dataset, work, target))
        mine, theirs = (cast(Any, zarr).open_array(place / case.variable, mode="r")[:] for place in (store, target))
        np.testing.assert_allclose(mine, theirs, rtol=0 if case.process == "subset" else 1e-6)
        shutil.rmtree(store.parents[1])
        shutil.rmtree(target)
    medians = {name: median(measured) for name, measured in rounds.items()}
    print(f"\n{case.name}: {case.process} of {dataset.id}, {SOURCE.raw_bytes / 1e9:.2f} GB raw")
    print(f"  {'':12}{'wall s':>9}{'CPU s':>9}{'peak MiB':>10}{'x ours':>9}")
    for name, figures in medians.items():
        ratio = figures.wall / medians["climatejobs"].wall
        print(f"  {name:12}{figures.wall:9.2f}{figures.cpu:9.2f}{figures.peak / 2**20:10.0f}{ratio:9.2f}")


def run_ours(case: Case, dataset: Dataset, work: Path) -> tuple[Measured, Path]:
    """The runner, and the store that it made."""
    inputs, result = work / "inputs.json", work / "result.json"
    inputs.write_text(json.dumps({"source_dataset_id": dataset.id, **case.inputs}), encoding="utf-8")
    arguments = ["--inputs", str(inputs), "--data", str(work), "--result", str(result)]
    measured = measure([sys.executable, "-c", OURS, "run", "--process", case.process, *arguments])
    output = json.loads(result.read_text(encoding="utf-8"))["outputs"]["dataset"]
    if output["reused"]:
        raise RuntimeError(f"{output['id']} was there already: remove it from {work}")
    return measured, work / output["store"]


def run_usual(case: Case, dataset: Dataset, work: Path, target: Path) -> Measured:
    """The usual way, on the very same store."""
    script = PEAK + (_HERE / "selecting" / case.script).read_text(encoding="utf-8")
    arguments = [str(work / each) if each == WEIGHTS else each for each in case.arguments]
    source = work / store_path(dataset.id, dataset.version)
    return measure([sys.executable, "-c", script, str(source), str(target), *arguments])


if __name__ == "__main__":
    sys.exit(main())
