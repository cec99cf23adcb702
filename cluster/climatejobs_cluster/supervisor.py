"""The node's first process keeps its components running: what dies is started again, and orphans are reaped.

It ends, and the node with it, in one case only: the command that brings the cluster up went away before it was done.
"""

import io
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from climatejobs_cluster.components import Component
from climatejobs_cluster.layout import API_PORT, STATE
from climatejobs_cluster.probes import probe
from climatejobs_cluster.state import write_atomically

TICK_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 5.0
STEADY_SECONDS = 10.0


@dataclass
class Service:
    """A component with what happened to it so far."""

    component: Component
    child: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    due: float = 0.0
    restarts: int = 0
    quick_deaths: int = 0
    last_end: str = ""


def pause(quick_deaths: int) -> float:
    """How long to wait before a new start, by how often it died at once. Pure."""
    return 0.0 if quick_deaths == 0 else min(0.2 * 2.0 ** (quick_deaths - 1), LONGEST_PAUSE_SECONDS)


def ending(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"


@dataclass
class Supervisor:
    """Runs components until the end of the node."""

    components: Sequence[Component]
    logs: Path
    environment: dict[str, str]
    lifeline: io.FileIO
    services: list[Service] = field(default_factory=list[Service])
    api_answers: bool = False

    def run(self) -> None:
        wake, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write_end)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self.services = [Service(component) for component in self.components]
        lifeline_open = True
        while True:
            self._start_due()
            watched = [wake, self.lifeline] if lifeline_open else [wake]
            readable, _, _ = select.select(watched, [], [], None if self._steady() else TICK_SECONDS)
            if wake in readable:
                os.read(wake, 4096)
            if self.lifeline in readable and not self.lifeline.read(1):
                if not _is_complete():
                    print("the command that was bringing this cluster up is gone: ending", flush=True)
                    return
                lifeline_open = False
            self._reap()

    def _steady(self) -> bool:
        return all(service.child is not None for service in self.services)

    def _start_due(self) -> None:
        now = time.monotonic()
        waiting = [service for service in self.services if service.child is None and service.due <= now]
        if not waiting:
            return
        if not self.api_answers and any(service.component.after_api for service in waiting):
            self.api_answers = probe(f"https://127.0.0.1:{API_PORT}/readyz") is None
        started = [service for service in waiting if self.api_answers or not service.component.after_api]
        for service in started:
            self._start(service, now)
        if started:
            self._report()

    def _start(self, service: Service, now: float) -> None:
        component = service.component
        with (self.logs / f"{component.name}.log").open("ab") as log:
            try:
                service.child = subprocess.Popen(
                    component.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self.environment,
                    start_new_session=True,
                )
            except OSError as error:
                log.write(f"{component.command[0]} cannot be started: {error}\n".encode())
                self._ended(service, now, str(error))
                return
        service.started = now

    def _reap(self) -> None:
        """Collects every process that ended: components, and orphans of containers, whose new parent this is."""
        changed = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            for service in self.services:
                if service.child is not None and service.child.pid == pid:
                    service.child.returncode = os.waitstatus_to_exitcode(status)
                    words = ending(service.child.returncode)
                    print(f"{service.component.name} ended with {words}", flush=True)
                    self._ended(service, time.monotonic(), words)
                    changed = True
        if changed:
            self._report()

    def _ended(self, service: Service, now: float, words: str) -> None:
        steady = service.child is not None and now - service.started > STEADY_SECONDS
        service.child = None
        service.restarts += 1
        service.quick_deaths = 0 if steady else service.quick_deaths + 1
        service.due = now + pause(service.quick_deaths)
        service.last_end = words

    def _report(self) -> None:
        report = {
            service.component.name: {
                "pid": None if service.child is None else service.child.pid,
                "restarts": service.restarts,
                "last_end": service.last_end,
            }
            for service in self.services
        }
        write_atomically(STATE / "running.json", json.dumps(report, indent=2) + "\n")


def _is_complete() -> bool:
    try:
        return json.loads((STATE / "cluster.json").read_text(encoding="utf-8"))["complete"] is True
    except (OSError, ValueError, KeyError):
        return False
