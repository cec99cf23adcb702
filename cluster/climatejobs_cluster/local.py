"""The provider that needs neither Docker nor a registry: a node made of processes in namespaces of their own.

One `unshare` process holds the whole node, from etcd to the last pod, in one mount, network and pid namespace. So
ending that process ends everything, and the machine's own network, mounts and firewall are never touched.
"""

import dataclasses
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from climatejobs_cluster import (
    binaries,
    cgroups,
    configuration,
    containers,
    forwarder,
    images,
    launch,
    pki,
    requirements,
)
from climatejobs_cluster.api import Object
from climatejobs_cluster.commands import capture, tail
from climatejobs_cluster.components import Component
from climatejobs_cluster.components import load as load_components
from climatejobs_cluster.console import Console, wait_until
from climatejobs_cluster.errors import ClusterError
from climatejobs_cluster.layout import API_PORT, CONTAINERD_SOCKET, DATA, STATE, NodePlan
from climatejobs_cluster.manifests import VOLUMES, name_server_rights
from climatejobs_cluster.namespaces import Json, call_inside, nsenter_command
from climatejobs_cluster.probes import probe
from climatejobs_cluster.processes import (
    Process,
    detach,
    end,
    find_by_words,
    find_in_namespace,
    is_alive,
    send,
)
from climatejobs_cluster.provider import ComponentStatus, Invocation, Request, Service
from climatejobs_cluster.running import Running
from climatejobs_cluster.running import read as read_running
from climatejobs_cluster.state import (
    ClusterPaths,
    ClusterRecord,
    Forward,
    cache_home,
    write_atomically,
    write_record,
)
from climatejobs_cluster.surroundings import module_environment

OWN_PROGRAMS = (launch.MODULE, forwarder.MODULE)
ADMIN_KUBECONFIG = STATE / "kubeconfigs" / pki.ADMIN


@dataclass(frozen=True)
class LocalProvider:
    """One cluster of the local kind."""

    paths: ClusterPaths
    environment: Mapping[str, str]
    console: Console

    @property
    def data(self) -> str:
        return str(DATA)

    @property
    def _user(self) -> bool:
        """Whether the namespaces belong to an ordinary person, who is root only inside."""
        return os.geteuid() != 0

    @property
    def _cache(self) -> Path:
        return cache_home(self.environment)

    def prepare(self, request: Request) -> ClusterRecord:
        log = self._cache / "packages.log"
        requirements.ensure(request.extent, environment=self.environment, console=self.console, log=log)
        builds = [binaries.kubernetes()]
        if request.extent == "node":
            builds += [binaries.COREDNS, binaries.HELM]
        for build in builds:
            binaries.ensure(build, self._cache, environment=self.environment, console=self.console)
        return ClusterRecord(
            name=self.paths.name,
            provider="local",
            extent=request.extent,
            job_controller=request.job_controller,
            kubernetes=binaries.kubernetes_version(),
        )

    def create(self, record: ClusterRecord, lifeline: int) -> ClusterRecord:
        plan = self._plan(record)
        root = self.paths.root
        for name, text in configuration.files(plan).items():
            write_atomically(root / name, text, mode=0o644)
        for folder in ("etcd", "logs"):
            (root / folder).mkdir(mode=0o700, exist_ok=True)
        pki.create(root, node_name=plan.name)
        if record.extent == "node":
            self._make_data_folders()
        self.console.say(f"starting {'the node' if record.extent == 'node' else 'the control plane'}")
        holder, first = launch.launch(
            plan,
            self.paths,
            binaries=self._cache / "bin",
            lifeline=lifeline,
            user=self._user,
            environment=self.environment,
            console=self.console,
        )
        record = dataclasses.replace(record, node=holder, init=first, node_path=plan.path)
        write_record(self.paths, record)
        record = self._open_api(record)
        if record.extent == "node":
            self._wait_for_containerd(record)
            containers.import_pause_image(self._enter(record), self.paths.root)
        return record

    def manifests(self, record: ClusterRecord) -> list[tuple[str, Object]]:
        return name_server_rights() if record.extent == "node" else []

    def repair(self, record: ClusterRecord) -> ClusterRecord:
        if record.api is not None and is_alive(record.api.process):
            return record
        self.console.say("starting the way to the API server again")
        return self._open_api(record)

    def is_running(self, record: ClusterRecord) -> bool:
        return is_alive(record.node) and is_alive(record.init)

    def destroy(self, record: ClusterRecord | None) -> None:
        del record
        # What was started a moment ago may not be on record yet, but everything carries the cluster's folder.
        own = [found for module in OWN_PROGRAMS for found in find_by_words(module, str(self.paths.root))]
        if not all(end(process) for process in own):
            raise ClusterError(f"The node of cluster `{self.paths.name}` does not end.", hint="Try again.")
        if not self._user and (left := cgroups.remove(NodePlan(self.paths.name, "node").cgroup)):
            raise ClusterError(f"These cgroups are still busy: {', '.join(map(str, left))}", hint="Try again.")

    def components(self, record: ClusterRecord) -> list[ComponentStatus]:
        described = self._described()
        running = read_running(self.paths.root)

        def ask() -> Json:
            return {item.name: probe(item.probe) for item in described}

        problems = cast(dict[str, str | None], call_inside(self._init(record).pid, ask, user=self._user))
        return [
            ComponentStatus(
                name=item.name,
                detail=running.get(item.name, Running()).detail,
                problem=running.get(item.name, Running()).problem(problems[item.name]),
                log=self.paths.log(item.name),
            )
            for item in described
        ]

    def restart(self, record: ClusterRecord, component: str) -> None:
        before = self._pid(component)
        process = self._process(record, component)
        if process is not None:
            send(process, signal.SIGKILL)
            self.console.say(f"killed {component} (process {process.pid})")

        def reason() -> str | None:
            if self._pid(component) in {None, before}:
                return "it has not been started again yet"
            return next(item.problem for item in self.components(record) if item.name == component)

        wait_until(reason, seconds=90, what=component, console=self.console)

    def send(self, record: ClusterRecord, component: str, number: signal.Signals) -> None:
        process = self._process(record, component)
        if process is None:
            raise ClusterError(f"`{component}` does not run at the moment.", hint="Ask `cluster status` why.")
        send(process, number)
        self.console.say(f"sent {number.name} to {component} (process {process.pid})")

    def load(self, record: ClusterRecord, image: str) -> list[str]:
        if record.extent != "node":
            raise ClusterError(f"Cluster `{record.name}` is a control plane only: it runs no containers.")
        if images.is_archive(image):
            return containers.import_archive(self._enter(record), Path(image))
        return containers.import_built(self._enter(record), image)

    def invocation(self, record: ClusterRecord, words: Sequence[str]) -> Invocation:
        # There is no way out of the node, so a proxy could only be in the way.
        kept = {key: value for key, value in self.environment.items() if not key.lower().endswith("_proxy")}
        enter = nsenter_command(self._init(record).pid, user=self._user, folder=os.getcwd())
        path = f"{record.node_path or self._plan(record).path}:{self.environment.get('PATH', '')}"
        return Invocation(
            words=(*enter, *words), environment={**kept, "KUBECONFIG": str(ADMIN_KUBECONFIG), "PATH": path}
        )

    def run_in_node(self, record: ClusterRecord, words: Sequence[str]) -> str:
        return capture([*self._enter(record), *words])

    def forward(self, record: ClusterRecord, port: int, service: Service) -> Process:
        return self._forward(record, port, f"{service.name}.{service.namespace}:{service.port}").process

    def _forward(self, record: ClusterRecord, port: int, target: str) -> Forward:
        listener = forwarder.listen(port)
        with listener:
            port = cast(int, listener.getsockname()[1])
            command = forwarder.command(
                listener=listener.fileno(),
                init_pid=self._init(record).pid,
                user=self._user,
                target=target,
                state=self.paths.root,
            )
            process = detach(
                command,
                log=self.paths.log(f"forward-{port}"),
                environment=module_environment(self.environment),
                pass_fds=(listener.fileno(),),
            )
        return Forward(port=port, target=target, process=process)

    def _open_api(self, record: ClusterRecord) -> ClusterRecord:
        """Starts the way to the API server, on the port it had before if that is free."""
        target = f"127.0.0.1:{API_PORT}"
        try:
            api = self._forward(record, record.api.port if record.api is not None else 0, target)
        except OSError:
            api = self._forward(record, 0, target)
        record = dataclasses.replace(record, api=api)
        write_record(self.paths, record)
        pki.write_kubeconfig(
            self.paths.root,
            self.paths.kubeconfig,
            user=f"climatejobs-{record.name}",
            token=(self.paths.root / "pki/admin.token").read_text(encoding="utf-8"),
            server=f"https://127.0.0.1:{api.port}",
        )
        return record

    def _wait_for_containerd(self, record: ClusterRecord) -> None:
        def reason() -> str | None:
            if not self.is_running(record):
                log = self.paths.log("node")
                raise ClusterError(f"The node has ended: {tail(log)}", log=log)
            ask = partial(probe, f"unix:{CONTAINERD_SOCKET}")
            answer = call_inside(self._init(record).pid, ask, user=self._user)
            return None if answer is None else str(answer)

        try:
            wait_until(reason, seconds=60, what="containerd", console=self.console)
        except ClusterError as error:
            raise ClusterError(str(error), log=error.log or self.paths.log("containerd")) from error

    def _make_data_folders(self) -> None:
        for number in range(VOLUMES):
            folder = self.paths.root / "data" / str(number)
            folder.mkdir(parents=True)
            # Pods come with any user id, and a hostPath volume keeps the rights of its folder.
            folder.chmod(0o777)

    def _plan(self, record: ClusterRecord) -> NodePlan:
        return NodePlan(
            name=record.name,
            extent=record.extent,
            job_controller=record.job_controller,
            kubernetes=binaries.kubernetes().name,
            coredns=binaries.COREDNS.name,
            helm=binaries.HELM.name,
        )

    def _init(self, record: ClusterRecord) -> Process:
        if record.init is None or not is_alive(record.init):
            raise ClusterError(
                f"The node of cluster `{record.name}` has ended.",
                hint="`up` brings a new one.",
                log=self.paths.log("node"),
            )
        return record.init

    def _described(self) -> tuple[Component, ...]:
        return load_components((self.paths.root / "components.json").read_text(encoding="utf-8"))

    def _process(self, record: ClusterRecord, component: str) -> Process | None:
        """The process of a component, if it runs."""
        known = [item.name for item in self._described()]
        if component not in known:
            raise ClusterError(f"There is no component `{component}`.", hint=f"There are: {', '.join(known)}.")
        pid = self._pid(component)
        return None if pid is None else find_in_namespace(self._init(record).pid, pid)

    def _pid(self, component: str) -> int | None:
        return read_running(self.paths.root).get(component, Running()).pid

    def _enter(self, record: ClusterRecord) -> list[str]:
        return nsenter_command(self._init(record).pid, user=self._user)
