"""`up` leaves a complete cluster or nothing, whatever the provider does."""

import io
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from climatejobs_cluster.console import Console
from climatejobs_cluster.errors import ClusterError, Interrupted
from climatejobs_cluster.lifecycle import Lifecycle, remove_folder
from climatejobs_cluster.provider import Provider, Request
from climatejobs_cluster.state import ClusterPaths, ClusterRecord, read_record, write_record


@dataclass
class FailingProvider:
    """Goes as far as a test lets it."""

    paths: ClusterPaths
    on_create: Callable[[], None] = lambda: None
    running: bool = False
    destroyed: list[str | None] = field(default_factory=list[str | None])

    def prepare(self, request: Request) -> ClusterRecord:
        return ClusterRecord(name=self.paths.name, provider="local", extent=request.extent, kubernetes="v1")

    def create(self, record: ClusterRecord, lifeline: int) -> ClusterRecord:
        del record, lifeline
        self.paths.logs.mkdir(exist_ok=True)
        self.paths.log("etcd").write_text("no space left")
        self.on_create()
        raise ClusterError("etcd does not start", log=self.paths.log("etcd"))

    def is_running(self, record: ClusterRecord) -> bool:
        del record
        return self.running

    def destroy(self, record: ClusterRecord | None) -> None:
        self.destroyed.append(None if record is None else record.token)


@pytest.fixture
def provider(tmp_path: Path) -> FailingProvider:
    return FailingProvider(ClusterPaths(tmp_path / "state", "demo"))


def lifecycle(provider: FailingProvider) -> Lifecycle:
    environment = {**os.environ, "CLIMATEJOBS_STATE_HOME": str(provider.paths.home)}
    return Lifecycle(provider.paths, cast(Provider, provider), environment, Console(io.StringIO()))


def test_a_failure_leaves_the_logs_and_nothing_else(provider: FailingProvider):
    with pytest.raises(ClusterError, match="etcd does not start") as failure:
        lifecycle(provider).up(Request())
    assert len(provider.destroyed) == 1
    assert failure.value.log == provider.paths.failed_logs / "etcd.log"
    assert (provider.paths.failed_logs / "etcd.log").read_text() == "no space left"
    assert not (provider.paths.home / "clusters").exists()


def test_an_interruption_leaves_nothing_at_all(provider: FailingProvider):
    def interrupt() -> None:
        raise Interrupted(signal.SIGINT)

    provider.on_create = interrupt
    with pytest.raises(Interrupted):
        lifecycle(provider).up(Request())
    assert len(provider.destroyed) == 1
    assert not provider.paths.home.exists()


def test_down_takes_the_logs_of_a_failure_away(provider: FailingProvider):
    with pytest.raises(ClusterError):
        lifecycle(provider).up(Request())
    assert lifecycle(provider).down() is False
    assert not provider.paths.home.exists()


def test_a_cluster_with_other_parts_is_left_alone(provider: FailingProvider):
    provider.running = True
    record = ClusterRecord(name="demo", provider="local", extent="node", kubernetes="v1", complete=True)
    write_record(provider.paths, record)
    with pytest.raises(ClusterError, match="already"):
        lifecycle(provider).up(Request(extent="control-plane"))
    assert read_record(provider.paths) == record
    assert provider.destroyed == []


def test_the_remains_of_a_dead_cluster_are_removed_first(provider: FailingProvider):
    record = ClusterRecord(name="demo", provider="local", extent="node", kubernetes="v1", complete=True)
    write_record(provider.paths, record)
    with pytest.raises(ClusterError):
        lifecycle(provider).up(Request())
    assert provider.destroyed[0] == record.token
    assert provider.destroyed[1] != record.token


def test_the_guard_removes_only_what_it_was_set_to_watch(provider: FailingProvider):
    record = ClusterRecord(name="demo", provider="local", extent="node", kubernetes="v1")
    write_record(provider.paths, record)
    lifecycle(provider).take_back_unfinished("another")
    assert provider.paths.root.exists()
    lifecycle(provider).take_back_unfinished(record.token)
    assert not provider.paths.home.exists()


def test_the_guard_leaves_a_complete_cluster(provider: FailingProvider):
    record = ClusterRecord(name="demo", provider="local", extent="node", kubernetes="v1", complete=True)
    write_record(provider.paths, record)
    lifecycle(provider).take_back_unfinished(record.token)
    assert read_record(provider.paths) == record


def test_removing_a_folder_that_is_not_there(tmp_path: Path):
    remove_folder(tmp_path / "nothing")
