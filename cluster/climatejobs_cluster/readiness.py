"""When a cluster may be used: every component answers, the node takes pods, names resolve, pods can get an account."""

from collections.abc import Callable
from typing import cast

from climatejobs_cluster.api import Access, items, member
from climatejobs_cluster.commands import tail
from climatejobs_cluster.console import Console, wait_until
from climatejobs_cluster.errors import ClusterError
from climatejobs_cluster.provider import ComponentStatus, Provider
from climatejobs_cluster.state import ClusterRecord

API_SERVER = "kube-apiserver"
SECONDS = 180.0


def node_problem(nodes: object) -> str | None:
    """Why no pod could run yet, from the list of nodes. Pure."""
    found = items(nodes)
    if not found:
        return "no node has registered yet"
    for node in found:
        name = str(member(node, "metadata", "name"))
        conditions = cast(list[object], member(node, "status", "conditions") or [])
        ready = next((item for item in conditions if member(item, "type") == "Ready"), None)
        if member(ready, "status") != "True":
            return f"node {name} is not ready: {member(ready, 'message') or 'it has not said why'}"
        if taints := member(node, "spec", "taints"):
            return f"node {name} has taints: {taints}"
    return None


def account_problem(access: Access) -> str | None:
    """Pods need the default account and the root certificate; controllers make both in every namespace."""
    if access.find("/api/v1/namespaces/default/serviceaccounts/default") is None:
        return "the default service account is not there yet"
    if access.find("/api/v1/namespaces/default/configmaps/kube-root-ca.crt") is None:
        return "the root certificate for pods is not there yet"
    return None


def wait_for_api(provider: Provider, record: ClusterRecord, console: Console) -> None:
    _wait_for_components(provider, record, console, only=API_SERVER)
    console.say("the API server answers")


def wait_for_everything(provider: Provider, record: ClusterRecord, access: Access, console: Console) -> None:
    _wait_for_components(provider, record, console, only=None)
    console.say("all components answer")
    wait_until(lambda: _said(lambda: account_problem(access)), seconds=60, what="the controllers", console=console)
    if record.extent == "node":
        wait_until(
            lambda: _said(lambda: node_problem(access.get("/api/v1/nodes"))),
            seconds=SECONDS,
            what="the node",
            console=console,
        )
        console.say("the node is ready for pods")


def _said(question: Callable[[], str | None]) -> str | None:
    """The answer, or what went wrong on asking: the API server may be busy with starting."""
    try:
        return question()
    except ClusterError as error:
        return str(error)


def _wait_for_components(provider: Provider, record: ClusterRecord, console: Console, *, only: str | None) -> None:
    failing: list[ComponentStatus] = []

    def reason() -> str | None:
        if not provider.is_running(record):
            raise ClusterError("The node has ended.")
        failing[:] = [
            item
            for item in provider.components(record)
            if item.problem is not None and (only is None or item.name == only)
        ]
        return "; ".join(f"{item.name}: {item.problem}" for item in failing) or None

    try:
        wait_until(reason, seconds=SECONDS, what=only or "all components", console=console)
    except ClusterError as error:
        log = next((item.log for item in failing if item.log is not None), None)
        words = f"{error}\n{tail(log)}" if log is not None else str(error)
        raise ClusterError(words, log=log) from error
