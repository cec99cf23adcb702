"""How one of several begins a version that all of them build, in a folder of this machine."""

import shutil
from pathlib import Path, PurePosixPath

import pytest

from climatejobs.datasets import Coverage, Dataset, Variable
from climatejobs_runner import publication, sharing
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.data_root import DataRoot
from climatejobs_runner.reports import Tracker
from climatejobs_runner.shards import Pin
from climatejobs_runner.stopping import Stop
from climatejobs_runner.storage import Place

RESULT = Dataset(
    id="result",
    title="Result",
    variables=[Variable(name="v", units="K", dtype="float32")],
    frequency="1D",
    period_type="daily",
    calendar="standard",
    shape={"time": 1},
    chunks={"time": 1},
    coverage=Coverage(start="2025-01-01T00:00:00Z", end="2025-01-01T00:00:00Z"),
    version="0123abcd",
)


def attempt(root: Path, pod: str) -> Attempt:
    return Attempt(data=DataRoot(root), job_uid="job", pod_uid=pod, stop=Stop(), progress=Tracker([]))


def pin(pod: str) -> Pin:
    return Pin(shards=2, inputs={}, source=None, result=RESULT, store=f"{pod}.zarr")


def prepare(store: Place) -> None:
    folder = Path(str(store))
    folder.mkdir(parents=True)
    (folder / "zarr.json").write_text("{}")


def test_the_first_pins_its_store_and_the_second_works_with_it(tmp_path: Path) -> None:
    assert sharing.begin(attempt(tmp_path, "a"), pin("a"), prepare).store == "a.zarr"
    assert sharing.begin(attempt(tmp_path, "b"), pin("b"), prepare).store == "a.zarr"
    assert [store.name for store in tmp_path.rglob("*.zarr")] == ["a.zarr"]


def test_the_others_may_come_to_their_end_while_a_store_is_prepared(tmp_path: Path) -> None:
    def prepare_late(store: Place) -> None:
        sharing.begin(attempt(tmp_path, "a"), pin("a"), prepare)
        prepare(store)
        for made in tmp_path.rglob("*.zarr"):
            shutil.rmtree(made)
        (Path(str(store)) / "zarr.json").write_text("{}")

    assert sharing.begin(attempt(tmp_path, "b"), pin("b"), prepare_late).store == "a.zarr"


def test_the_others_may_have_cleared_everything_away_before_their_pin_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = attempt(tmp_path, "b")
    create = late.data.storage.create

    def create_late(path: PurePosixPath, content: bytes, writer: str) -> bool:
        sharing.begin(attempt(tmp_path, "a"), pin("a"), prepare)
        monkeypatch.undo()
        taken = create(path, content, writer)
        publication.clear(late, RESULT.id)
        return taken

    monkeypatch.setattr(late.data.storage, "create", create_late)
    assert sharing.begin(late, pin("b"), prepare).store == "b.zarr"
    assert [store.name for store in tmp_path.rglob("*.zarr")] == ["b.zarr"]


def test_the_others_may_have_cleared_everything_away_while_a_store_is_prepared(tmp_path: Path) -> None:
    late = attempt(tmp_path, "b")
    cleared: list[bool] = []

    def prepare_late(store: Place) -> None:
        if not cleared:
            sharing.begin(attempt(tmp_path, "a"), pin("a"), prepare)
            publication.clear(late, RESULT.id)
            cleared.append(True)
            raise FileNotFoundError(str(store))
        prepare(store)

    assert sharing.begin(late, pin("b"), prepare_late).store == "b.zarr"


def test_a_store_that_cannot_be_prepared_is_an_error(tmp_path: Path) -> None:
    def fail(store: Place) -> None:
        (Path(str(store)) / "zarr.json").write_text("{}")

    with pytest.raises(FileNotFoundError):
        sharing.begin(attempt(tmp_path, "a"), pin("a"), fail)
