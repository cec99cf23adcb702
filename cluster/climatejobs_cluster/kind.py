"""The provider for machines with Docker: kind makes the node, and this module puts it behind the common interface.

kind keeps a cluster as Docker containers of its own, so ending it is left to kind as well. Its Kubernetes is the one
that this kind was released with, which may be newer than the one that the local provider builds.
"""

import os
import shutil
import signal
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from climatejobs_cluster import binaries, forwarder, images, portforward
from climatejobs_cluster.api import Access, Object, items, member
from climatejobs_cluster.commands import capture, run_logged, succeeds, tail
from climatejobs_cluster.console import Console, wait_until
from climatejobs_cluster.errors import ClusterError
from climatejobs_cluster.manifests import VOLUMES
from climatejobs_cluster.processes import Process, detach, end_gently, is_alive
from climatejobs_cluster.provider import ComponentStatus, Invocation, Machine, Request, Service
from climatejobs_cluster.state import (
    ClusterPaths,
    ClusterRecord,
    ProviderName,
    cache_home,
    write_atomically,
)
from climatejobs_cluster.surroundings import module_environment

# The image that kind v0.33.0 was released with; another one can be named in the environment.
NODE_IMAGE = "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
IMAGE_VARIABLE = "CLIMATEJOBS_KIND_IMAGE"
DATA = "/var/local/climatejobs-data"
# Label of a pod in kube-system -> the component's name.
PODS = {
    ("component", "etcd"): "etcd",
    ("component", "kube-apiserver"): "kube-apiserver",
    ("component", "kube-controller-manager"): "kube-controller-manager",
    ("component", "kube-scheduler"): "kube-scheduler",
    ("k8s-app", "kube-proxy"): "kube-proxy",
    ("k8s-app", "kube-dns"): "coredns",
}
KUBELET = "kubelet"
"""Runs in the node and is no pod: it can be held up, and its node with it."""


def node_image(environment: Mapping[str, str]) -> str:
    return environment.get(IMAGE_VARIABLE) or NODE_IMAGE


def image_version(image: str) -> str:
    """The Kubernetes version in the name of a node image. Pure."""
    return image.partition("@")[0].rpartition(":")[2]


def kind_name(name: str) -> str:
    return f"climatejobs-{name}"


def node_container(name: str) -> str:
    return f"{kind_name(name)}-control-plane"


def create_command(kind: str, name: str, *, image: str, kubeconfig: Path) -> list[str]:
    return [
        *(kind, "create", "cluster", "--name", kind_name(name)),
        *("--image", image, "--kubeconfig", str(kubeconfig), "--wait", "180s"),
    ]


def delete_command(kind: str, name: str, *, kubeconfig: Path) -> list[str]:
    return [kind, "delete", "cluster", "--name", kind_name(name), "--kubeconfig", str(kubeconfig)]


def refuse_unknown(component: str, known: Collection[str]) -> None:
    if component not in known:
        raise ClusterError(f"There is no component `{component}`.", hint=f"There are: {', '.join(known)}.")


def signal_command(component: str, number: signal.Signals) -> list[str]:
    """Run in the node."""
    return ["pkill", f"-{number.name.removeprefix('SIG')}", "-f", f"^(/[^ ]*)?{component} "]


def load_command(kind: str, name: str, image: str, *, archive: bool) -> list[str]:
    what = "image-archive" if archive else "docker-image"
    return [kind, "load", what, image, "--name", kind_name(name)]


def statuses(pods: object) -> list[ComponentStatus]:
    """How the components are, from the list of pods in kube-system. Pure."""
    found: dict[str, ComponentStatus] = {}
    for pod in items(pods):
        name = next((PODS[key] for key in PODS if member(pod, "metadata", "labels", key[0]) == key[1]), None)
        if name is None:
            continue
        ready = member(pod, "status", "containerStatuses", 0, "ready") is True
        if name in found and found[name].problem is None:
            continue
        detail = f"restarted {restarts(pod)} times" if restarts(pod) else ""
        phase = member(pod, "status", "phase")
        found[name] = ComponentStatus(name, detail, None if ready else f"its pod is {phase} and not ready")
    missing = [name for name in PODS.values() if name not in found]
    return [*found.values(), *(ComponentStatus(name, "", "it has no pod") for name in missing)]


def restarts(pod: object) -> int:
    return int(str(member(pod, "status", "containerStatuses", 0, "restartCount") or 0))


def examine(wanted: ProviderName | None, request: Request, environment: Mapping[str, str], console: Console) -> Machine:
    """Asks the machine as much as the choice between the providers needs, and pulls the node image if it must."""
    is_linux = sys.platform == "linux"
    if wanted == "local" or request.extent == "control-plane":
        return Machine(is_linux, docker_answers=False, kind_available=False, image_available=False)
    docker = succeeds(["docker", "info"])
    kind = docker and (
        shutil.which("kind") is not None
        or (cache_home(environment) / "bin" / binaries.KIND.name).is_dir()
        or shutil.which("go") is not None
    )
    return Machine(is_linux, docker, kind, kind and _have_image(node_image(environment), environment, console))


def _have_image(image: str, environment: Mapping[str, str], console: Console) -> bool:
    if succeeds(["docker", "image", "inspect", image]):
        return True
    console.say(f"pulling the node image {image.partition('@')[0]} (several hundred megabytes, once)")
    log = cache_home(environment) / "pull.log"
    try:
        run_logged(
            ["docker", "pull", image], log=log, environment=environment, console=console, what="pulling the node image"
        )
    except ClusterError:
        return False
    finally:
        log.unlink(missing_ok=True)
    return True


@dataclass(frozen=True)
class KindProvider:
    """One cluster of the kind kind."""

    paths: ClusterPaths
    environment: Mapping[str, str]
    console: Console

    @property
    def data(self) -> str:
        return DATA

    def prepare(self, request: Request) -> ClusterRecord:
        self._kind()
        self._helm()
        return ClusterRecord(
            name=self.paths.name,
            provider="kind",
            extent=request.extent,
            kubernetes=image_version(node_image(self.environment)),
        )

    def create(self, record: ClusterRecord, lifeline: int) -> ClusterRecord:
        del lifeline  # Containers do not end with a process of this machine: the guard deletes them.
        self.console.say("creating the node with kind")
        image = node_image(self.environment)
        run_logged(
            create_command(self._kind(), record.name, image=image, kubeconfig=self.paths.kubeconfig),
            log=self.paths.log("kind"),
            environment=self.environment,
            console=self.console,
            what="creating the node",
        )
        self._rewrite_kubeconfig(record)
        if shutil.which("kubectl") is None:
            folder = self.paths.root / "bin"
            folder.mkdir(exist_ok=True)
            capture(["docker", "cp", f"{node_container(record.name)}:/usr/bin/kubectl", str(folder / "kubectl")])
        folders = [f"{DATA}/{number}" for number in range(VOLUMES)]
        self.run_in_node(record, ["mkdir", "-p", *folders])
        self.run_in_node(record, ["chmod", "0777", *folders])
        return record

    def manifests(self, record: ClusterRecord) -> list[tuple[str, Object]]:
        del record
        return []

    def repair(self, record: ClusterRecord) -> ClusterRecord:
        return record

    def is_running(self, record: ClusterRecord) -> bool:
        state = ["docker", "inspect", "--format", "{{.State.Running}}", node_container(record.name)]
        return succeeds(state) and capture(state).strip() == "true"

    def destroy(self, record: ClusterRecord | None) -> None:
        for forward in record.forwards if record is not None else ():
            end_gently(forward.process)
        capture(delete_command(self._kind(), self.paths.name, kubeconfig=self.paths.kubeconfig))

    def components(self, record: ClusterRecord) -> list[ComponentStatus]:
        del record
        try:
            return statuses(Access.of(self.paths.kubeconfig).get("/api/v1/namespaces/kube-system/pods"))
        except ClusterError as error:
            return [ComponentStatus("kube-apiserver", "", str(error))]

    def restart(self, record: ClusterRecord, component: str) -> None:
        refuse_unknown(component, PODS.values())
        before = self._restarts(component)
        self.send(record, component, signal.SIGKILL)

        def reason() -> str | None:
            try:
                if self._restarts(component) <= before:
                    return "it has not been started again yet"
            except ClusterError as error:
                return str(error)
            return next((item.problem for item in self.components(record) if item.name == component), None)

        wait_until(reason, seconds=120, what=component, console=self.console)

    def send(self, record: ClusterRecord, component: str, number: signal.Signals) -> None:
        refuse_unknown(component, [*PODS.values(), KUBELET])
        self.run_in_node(record, signal_command(component, number))

    def load(self, record: ClusterRecord, image: str) -> list[str]:
        command = load_command(self._kind(), record.name, image, archive=images.is_archive(image))
        capture(command, environment=self.environment)
        return [image]

    def invocation(self, record: ClusterRecord, words: Sequence[str]) -> Invocation:
        del record
        folders = [
            str(self.paths.root / "bin"),
            self.environment.get("PATH", ""),
            os.path.dirname(self._helm()),
        ]
        environment = {
            **self.environment,
            "KUBECONFIG": str(self.paths.kubeconfig),
            "PATH": ":".join(folders),
        }
        program = shutil.which(words[0], path=environment["PATH"]) or words[0]
        return Invocation(words=(program, *words[1:]), environment=environment)

    def run_in_node(self, record: ClusterRecord, words: Sequence[str]) -> str:
        return capture(["docker", "exec", node_container(record.name), *words])

    def forward(self, record: ClusterRecord, port: int, service: Service) -> Process:
        # Whether the port is free is seen here, because kubectl would say so only in its log.
        forwarder.listen(port).close()
        kubectl = self.invocation(record, ["kubectl"])
        log = self.paths.log(f"forward-{port}")
        process = detach(
            portforward.command(kubectl.words[0], port=port, service=service),
            log=log,
            environment=module_environment(kubectl.environment),
        )

        def reason() -> str | None:
            if not is_alive(process):
                raise ClusterError(f"kubectl cannot forward the port: {tail(log)}", log=log)
            return portforward.refusal(port)

        try:
            wait_until(reason, seconds=30, what=f"127.0.0.1:{port}", console=self.console)
        except BaseException:
            end_gently(process)
            raise
        return process

    def _kind(self) -> str:
        return shutil.which("kind") or self._built(binaries.KIND, "kind")

    def _helm(self) -> str:
        return shutil.which("helm") or self._built(binaries.HELM, "helm")

    def _built(self, build: binaries.Build, program: str) -> str:
        cache = cache_home(self.environment)
        folder = binaries.ensure(build, cache, environment=self.environment, console=self.console)
        return str(folder / program)

    def _rewrite_kubeconfig(self, record: ClusterRecord) -> None:
        """As JSON, which this tool can read; the node's own kubectl knows how."""
        convert = ["kubectl", "--kubeconfig", "/dev/stdin", "config", "view", "--raw", "--output", "json"]
        with self.paths.kubeconfig.open("rb") as file:
            text = capture(["docker", "exec", "-i", node_container(record.name), *convert], source=file)
        write_atomically(self.paths.kubeconfig, text)

    def _restarts(self, component: str) -> int:
        label, value = next(key for key, name in PODS.items() if name == component)
        pods = Access.of(self.paths.kubeconfig).get(
            f"/api/v1/namespaces/kube-system/pods?labelSelector={label}%3D{value}"
        )
        return sum(restarts(pod) for pod in items(pods))
