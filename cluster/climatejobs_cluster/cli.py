"""The command line: words in, exit status out. What is done is decided elsewhere."""

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import cast

from climatejobs_cluster import binaries, kind, services, status
from climatejobs_cluster.api import Access
from climatejobs_cluster.console import Console
from climatejobs_cluster.errors import ClusterError, Interrupted, NoSuchCluster
from climatejobs_cluster.interrupts import raise_on_signals
from climatejobs_cluster.kind import KindProvider
from climatejobs_cluster.lifecycle import Lifecycle
from climatejobs_cluster.local import LocalProvider
from climatejobs_cluster.provider import Provider, Request, choose
from climatejobs_cluster.state import (
    ClusterPaths,
    ClusterRecord,
    ProviderName,
    cache_home,
    cluster_names,
    locked,
    read_record,
)

DEFAULT_NAME = "demo"


def parser() -> argparse.ArgumentParser:
    # The name may stand before or after the subcommand.
    named = argparse.ArgumentParser(add_help=False)
    named.add_argument("--name", default=argparse.SUPPRESS, help=f"which cluster (default: {DEFAULT_NAME})")
    top = argparse.ArgumentParser(
        prog="cluster",
        description="A throwaway Kubernetes cluster for the demo and the tests.",
        parents=[named],
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, words: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=words, description=words, parents=[named])

    up = add("up", "Bring the cluster up, and wait until it can be used.")
    up.add_argument("--provider", choices=["auto", "kind", "local"], default="auto")
    up.add_argument("--control-plane", action="store_true", help="only etcd, API server and controllers: no pods run")
    up.add_argument("--no-job-controller", action="store_true", help="leave the Jobs to whoever plays their controller")

    down = add("down", "Take the cluster down; nothing of it is left.")
    down.add_argument("--all", action="store_true", help="take every cluster down")

    load = add("load", "Bring images into the node.")
    load.add_argument(
        "images", nargs="+", metavar="IMAGE", help="an OCI or Docker archive, or the name of a built image"
    )

    run = add("exec", "Run a program where kubectl and helm work and services can be reached: `exec -- CMD...`.")
    run.add_argument("words", nargs="*", metavar="CMD")

    add("kubeconfig", "Print the path of a kubeconfig that works on this machine as it is.")
    add("tools", "Print the folders of kubectl and helm, to be put on PATH.")
    add("status", "Say how the cluster is: exit status 0 healthy, 1 not, 3 there is none.")

    restart = add("restart", "Kill a component, and wait until it is back.")
    restart.add_argument("component")

    pause = add("pause", "Hold a component up, as on a machine that hangs.")
    pause.add_argument("component")

    resume = add("resume", "Let a component go on that is held up.")
    resume.add_argument("component")

    forward = add("forward", "Lead a port of 127.0.0.1 to a service of the cluster, in the background.")
    forward.add_argument("service", nargs="?", metavar="SERVICE[.NAMESPACE]")
    forward.add_argument("--port", type=int, help="the port on 127.0.0.1")
    forward.add_argument("--service-port", type=int, help="the port of the service (default: its first)")
    forward.add_argument("--stop", action="store_true", help="close the forward of --port, or all of them")
    return top


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Reads the command line; everything after `--` belongs to the program that `exec` runs."""
    words, rest = list(arguments), list[str]()
    if "--" in words and "exec" in words[: words.index("--")]:
        cut = words.index("--")
        words, rest = words[:cut], words[cut + 1 :]
    options = parser().parse_args(words)
    if options.command == "exec":
        options.words = [*options.words, *rest]
        if not options.words:
            parser().error("exec needs a program: `exec -- CMD...`")
    options.name = getattr(options, "name", DEFAULT_NAME)
    if options.command == "up" and options.no_job_controller and not options.control_plane:
        parser().error("--no-job-controller goes with --control-plane")
    if options.command == "forward" and not options.stop and (options.service is None or options.port is None):
        parser().error("forward needs a SERVICE and --port, or --stop")
    return options


def provider_of(name: ProviderName, paths: ClusterPaths, environment: Mapping[str, str], console: Console) -> Provider:
    make = {"local": LocalProvider, "kind": KindProvider}[name]
    return make(paths, environment, console)


def lifecycle_of(
    paths: ClusterPaths, provider: ProviderName, environment: Mapping[str, str], console: Console
) -> Lifecycle:
    return Lifecycle(paths, provider_of(provider, paths, environment, console), environment, console)


class Command:
    """One run of the tool on one cluster."""

    def __init__(self, options: argparse.Namespace, environment: Mapping[str, str], console: Console) -> None:
        self.options = options
        self.environment = environment
        self.console = console
        self.paths = ClusterPaths.of(cast(str, options.name), environment)

    def run(self) -> int:
        actions = {
            "up": self.up,
            "down": self.down,
            "load": self.load,
            "exec": self.execute,
            "kubeconfig": self.kubeconfig,
            "tools": self.tools,
            "status": self.status,
            "restart": self.restart,
            "pause": lambda: self.send(signal.SIGSTOP),
            "resume": lambda: self.send(signal.SIGCONT),
            "forward": self.forward,
        }
        return actions[cast(str, self.options.command)]()

    def up(self) -> int:
        request = Request(
            extent="control-plane" if self.options.control_plane else "node",
            job_controller=not self.options.no_job_controller,
        )
        wanted = None if self.options.provider == "auto" else cast(ProviderName, self.options.provider)
        existing = read_record(self.paths)
        if existing is not None and existing.complete:
            name: ProviderName = existing.provider
            if wanted not in {None, name}:
                raise ClusterError(
                    f"There is a cluster `{existing.name}` already, of provider {name}.",
                    hint="Take it down first.",
                )
        else:
            machine = kind.examine(wanted, request, self.environment, self.console)
            name, why = choose(wanted, request, machine)
            self.console.say(f"cluster `{self.paths.name}`: provider {name} ({why})")
        record = lifecycle_of(self.paths, name, self.environment, self.console).up(request)
        self.console.say(f"cluster `{record.name}` is up: {Access.of(self.paths.kubeconfig).server}")
        return 0

    def down(self) -> int:
        names = cluster_names(self.environment) if self.options.all else [self.paths.name]
        for name in names:
            paths = ClusterPaths.of(name, self.environment)
            record = read_record(paths)
            provider: ProviderName = "local" if record is None else record.provider
            if lifecycle_of(paths, provider, self.environment, self.console).down():
                self.console.say(f"cluster `{name}` is down")
            else:
                self.console.say(f"there is no cluster `{name}`")
        return 0

    def load(self) -> int:
        record, provider = self._existing()
        for image in self.options.images:
            self.console.say(f"loading {image}")
            for name in provider.load(record, image):
                self.console.say(f"loaded {name}")
        return 0

    def execute(self) -> int:
        record, provider = self._existing()
        invocation = provider.invocation(record, self.options.words)
        try:
            os.execvpe(invocation.words[0], invocation.words, invocation.environment)  # noqa: S606  # a command of the caller's own
        except FileNotFoundError as error:
            raise ClusterError(f"`{invocation.words[0]}` is not on PATH.") from error

    def kubeconfig(self) -> int:
        self._existing()
        print(self.paths.kubeconfig)
        return 0

    def tools(self) -> int:
        cache = cache_home(self.environment)
        folders: list[str] = []
        for program, build in (("kubectl", binaries.kubernetes()), ("helm", binaries.HELM)):
            if (cache / "bin" / build.name).is_dir() or shutil.which(program) is None:
                quiet = Console(sys.stderr)
                folder = binaries.ensure(build, cache, environment=self.environment, console=quiet)
                folders.append(str(folder))
            else:
                folders.append(os.path.dirname(shutil.which(program) or ""))
        print(":".join(folders))
        return 0

    def status(self) -> int:
        record, provider = self._existing()
        report = status.examine(record, provider, self.paths)
        print("\n".join(report.lines))
        return 0 if report.healthy else 1

    def restart(self) -> int:
        record, provider = self._existing()
        provider.restart(record, self.options.component)
        self.console.say(f"{self.options.component} is back")
        return 0

    def send(self, number: signal.Signals) -> int:
        record, provider = self._existing()
        provider.send(record, self.options.component, number)
        return 0

    def forward(self) -> int:
        with locked(self.paths.lock, console=self.console, what=f"cluster `{self.paths.name}`"):
            record, provider = self._existing()
            forwards = services.Forwards(self.paths, provider, self.console)
            if self.options.stop:
                forwards.close(record, self.options.port)
                return 0
            name, namespace = services.parse_name(self.options.service)
            access = Access.of(self.paths.kubeconfig)
            service = services.find(access, name, namespace, self.options.service_port)
            forwards.open(record, self.options.port, service)
        return 0

    def _existing(self) -> tuple[ClusterRecord, Provider]:
        record = read_record(self.paths)
        if record is None or not record.complete:
            raise NoSuchCluster(self.paths.name)
        return record, provider_of(record.provider, self.paths, self.environment, self.console)


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    raise_on_signals()
    try:
        return Command(options, os.environ, Console()).run()
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        if error.hint is not None:
            print(f"  {error.hint}", file=sys.stderr)
        if error.log is not None:
            print(f"  The log: {error.log}", file=sys.stderr)
        return error.exit_status
    except Interrupted as interruption:
        print(f"cluster: {interruption}", file=sys.stderr)
        return interruption.exit_status
