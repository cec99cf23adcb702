"""Where things are, what is recorded, and who waits for whom."""

import io
import threading
from pathlib import Path

import pytest

from climatejobs_cluster.console import Console
from climatejobs_cluster.errors import ClusterError
from climatejobs_cluster.processes import Process
from climatejobs_cluster.state import (
    ClusterPaths,
    ClusterRecord,
    Forward,
    cache_home,
    cluster_names,
    locked,
    read_record,
    state_home,
    write_record,
)

QUIET = Console(io.StringIO())
ONE = Process(7, "100")


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"HOME": "/h"}, "/h/.local/state/climatejobs"),
        ({"HOME": "/h", "XDG_STATE_HOME": "/x"}, "/x/climatejobs"),
        ({"HOME": "/h", "XDG_STATE_HOME": "relative"}, "/h/.local/state/climatejobs"),
        ({"HOME": "/h", "XDG_STATE_HOME": "/x", "CLIMATEJOBS_STATE_HOME": "/c"}, "/c"),
    ],
)
def test_the_place_of_the_state(environment: dict[str, str], folder: str):
    assert state_home(environment) == Path(folder)


def test_the_place_of_the_cache():
    assert cache_home({"HOME": "/h"}) == Path("/h/.cache/climatejobs")
    assert cache_home({"HOME": "/h", "XDG_CACHE_HOME": "/c"}) == Path("/c/climatejobs")


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a/b", "..", "a" * 31, "a b"])
def test_names_that_cannot_be_folders_or_labels_are_refused(name: str):
    with pytest.raises(ClusterError, match="cannot be the name"):
        ClusterPaths.of(name, {"HOME": "/h"})


def test_a_record_comes_back_as_it_was(tmp_path: Path):
    paths = ClusterPaths(tmp_path, "demo")
    record = ClusterRecord(
        name="demo",
        provider="local",
        extent="control-plane",
        kubernetes="v1.35.4",
        job_controller=False,
        complete=True,
        node=ONE,
        init=Process(8, "101"),
        node_path="/bin",
        api=Forward(40000, "127.0.0.1:6443", ONE),
        forwards=(Forward(8080, "web.default:80", ONE),),
    )
    write_record(paths, record)
    assert read_record(paths) == record
    assert paths.record.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"name": "demo"}'])
def test_a_damaged_record_is_none(tmp_path: Path, text: str):
    paths = ClusterPaths(tmp_path, "demo")
    paths.root.mkdir(parents=True)
    paths.record.write_text(text, encoding="utf-8")
    assert read_record(paths) is None


def test_forwards_are_kept_by_port():
    record = ClusterRecord(name="demo", provider="local", extent="node", kubernetes="v1")
    record = record.with_forward(Forward(1, "a", ONE)).with_forward(Forward(2, "b", ONE))
    record = record.with_forward(Forward(1, "c", ONE))
    assert [(item.port, item.target) for item in record.forwards] == [(2, "b"), (1, "c")]
    assert [item.port for item in record.without_forwards(1).forwards] == [2]
    assert record.without_forwards().forwards == ()


def test_clusters_of_which_only_logs_are_left_are_named_too(tmp_path: Path):
    environment = {"CLIMATEJOBS_STATE_HOME": str(tmp_path)}
    assert cluster_names(environment) == []
    (tmp_path / "clusters/demo").mkdir(parents=True)
    (tmp_path / "clusters/.demo.lock").touch()
    (tmp_path / "failed/tests").mkdir(parents=True)
    assert cluster_names(environment) == ["demo", "tests"]


def test_a_lock_leaves_no_file_and_lets_one_in_at_a_time(tmp_path: Path):
    path = tmp_path / "lock"
    inside: list[int] = []
    most: list[int] = []

    def enter(number: int) -> None:
        with locked(path, console=QUIET, what="the test"):
            inside.append(number)
            most.append(len(inside))
            inside.remove(number)

    threads = [threading.Thread(target=enter, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert most == [1] * 8
    assert not path.exists()


def test_a_lock_is_given_back_after_a_failure(tmp_path: Path):
    path = tmp_path / "lock"
    with pytest.raises(ValueError, match="oh"), locked(path, console=QUIET, what="the test"):
        raise ValueError("oh")
    with locked(path, console=QUIET, what="the test"):
        assert path.exists()
