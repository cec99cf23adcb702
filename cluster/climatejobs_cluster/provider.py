"""What a cluster is made by, behind one small interface, and which of the two ways is taken."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from climatejobs_cluster.api import Object
from climatejobs_cluster.errors import ClusterError
from climatejobs_cluster.processes import Process
from climatejobs_cluster.state import ClusterRecord, Extent, ProviderName


@dataclass(frozen=True)
class Request:
    """What the person asked `up` for."""

    extent: Extent = "node"
    job_controller: bool = True


@dataclass(frozen=True)
class ComponentStatus:
    """One program of the cluster: `problem` is None when it answers."""

    name: str
    detail: str
    problem: str | None
    log: Path | None = None


@dataclass(frozen=True)
class Service:
    """A Service of the cluster and one of its ports."""

    name: str
    namespace: str
    port: int

    def __str__(self) -> str:
        return f"{self.name}.{self.namespace}:{self.port}"


@dataclass(frozen=True)
class Invocation:
    """A program to become: its words and its environment."""

    words: tuple[str, ...]
    environment: dict[str, str]


class Provider(Protocol):
    """Makes and keeps one cluster. The record says what there is; methods that change it give the new one."""

    @property
    def data(self) -> str:
        """The folder in the node in whose numbered subfolders the volumes are."""
        ...

    def prepare(self, request: Request) -> ClusterRecord:
        """Everything that can be done, and can fail, before there is anything of the cluster."""
        ...

    def create(self, record: ClusterRecord, lifeline: int) -> ClusterRecord:
        """Starts the cluster. It has to end by itself if `lifeline` does before the record is complete."""
        ...

    def manifests(self, record: ClusterRecord) -> list[tuple[str, Object]]:
        """Path and object of what the cluster's own components need in the API."""
        ...

    def repair(self, record: ClusterRecord) -> ClusterRecord:
        """Starts again what belongs to a running cluster and has ended."""
        ...

    def is_running(self, record: ClusterRecord) -> bool: ...

    def destroy(self, record: ClusterRecord | None) -> None:
        """Ends everything outside of the cluster's folder."""
        ...

    def components(self, record: ClusterRecord) -> list[ComponentStatus]: ...

    def restart(self, record: ClusterRecord, component: str) -> None: ...

    def send(self, record: ClusterRecord, component: str, number: signal.Signals) -> None:
        """Sends a signal to a component that runs."""
        ...

    def load(self, record: ClusterRecord, image: str) -> list[str]:
        """Brings an image into the node and gives its names there."""
        ...

    def invocation(self, record: ClusterRecord, words: Sequence[str]) -> Invocation:
        """How to run a program where kubectl and helm work and services can be reached, if there is such a place."""
        ...

    def run_in_node(self, record: ClusterRecord, words: Sequence[str]) -> str: ...

    def forward(self, record: ClusterRecord, port: int, service: Service) -> Process: ...


@dataclass(frozen=True)
class Machine:
    """The facts that decide between the two ways."""

    is_linux: bool
    docker_answers: bool
    kind_available: bool
    image_available: bool


def choose(wanted: ProviderName | None, request: Request, machine: Machine) -> tuple[ProviderName, str]:
    """Which provider, and why, in words. Pure."""
    if request.extent == "control-plane":
        if wanted == "kind":
            raise ClusterError(
                "kind makes whole nodes only.", hint="Leave out `--provider kind`, or `--control-plane`."
            )
        if not machine.is_linux:
            raise ClusterError("A control plane by itself needs the namespaces of Linux.")
        return "local", "a control plane needs no containers"
    if wanted == "kind" and not machine.docker_answers:
        raise ClusterError("kind needs Docker, and `docker info` does not work.", hint="Start Docker.")
    if wanted is not None:
        return wanted, "as asked for"
    if machine.docker_answers and machine.kind_available and machine.image_available:
        return "kind", "Docker, kind and the node image are there"
    missing = (
        "Docker does not answer"
        if not machine.docker_answers
        else "kind is not there"
        if not machine.kind_available
        else "the node image cannot be had"
    )
    if not machine.is_linux:
        raise ClusterError(f"There is no way to make a cluster here: {missing}, and this is not Linux.")
    return "local", missing
