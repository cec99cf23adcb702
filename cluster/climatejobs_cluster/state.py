"""Where a cluster lives on disk, what is recorded about it, and who may change it at a time.

Everything about a cluster is in one folder, so that removing the folder removes the cluster's last trace.
"""

import dataclasses
import fcntl
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from climatejobs_cluster.console import Console
from climatejobs_cluster.errors import ClusterError
from climatejobs_cluster.processes import Process

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,28}[a-z0-9])?")

ProviderName = Literal["kind", "local"]
Extent = Literal["node", "control-plane"]


def state_home(environment: Mapping[str, str]) -> Path:
    """The folder of all state that is not a cache."""
    if home := environment.get("CLIMATEJOBS_STATE_HOME"):
        return Path(home).absolute()
    return _xdg(environment, "XDG_STATE_HOME", ".local/state") / "climatejobs"


def cache_home(environment: Mapping[str, str]) -> Path:
    """The folder of what can be made again, at the price of time."""
    return _xdg(environment, "XDG_CACHE_HOME", ".cache") / "climatejobs"


def _xdg(environment: Mapping[str, str], variable: str, default: str) -> Path:
    value = environment.get(variable)
    home = Path(environment["HOME"]) if "HOME" in environment else Path.home()
    return Path(value) if value and value.startswith("/") else home / default


@dataclass(frozen=True)
class ClusterPaths:
    """The places of one cluster."""

    home: Path
    name: str

    @classmethod
    def of(cls, name: str, environment: Mapping[str, str]) -> "ClusterPaths":
        if NAME.fullmatch(name) is None:
            raise ClusterError(
                f"`{name}` cannot be the name of a cluster.",
                hint="Use at most 30 small letters, digits and hyphens, beginning and ending with a letter or digit.",
            )
        return cls(state_home(environment), name)

    @property
    def root(self) -> Path:
        return self.home / "clusters" / self.name

    @property
    def lock(self) -> Path:
        return self.home / "clusters" / f".{self.name}.lock"

    @property
    def failed_logs(self) -> Path:
        """The logs of an `up` that failed: all else of it is gone."""
        return self.home / "failed" / self.name

    @property
    def record(self) -> Path:
        return self.root / "cluster.json"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def log(self, component: str) -> Path:
        return self.logs / f"{component}.log"


@dataclass(frozen=True)
class Forward:
    """A port of this machine that leads to a service of the cluster."""

    port: int
    target: str
    process: Process


@dataclass(frozen=True)
class ClusterRecord:
    """What one command leaves for the next one to know."""

    name: str
    provider: ProviderName
    extent: Extent
    kubernetes: str
    job_controller: bool = True
    complete: bool = False
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    node: Process | None = None
    init: Process | None = None
    node_path: str = ""
    api: Forward | None = None
    forwards: tuple[Forward, ...] = ()

    def with_forward(self, forward: Forward) -> "ClusterRecord":
        others = tuple(other for other in self.forwards if other.port != forward.port)
        return dataclasses.replace(self, forwards=(*others, forward))

    def without_forwards(self, port: int | None = None) -> "ClusterRecord":
        kept = tuple(other for other in self.forwards if port is not None and other.port != port)
        return dataclasses.replace(self, forwards=kept)


def write_record(paths: ClusterPaths, record: ClusterRecord) -> None:
    write_atomically(paths.record, json.dumps(dataclasses.asdict(record), indent=2) + "\n")


def read_record(paths: ClusterPaths) -> ClusterRecord | None:
    """The record of a cluster; None when there is no such cluster, or none worth the name."""
    try:
        data = cast(dict[str, object], json.loads(paths.record.read_text(encoding="utf-8")))
        return ClusterRecord(
            name=str(data["name"]),
            provider=cast(ProviderName, data["provider"]),
            extent=cast(Extent, data["extent"]),
            kubernetes=str(data["kubernetes"]),
            job_controller=bool(data["job_controller"]),
            complete=bool(data["complete"]),
            token=str(data["token"]),
            node=_process(data["node"]),
            init=_process(data["init"]),
            node_path=str(data.get("node_path", "")),
            api=None if data["api"] is None else _forward(data["api"]),
            forwards=tuple(_forward(item) for item in cast(list[object], data["forwards"])),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _process(data: object) -> Process | None:
    if data is None:
        return None
    values = cast(dict[str, object], data)
    return Process(pid=int(str(values["pid"])), started=str(values["started"]))


def _forward(data: object) -> Forward:
    values = cast(dict[str, object], data)
    process = _process(values["process"])
    if process is None:
        raise ValueError("a forward without a process")
    return Forward(port=int(str(values["port"])), target=str(values["target"]), process=process)


def write_atomically(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Replaces a file in one step, so that a reader sees the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def cluster_names(environment: Mapping[str, str]) -> list[str]:
    """All clusters of this person, also those that are half there, or of which only logs are left."""
    folders = [state_home(environment) / name for name in ("clusters", "failed")]
    return sorted({entry.name for folder in folders if folder.is_dir() for entry in folder.iterdir() if entry.is_dir()})


@contextmanager
def locked(path: Path, *, console: Console, what: str) -> Generator[None]:
    """Holds a file lock, and takes the file away at the end; whoever waited for it goes on with a new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _lock(path, console, what)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _lock(path: Path, console: Console, what: str) -> int:
    beat: Callable[[], None] | None = None
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        except BlockingIOError:
            if beat is None:
                console.say(f"waiting for another command that is busy with {what}")
                beat = console.heartbeat(f"waiting for another command that is busy with {what}")
            beat()
            time.sleep(0.1)
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
