"""A computation that several processes share: the same bytes as one alone makes, whatever becomes of any of them."""

import json
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from climatejobs import datasets
from tests.integration.runner import attempts
from tests.integration.runner.conftest import Json, Runner, contents, open_zarr, weather, write_netcdf

DEADLINE_SECONDS = 60
KILLS = int(os.environ.get("CLIMATEJOBS_TEST_KILLS", "40"))
"""How often something is killed; 200 in the run whose outcome is documented."""
HOURS = np.arange(24 * 90)


@dataclass
class Jobs:
    """Runs attempts at jobs on one data root."""

    runner: Runner
    folder: Path
    inputs: dict[str, Any] = field(
        default_factory=lambda: {"source_dataset_id": "source", "frequency": "1D", "method": "mean"}
    )
    _running: list[BaseProcess] = field(default_factory=list[BaseProcess])

    @property
    def data(self) -> Path:
        """Where the files of the data root lie."""
        return self.runner.data

    def start(self, job: str, shard: tuple[int, int] | None = None, **inputs: object) -> tuple[BaseProcess, Path]:
        """Start an attempt; the process, and where its result will be."""
        result = self.folder / f"result-{len(self._running)}.json"
        process = attempts.start(self.runner.root, {**self.inputs, **inputs}, job, result.stem, result, shard)
        self._running.append(process)
        return process, result

    def finish(self, started: tuple[BaseProcess, Path]) -> Json:
        """Wait for an attempt to succeed; its result document."""
        process, result = started
        process.join(DEADLINE_SECONDS)
        assert process.exitcode == 0, result.with_suffix(".log").read_text()
        return json.loads(result.read_text())

    def run(self, job: str, shard: tuple[int, int] | None = None, **inputs: object) -> Json:
        """Run one attempt to its end."""
        return self.finish(self.start(job, shard, **inputs))

    def run_shards(self, job: str, of: int, **inputs: object) -> list[Json]:
        """Run all shards of a job at the same time; their result documents."""
        return [self.finish(started) for started in [self.start(job, (n, of), **inputs) for n in range(of)]]

    def store(self, documents: list[Json]) -> Path:
        """The store of the result that some of the documents give, all of them the same."""
        given = {document["outputs"]["dataset"]["store"] for document in documents if "outputs" in document}
        assert len(given) == 1, documents
        return self.data / given.pop()

    def stop_all(self) -> None:
        """End what is still running."""
        for process in self._running:
            process.kill()
            process.join()


@pytest.fixture
def runner(runner_on_each_storage: Runner) -> Runner:
    return runner_on_each_storage


@pytest.fixture
def jobs(runner: Runner, tmp_path: Path) -> Iterator[Jobs]:
    values = weather(len(HOURS), 8, missing=0.3)
    # Whole chunks of the result without a value, which are never written.
    values[24 * 32 : 24 * 64] = np.nan
    assert runner.bring(write_netcdf(tmp_path / "t2m.nc", values, HOURS), "source", "--chunk-steps", "31").dataset
    (tmp_path / "results").mkdir()
    jobs = Jobs(runner, tmp_path / "results")
    yield jobs
    jobs.stop_all()


def same(one: Path, other: Path) -> bool:
    """Whether two stores hold the same, but for the name of the version in the metadata of the root."""
    left, right = contents(one), contents(other)
    return left.keys() == right.keys() and all(left[name] == right[name] for name in left if name != "zarr.json")


def visible(jobs: Jobs) -> set[Path]:
    """Versions of the result that anybody could open."""
    versions = jobs.data / "datasets/source_1d_mean/versions"
    if jobs.runner.address:
        return {path.with_name(path.name.removesuffix(".published")) for path in versions.glob("*.zarr.published")}
    return set(versions.glob("*.zarr"))


def leftovers(jobs: Jobs) -> list[Path]:
    """What is left of stores under construction."""
    versions = jobs.data / "datasets" / "source_1d_mean" / "versions"
    # The object store may leave the folders of objects that are gone.
    found = [*versions.glob(".staging-*"), *versions.glob(".shared-*/*.zarr")]
    return [folder for folder in found if any(path.is_file() for path in folder.rglob("*"))]


@pytest.mark.parametrize("shards", [2, 3, 7])
def test_shards_give_the_bytes_that_one_alone_gives(jobs: Jobs, shards: int) -> None:
    alone = jobs.store([jobs.run("alone", overwrite=True)])
    documents = jobs.run_shards("shared", shards, overwrite=True)
    shared = jobs.store(documents)
    assert shared != alone
    assert same(shared, alone)
    told = [document["shard"] for document in documents if "shard" in document]
    assert len(told) == shards - 1
    assert all(part["of"] == shards for part in told)
    assert {part["unit"] for part in told if part["total"]} == {"steps"}, "how much each has done"
    assert json.loads((jobs.data / "datasets/source_1d_mean/dataset.json").read_text())["version"] == shared.stem
    assert leftovers(jobs) == []


def test_surplus_shards_say_that_there_is_nothing_to_do(jobs: Jobs) -> None:
    documents = jobs.run_shards("many", 9, frequency="MS")
    store = jobs.store(documents)
    assert [name for name in contents(store) if name.startswith("t2m/c/")] == ["t2m/c/0/0/0"]
    logs = "".join(log.read_text() for log in jobs.folder.glob("*.log"))
    assert logs.count("Nothing to do for shard") == 8


def test_shards_may_come_one_after_the_other(jobs: Jobs) -> None:
    documents = [jobs.run("slow", (index, 3)) for index in (2, 0, 1)]
    assert [list(document) for document in documents] == [["shard"], ["shard"], ["outputs"]]
    assert documents[2]["outputs"]["dataset"]["reused"] is False


def test_a_source_that_changes_between_two_shards_changes_nothing(jobs: Jobs, runner: Runner, tmp_path: Path) -> None:
    expected = contents(jobs.store([jobs.run("alone")]))
    first = jobs.run("shared", (0, 2), overwrite=True)
    runner.bring(write_netcdf(tmp_path / "new.nc", weather(len(HOURS), 8, seed=9), HOURS), "source")
    second = jobs.run("shared", (1, 2), overwrite=True)
    assert "shard" in first
    made = contents(jobs.store([second]))
    assert {name: made[name] for name in made if name != "zarr.json"} == {
        name: expected[name] for name in expected if name != "zarr.json"
    }


def test_a_shard_that_is_repeated_after_the_end_says_the_same_again(jobs: Jobs) -> None:
    documents = jobs.run_shards("job", 3)
    before = contents(jobs.store(documents))
    teller = next(index for index, document in enumerate(documents) if "outputs" in document)
    again = jobs.run("job", (teller, 3))
    assert again == documents[teller]
    assert contents(jobs.store([again])) == before
    other = (teller + 1) % 3
    assert jobs.run("job", (other, 3)) == documents[other]


def test_a_shard_that_is_repeated_before_the_end_says_the_same_again(jobs: Jobs) -> None:
    first = jobs.run("job", (0, 3))
    assert first["shard"]["total"] > 0
    assert jobs.run("job", (0, 3)) == first


def test_parts_that_were_removed_as_abandoned_are_missing_until_their_shards_run_again(jobs: Jobs) -> None:
    """As of a job that was suspended for longer than a day. The operator has all shards run again then."""
    jobs.run("held", (0, 2), overwrite=True)
    folder = jobs.data / "datasets/source_1d_mean/versions/.shared-held"
    moment = time.time() - datasets.ABANDONED_SECONDS - 60
    os.utime(folder / "heartbeat", (moment, moment))
    alone = jobs.store([jobs.run("other", overwrite=True)])
    assert not (folder / "done-0.json").exists()
    assert list(jobs.run("held", (1, 2), overwrite=True)) == ["shard"]
    documents = [jobs.run("held", (index, 2), overwrite=True) for index in range(2)]
    assert [list(document) for document in documents] == [["outputs"], ["shard"]]
    assert same(jobs.store(documents), alone)


def test_an_equal_result_is_found_by_every_shard(jobs: Jobs) -> None:
    first = jobs.run("first")["outputs"]["dataset"]
    documents = jobs.run_shards("second", 3)
    assert [document["outputs"]["dataset"] for document in documents] == [{**first, "reused": True}] * 3


def test_shards_of_different_computations_do_not_mix(jobs: Jobs) -> None:
    jobs.run("job", (0, 3))
    process, result = jobs.start("job", (1, 4))
    process.join(DEADLINE_SECONDS)
    assert process.exitcode == 65
    assert "begun with 3 shards" in json.loads(result.read_text())["error"]["detail"]


def test_the_same_request_twice_at_the_same_moment_is_one_version(jobs: Jobs) -> None:
    started = [jobs.start("one"), jobs.start("two"), *(jobs.start("three", (n, 2)) for n in range(2))]
    documents = [jobs.finish(each) for each in started]
    (store,) = visible(jobs)
    assert jobs.store(documents) == store
    assert leftovers(jobs) == []


def test_a_reader_never_sees_an_error_or_a_mixture_while_shards_overwrite(jobs: Jobs, runner: Runner) -> None:
    expected = runner.open(jobs.run("first")["outputs"]["dataset"])
    started = [jobs.start("second", (n, 3), overwrite=True) for n in range(3)]
    seen: set[str] = set()
    while any(process.is_alive() for process, _ in started):
        version = runner.pointer("source_1d_mean")["version"]
        seen.add(version)
        assert open_zarr(runner.data / f"datasets/source_1d_mean/versions/{version}.zarr").equals(expected)
    for each in started:
        jobs.finish(each)
    seen.add(runner.pointer("source_1d_mean")["version"])
    assert len(seen) == 2


@pytest.mark.parametrize("shards", [1, 3])
def test_killed_any_number_of_times_it_gives_the_same_bytes(jobs: Jobs, shards: int) -> None:
    chance = random.Random(shards)  # noqa: S311 - not a secret
    expected = jobs.store([jobs.run("undisturbed", overwrite=True)])
    started = time.monotonic()
    jobs.run("timed", overwrite=True)
    longest = 1.2 * (time.monotonic() - started)
    kills = round_ = 0
    while kills < KILLS // 2:
        round_ += 1
        job = f"{round_:08}"
        before = visible(jobs)
        documents: list[Json] = []
        open_shards: list[tuple[int, int] | None] = [(index, shards) if shards > 1 else None for index in range(shards)]
        while open_shards:
            running = [(shard, jobs.start(job, shard, overwrite=True)) for shard in open_shards]
            if chance.random() < 0.3:
                # As when a node was lost and its pod still runs.
                running.append((running[0][0], jobs.start(job, running[0][0], overwrite=True)))
            open_shards = list[tuple[int, int] | None]()
            for shard, (process, result) in running:
                if chance.random() < 0.6:
                    time.sleep(chance.uniform(0, longest / len(running)))
                    process.kill()
                process.join(DEADLINE_SECONDS)
                assert process.exitcode in (0, -9), result.with_suffix(".log").read_text()
                if process.exitcode == 0:
                    documents.append(json.loads(result.read_text()))
                else:
                    kills += 1
                    open_shards.append(shard)
                assert all(same(store, expected) for store in visible(jobs) - before), "half a result is visible"
            open_shards = sorted(set(open_shards), key=str)
        assert jobs.store(documents).stem.endswith(job)
        assert same(jobs.store(documents), expected)
    assert kills >= KILLS // 2
