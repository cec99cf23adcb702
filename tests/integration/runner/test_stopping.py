"""Stopped or killed at any moment: quickly gone, nothing half done, and the same result in the end."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.runner.conftest import Json, Runner, contents

DEADLINE_SECONDS = 60


def wait_until(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Poll until a condition holds; the process must still be running then."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert process.poll() is None, f"ended too early:\n{process.communicate()}"
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.002)


def stop(process: subprocess.Popen[str]) -> float:
    """Send SIGTERM and wait for the end; seconds that it took."""
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=DEADLINE_SECONDS)
    return time.monotonic() - started


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """A data set that takes some seconds to aggregate, in a data root of its own."""
    data = tmp_path_factory.mktemp("stopping") / "data"
    data.mkdir()
    dataset = Runner(data)("synthesize", "--id", "source", "--days", "120", "--size", "120").dataset
    return {**dataset, "root": data}


@pytest.fixture
def runner(source: Json) -> Runner:
    return Runner(source["root"])


def resample(runner: Runner, frequency: str, job: str, pod: str, **inputs: object) -> subprocess.Popen[str]:
    """Start `resample` as an attempt at a job."""
    file = runner.write_inputs(source_dataset_id="source", frequency=frequency, method="mean", **inputs)
    uids = {"CLIMATEJOBS_JOB_UID": job, "CLIMATEJOBS_POD_UID": pod}
    return runner.start("run", "--process", "resample", "--inputs", file, **uids)


def test_echo_stops_within_a_second(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "inputs.json").write_text('{"message": "hello", "pause": 60}')
    process = runner.start("run", "--process", "echo", "--inputs", tmp_path / "inputs.json")
    assert process.stderr is not None
    assert "Echoing" in process.stderr.readline()
    assert stop(process) < 1
    assert process.returncode == 143


def test_it_stops_even_while_it_loads(runner: Runner) -> None:
    process = runner.start("run", "--process", "resample", "--inputs", "-")
    wait_until(lambda: handles_sigterm(process.pid), process)
    assert stop(process) < 1
    assert process.returncode == 143


def handles_sigterm(pid: int) -> bool:
    """Whether a process has a handler for SIGTERM."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) & (1 << (signal.SIGTERM - 1)))


def test_a_run_that_is_stopped_leaves_no_staging(runner: Runner) -> None:
    process = resample(runner, "6h", "stopped", "pod")
    wait_until(runner.stagings, process)
    assert stop(process) < 1
    assert process.returncode == 143
    assert runner.stagings() == []
    assert not (runner.data / "datasets" / "source_6h_mean" / "dataset.json").exists()


def test_killed_at_any_moment_and_tried_again_it_gives_the_same_bytes(runner: Runner) -> None:
    undisturbed = contents(runner.store(runner.resample("source", "1D").dataset))
    moments = random.Random(3)  # noqa: S311 - not a secret
    folder = runner.data / "datasets" / "source_1d_mean"
    for trial in range(8):
        before = set(folder.glob("versions/*.zarr"))
        job = f"{trial:08}"
        killed = resample(runner, "1D", job, "first", overwrite=True)
        if trial % 2:
            wait_until(runner.stagings, killed)
        time.sleep(moments.uniform(0, 1.2 if trial % 2 == 0 else 0.4))
        killed.kill()
        killed.communicate()

        made = set(folder.glob("versions/*.zarr")) - before
        assert all(same(contents(store), undisturbed) for store in made), "half a result was published"
        retried = resample(runner, "1D", job, "second", overwrite=True)
        _, log = retried.communicate(timeout=DEADLINE_SECONDS)
        assert retried.returncode == 0, log
        (store,) = set(folder.glob("versions/*.zarr")) - before
        assert store.name.endswith(f"-{job}.zarr")
        assert same(contents(store), undisturbed)
        assert runner.pointer("source_1d_mean")["version"] == store.stem


def same(one: dict[str, bytes], other: dict[str, bytes]) -> bool:
    """Whether two stores hold the same, but for the name of the version in the metadata of the root."""
    return one.keys() == other.keys() and all(one[name] == other[name] for name in one if name != "zarr.json")


def test_a_reader_never_sees_a_pointer_to_something_incomplete(runner: Runner) -> None:
    runner.resample("source", "2D")
    process = resample(runner, "2D", "99999999", "pod", overwrite=True)
    seen: set[str] = set()
    while process.poll() is None:
        pointer = runner.pointer("source_2d_mean")
        seen.add(pointer["version"])
        store = runner.data / "datasets" / "source_2d_mean" / "versions" / f"{pointer['version']}.zarr"
        assert (store / "zarr.json").is_file()
        os.sched_yield()
    process.communicate()
    seen.add(runner.pointer("source_2d_mean")["version"])
    assert len(seen) == 2
