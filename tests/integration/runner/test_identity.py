"""The same request is one result; different ones leave each other alone."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from climatejobs import datasets
from climatejobs_runner import publication
from tests.integration.runner.conftest import Json, Runner, contents, weather, write_netcdf

HOURS = np.arange(24 * 40)


@pytest.fixture
def source(runner: Runner, tmp_path: Path) -> Json:
    return runner.bring(write_netcdf(tmp_path / "t2m.nc", weather(len(HOURS), 2), HOURS), "source").dataset


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("frequency", ["6h", "1D", "10D", "dekad", "W-MON", "W-SUN", "MS"])
@pytest.mark.parametrize("start", ["2024-06-01", "2025-01-01"])
def test_the_same_request_is_computed_once(runner: Runner, frequency: str, start: str) -> None:
    first, second = (runner.resample("source", frequency, start=start).dataset for _ in range(2))
    assert (first.pop("reused"), second.pop("reused")) == (False, True)
    assert first == second
    assert runner.pointer(first["id"])["version"] == first["version"]


@pytest.mark.usefixtures("source")
def test_two_spellings_are_one_request(runner: Runner) -> None:
    first = runner.resample("source", "1D", start="2025-01-05", end="2025-01-08").dataset
    second = runner.resample("source", "24h", start="2025-01-04T22:00:00-02:00", end="2025-01-08T13:00").dataset
    assert second == {**first, "reused": True}


@pytest.mark.usefixtures("source")
def test_two_ranges_do_not_clobber_each_other(runner: Runner) -> None:
    early = runner.resample("source", "1D", end="2025-01-10").dataset
    before = contents(runner.store(early))
    late = runner.resample("source", "1D", start="2025-01-20").dataset
    assert early["id"] == late["id"]
    assert early["version"] != late["version"]
    assert contents(runner.store(early)) == before
    assert runner.pointer("source_1d_mean")["coverage"]["start"] == "2025-01-20T00:00:00Z"


@pytest.mark.usefixtures("source")
def test_reuse_leaves_the_current_version_alone(runner: Runner) -> None:
    early = runner.resample("source", "1D", end="2025-01-10").dataset
    late = runner.resample("source", "1D", start="2025-01-20").dataset
    assert runner.resample("source", "1D", end="2025-01-10").dataset == {**early, "reused": True}
    assert runner.pointer("source_1d_mean")["version"] == late["version"]


def test_new_data_give_a_new_result_and_the_old_one_stays(runner: Runner, source: Json, tmp_path: Path) -> None:
    old = runner.resample("source", "1D").dataset
    runner.bring(write_netcdf(tmp_path / "new.nc", weather(len(HOURS), 2, seed=9), HOURS), "source")
    new = runner.resample("source", "1D").dataset
    assert (new["id"], new["reused"]) == (old["id"], False)
    assert runner.store(old).is_dir()
    assert runner.pointer(new["id"])["provenance"]["source"]["version"] != source["version"]


@pytest.mark.usefixtures("source")
def test_overwrite_computes_again_under_the_same_id(runner: Runner) -> None:
    first = runner.resample("source", "1D").dataset
    job = {"CLIMATEJOBS_JOB_UID": "0F3c9d2e-1111-4222-8333-944445555666"}
    inputs = runner.write_inputs(source_dataset_id="source", frequency="1D", method="mean", overwrite=True)
    second = runner("run", "--process", "resample", "--inputs", inputs, **job).dataset
    assert (second["id"], second["reused"]) == (first["id"], False)
    assert second["version"] == f"{first['version']}-0f3c9d2e"
    assert runner.pointer(first["id"])["version"] == second["version"]
    assert runner.store(first).is_dir()
    np.testing.assert_array_equal(runner.open(first)["t2m"].to_numpy(), runner.open(second)["t2m"].to_numpy())

    retried = runner("run", "--process", "resample", "--inputs", inputs, **job).dataset
    assert retried == second
    assert runner.resample("source", "1D").dataset == {**second, "reused": True}


@pytest.mark.usefixtures("source")
def test_a_publisher_that_was_killed_before_the_pointer_is_finished_by_the_next(runner: Runner) -> None:
    early = runner.resample("source", "1D", end="2025-01-10").dataset
    late = runner.resample("source", "1D", start="2025-01-20").dataset
    # As if the second publication had been killed between rename and pointer.
    pointer = runner.data / "datasets" / late["id"] / "dataset.json"
    pointer.unlink()
    left = runner.data / "datasets" / late["id"] / "versions" / ".staging-some-job"
    left.mkdir()
    (left / "publishing").write_text(late["version"])
    runner.resample("source", "1D", end="2025-01-10")
    assert runner.pointer(late["id"])["version"] == early["version"]
    assert runner.resample("source", "1D", start="2025-01-20").dataset["reused"]
    assert runner.pointer(late["id"])["version"] == late["version"]


@pytest.mark.usefixtures("source")
def test_a_version_that_another_attempt_has_published_meanwhile_is_as_good(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = runner.resample("source", "1D").dataset
    before = contents(runner.store(published))

    # Both had looked before either was done: let the second one see nothing, and publish the same.
    def no_versions(*_: object) -> list[str]:
        return []

    monkeypatch.setattr("climatejobs_runner.data_root.DataRoot.versions", no_versions)
    second = runner.resample("source", "1D").dataset
    assert second == published
    assert contents(runner.store(published)) == before
    assert runner.stagings() == []


def test_leftovers_are_removed_by_their_age(runner: Runner, source: Json) -> None:
    versions = runner.data / "datasets" / "source_1d_mean" / "versions"
    ages = {
        "job-1-old": publication.OWN_LEFTOVER_SECONDS + 60,
        "job-1-young": publication.OWN_LEFTOVER_SECONDS - 60,
        "job-2-young": publication.OWN_LEFTOVER_SECONDS + 60,
        "job-2-old": datasets.ABANDONED_SECONDS + 60,
    }
    for name, age in ages.items():
        leave_behind(versions / f".staging-{name}", age)
    inputs = runner.write_inputs(source_dataset_id=source["id"], frequency="1D", method="mean")
    uids = {"CLIMATEJOBS_JOB_UID": "job-1", "CLIMATEJOBS_POD_UID": "this"}
    assert runner("run", "--process", "resample", "--inputs", inputs, **uids).status == 0
    assert [path.name for path in runner.stagings()] == [".staging-job-1-young", ".staging-job-2-young"]


def leave_behind(folder: Path, age: float) -> None:
    """A staging folder whose attempt was killed that many seconds ago."""

    (folder / "store.zarr").mkdir(parents=True)
    heartbeat = folder / "heartbeat"
    heartbeat.touch()
    moment = time.time() - age
    os.utime(heartbeat, (moment, moment))
