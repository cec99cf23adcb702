"""Bringing a cluster up and taking it down, the same for every provider.

`up` leaves a complete cluster or nothing. A failure or a signal takes back what was made here; should this command be
killed outright, the guard does, and the node ends by itself.
"""

import dataclasses
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from climatejobs_cluster import guard, storage
from climatejobs_cluster.api import Access
from climatejobs_cluster.console import Console
from climatejobs_cluster.errors import ClusterError, Interrupted
from climatejobs_cluster.interrupts import without_interruption
from climatejobs_cluster.processes import end, is_alive
from climatejobs_cluster.provider import Provider, Request
from climatejobs_cluster.readiness import wait_for_api, wait_for_everything
from climatejobs_cluster.state import ClusterPaths, ClusterRecord, locked, read_record, write_record

REMOVAL_SECONDS = 30.0


@dataclass(frozen=True)
class Lifecycle:
    """One cluster from its beginning to its end."""

    paths: ClusterPaths
    provider: Provider
    environment: Mapping[str, str]
    console: Console

    def up(self, request: Request) -> ClusterRecord:
        try:
            return self._up(request)
        finally:
            self._remove_empty_folders()

    def _up(self, request: Request) -> ClusterRecord:
        with self._locked():
            record = read_record(self.paths)
            if record is not None and record.complete and self.provider.is_running(record):
                return self._again(record, request)
            if self.paths.root.exists():
                self.console.say(f"removing what is left of an earlier cluster `{self.paths.name}`")
                self.destroy()
            return self._create(self.provider.prepare(request))

    def down(self) -> bool:
        """Removes the cluster; False when there was none."""
        with self._locked():
            existed = self.paths.root.exists()
            with without_interruption():
                self.destroy()
            shutil.rmtree(self.paths.failed_logs, ignore_errors=True)
        self._remove_empty_folders()
        return existed

    def destroy(self) -> None:
        """Ends everything of the cluster. The caller holds the lock."""
        self.provider.destroy(read_record(self.paths))
        remove_folder(self.paths.root)

    def take_back_unfinished(self, token: str) -> None:
        """What the guard does: removes this very cluster unless somebody has done so, or completed it, meanwhile."""
        with self._locked():
            record = read_record(self.paths)
            if record is not None and record.token == token and not record.complete:
                self.destroy()
        self._remove_empty_folders()

    def _again(self, record: ClusterRecord, request: Request) -> ClusterRecord:
        if (record.extent, record.job_controller) != (request.extent, request.job_controller):
            raise ClusterError(
                f"There is a cluster `{record.name}` already, with other parts ({describe(record)}).",
                hint=f"Take it down first (`cluster --name {record.name} down`), or choose another name.",
            )
        self.console.say(f"cluster `{record.name}` is running already ({describe(record)})")
        record = self.provider.repair(record)
        self._settle(record)
        return record

    def _create(self, record: ClusterRecord) -> ClusterRecord:
        self.paths.root.mkdir(parents=True, mode=0o700)
        read_end, write_end = os.pipe()
        watching = None
        try:
            write_record(self.paths, record)
            watching = guard.start(self.paths, record, read_end, self.environment)
            record = self.provider.create(record, read_end)
            self._settle(record)
            record = dataclasses.replace(record, complete=True)
            write_record(self.paths, record)
        except BaseException as error:
            with without_interruption():
                self.console.say("taking everything back")
                kept = None if isinstance(error, Interrupted) else self._keep_logs()
                # The node ends without its lifeline, also if it was started too recently to be on record.
                os.close(write_end)
                os.close(read_end)
                self.destroy()
                end(watching)
            if kept is not None and isinstance(error, ClusterError) and error.log is not None:
                error.log = kept / error.log.name
            raise
        os.close(write_end)
        os.close(read_end)
        deadline = time.monotonic() + 5
        while is_alive(watching) and time.monotonic() < deadline:
            time.sleep(0.01)
        shutil.rmtree(self.paths.failed_logs, ignore_errors=True)
        return record

    def _settle(self, record: ClusterRecord) -> None:
        wait_for_api(self.provider, record, self.console)
        access = Access.of(self.paths.kubeconfig)
        for path, value in self.provider.manifests(record):
            access.apply(path, value)
        wait_for_everything(self.provider, record, access, self.console)
        if record.extent == "node":
            storage.ensure_volumes(access, self.provider, record, self.console)

    def _keep_logs(self) -> Path | None:
        shutil.rmtree(self.paths.failed_logs, ignore_errors=True)
        try:
            shutil.copytree(self.paths.logs, self.paths.failed_logs)
        except (OSError, shutil.Error):
            return None
        return self.paths.failed_logs

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self.paths.lock, console=self.console, what=f"cluster `{self.paths.name}`")

    def _remove_empty_folders(self) -> None:
        for folder in (self.paths.failed_logs.parent, self.paths.root.parent, self.paths.home):
            with suppress(OSError):
                folder.rmdir()


def describe(record: ClusterRecord) -> str:
    words = [record.provider, "a node" if record.extent == "node" else "control plane only"]
    if not record.job_controller:
        words.append("no job controller")
    return ", ".join(words)


def remove_folder(folder: Path) -> None:
    """Removes a folder that processes on their way out may still be writing to."""
    deadline = time.monotonic() + REMOVAL_SECONDS
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            if time.monotonic() > deadline:
                raise ClusterError(f"`{folder}` cannot be removed.", hint="See what is in it, and try again.")
            time.sleep(0.1)
