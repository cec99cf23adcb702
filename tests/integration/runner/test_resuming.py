"""An import that is killed, or runs twice: the next one goes on, and what comes of it is what one alone makes."""

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.integration.runner import attempts
from tests.integration.runner.conftest import Runner, contents, weather

DEADLINE_SECONDS = 60
KILLS = int(os.environ.get("CLIMATEJOBS_TEST_KILLS", "40"))
"""How often something is killed; 200 in the run whose outcome is documented."""
DAYS = 40
SIDE = 8

type Start = Callable[..., BaseProcess]


@pytest.fixture
def runner(runner_on_each_storage: Runner) -> Runner:
    return runner_on_each_storage


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Temperatures and running totals of rain, in chunks that do not end where those will that are written."""
    return write_source(tmp_path / "source.nc")


def write_source(path: Path, seed: int = 1) -> Path:
    amounts = np.random.default_rng(seed).gamma(0.5, 0.002, size=(DAYS, 24, SIDE, SIDE))
    totals = np.cumsum(amounts, axis=1).reshape(-1, SIDE, SIDE).astype(np.float32)
    dimensions = ("time", "lat", "lon")
    data = xr.Dataset(
        {
            "t2m": (dimensions, weather(24 * DAYS, SIDE, seed=seed), {"units": "K"}),
            "tp": (dimensions, totals, {"units": "m", "GRIB_stepType": "accum"}),
        },
        {
            "time": ("time", np.arange(1, 24 * DAYS + 1), {"units": "hours since 2025-01-01"}),
            "lat": ("lat", np.arange(SIDE) * 1.0, {"units": "degrees_north"}),
            "lon": ("lon", np.arange(SIDE) * 1.0, {"units": "degrees_east"}),
        },
    )
    encoding = {name: {"chunksizes": (10, SIDE, SIDE)} for name in ("t2m", "tp")}
    data.to_netcdf(path, engine="h5netcdf", encoding=encoding)  # pyright: ignore[reportUnknownMemberType]
    return path


@pytest.fixture
def start(runner: Runner, tmp_path: Path) -> Iterator[Start]:
    """Starts imports as processes of their own, which are ended with the test."""
    running: list[BaseProcess] = []

    def start(file: Path, *options: str, dataset_id: str = "source") -> BaseProcess:
        arguments = [str(file), "--id", dataset_id, "--variable", "t2m", "--variable", "tp", "--chunk-steps", "31"]
        log = tmp_path / f"import-{len(running)}.log"
        running.append(attempts.start_import(runner.root, [*arguments, *options], log.stem, log))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.join()


def finish(process: BaseProcess) -> None:
    process.join(DEADLINE_SECONDS)
    assert process.exitcode == 0


def kill_when_parts_are_done(runner: Runner, process: BaseProcess, count: int) -> set[str]:
    """Kill an import between its first parts and its last; the files that it has recorded."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while len(records(runner)) < count:
        assert process.is_alive()
        assert time.monotonic() < deadline
        os.sched_yield()
    process.kill()
    process.join()
    return {name for record in records(runner) for name in json.loads(record.read_text())["files"]}


def records(runner: Runner) -> list[Path]:
    """Parts that are done."""
    return sorted(runner.data.glob("datasets/source/versions/.shared-*/done-*.json"))


def published(runner: Runner, dataset_id: str = "source") -> list[Path]:
    """Versions that anybody could open."""
    versions = runner.data / "datasets" / dataset_id / "versions"
    if runner.address:
        return [path.with_name(path.name.removesuffix(".published")) for path in versions.glob("*.zarr.published")]
    return list(versions.glob("*.zarr"))


def leftovers(runner: Runner) -> list[Path]:
    """Files of what is or was under construction."""
    # The object store may leave the folders of objects that are gone.
    return [path for path in runner.data.glob("datasets/source/versions/.*/**/*") if path.is_file()]


def undisturbed(runner: Runner, source: Path, start: Start) -> dict[str, bytes]:
    """What an import makes that nothing happens to; under another id, which only the root's attributes tell."""
    finish(start(source, dataset_id="undisturbed"))
    (store,) = published(runner, "undisturbed")
    return values_of(store)


def values_of(store: Path) -> dict[str, bytes]:
    """Every file of a store but the root's metadata, which holds its id and version."""
    return {name: content for name, content in contents(store).items() if name != "zarr.json"}


def test_the_next_one_goes_on_with_what_is_done(runner: Runner, source: Path, start: Start) -> None:
    expected = undisturbed(runner, source, start)
    done = kill_when_parts_are_done(runner, start(source), 2)
    assert done
    assert published(runner) == []
    assert not (runner.data / "datasets/source/dataset.json").exists()
    (folder,) = runner.data.glob("datasets/source/versions/.shared-*/*.zarr")
    for name in done:
        # Told by its last byte from what is made anew.
        (folder / name).write_bytes((folder / name).read_bytes()[:-1] + b"!")
    finish(start(source))
    (store,) = published(runner)
    made = values_of(store)
    assert {name for name in made if made[name] != expected[name]} == done
    assert runner.pointer("source")["version"] == store.name.removesuffix(".zarr")
    assert leftovers(runner) == []


def test_another_source_does_not_go_on_with_it(runner: Runner, source: Path, start: Start, tmp_path: Path) -> None:
    other = write_source(tmp_path / "other.nc", seed=2)
    expected = undisturbed(runner, other, start)
    kill_when_parts_are_done(runner, start(source), 2)
    finish(start(other))
    (store,) = published(runner)
    assert values_of(store) == expected
    finish(start(source))
    assert leftovers(runner) == []


def test_two_at_the_same_time_make_one_version(runner: Runner, source: Path, start: Start) -> None:
    expected = undisturbed(runner, source, start)
    for process in [start(source) for _ in range(3)]:
        finish(process)
    (store,) = published(runner)
    assert values_of(store) == expected


def test_one_that_is_asked_to_stop_can_be_gone_on_with_too(runner: Runner, source: Path, start: Start) -> None:
    expected = undisturbed(runner, source, start)
    process = start(source)
    while not records(runner):
        assert process.is_alive()
    process.terminate()
    process.join(DEADLINE_SECONDS)
    assert process.exitcode == 143
    assert records(runner)
    finish(start(source))
    (store,) = published(runner)
    assert values_of(store) == expected
    assert leftovers(runner) == []


def test_killed_any_number_of_times_it_gives_the_same_bytes(runner: Runner, source: Path, start: Start) -> None:
    chance = random.Random(7)  # noqa: S311 - not a secret
    started = time.monotonic()
    expected = undisturbed(runner, source, start)
    longest = time.monotonic() - started
    kills = rounds = 0
    while kills < KILLS // 2:
        rounds += 1
        ended = False
        while not ended:
            process = start(source, "--title", f"Round {rounds}")
            time.sleep(chance.uniform(0, longest))
            process.kill()
            process.join()
            ended = process.exitcode == 0
            kills += not ended
            assert all(values_of(store) == expected for store in published(runner)), "half a version is visible"
            if kills >= KILLS // 2:
                finish(start(source, "--title", f"Round {rounds}"))
                ended = True
        (store,) = published(runner)
        assert values_of(store) == expected
        assert runner.pointer("source")["title"] == f"Round {rounds}"
        assert leftovers(runner) == []
        remove_dataset(runner)


def remove_dataset(runner: Runner) -> None:
    """Take the data set away, so that the next round makes it anew."""
    for path in sorted((runner.data / "datasets" / "source").rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
