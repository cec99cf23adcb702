"""The start of a local node: `unshare` with the node's first process inside."""

import sys
from collections.abc import Mapping
from pathlib import Path

from climatejobs_cluster.commands import tail
from climatejobs_cluster.console import Console, wait_until
from climatejobs_cluster.errors import ClusterError
from climatejobs_cluster.layout import NodePlan
from climatejobs_cluster.namespaces import unshare_command
from climatejobs_cluster.processes import Process, children, detach, is_alive
from climatejobs_cluster.state import ClusterPaths
from climatejobs_cluster.surroundings import module_environment

MODULE = "climatejobs_cluster.node"


def command(plan: NodePlan, *, state: Path, binaries: Path, lifeline: int, user: bool) -> list[str]:
    """The command line of a node. Pure."""
    return [
        *unshare_command(user=user),
        *(sys.executable, "-m", MODULE, "--state", str(state), "--binaries", str(binaries)),
        *("--path", plan.path, "--lifeline", str(lifeline)),
        *(("--cgroup", plan.cgroup) if plan.extent == "node" else ()),
    ]


def launch(
    plan: NodePlan,
    paths: ClusterPaths,
    *,
    binaries: Path,
    lifeline: int,
    user: bool,
    environment: Mapping[str, str],
    console: Console,
) -> tuple[Process, Process]:
    """Starts a node; gives the process that holds its namespaces and, as seen from outside, its first process."""
    log = paths.log("node")
    holder = detach(
        command(plan, state=paths.root, binaries=binaries, lifeline=lifeline, user=user),
        log=log,
        environment=module_environment(environment),
        pass_fds=(lifeline,),
    )
    first: list[Process] = []

    def reason() -> str | None:
        first[:] = children(holder.pid)
        if not is_alive(holder):
            raise ClusterError(f"The node ended at once: {tail(log)}", hint=_hint(user=user), log=log)
        return None if first else "it has no first process yet"

    wait_until(reason, seconds=10, what="the node's namespaces", console=console, interval=0.01)
    return holder, first[0]


def _hint(*, user: bool) -> str | None:
    return "Ordinary users may not make namespaces on every machine: try as root." if user else None
