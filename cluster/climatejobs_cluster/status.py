"""How a cluster is, in one line for each of its parts."""

from dataclasses import dataclass

from climatejobs_cluster.api import Access, items, member
from climatejobs_cluster.errors import ClusterError
from climatejobs_cluster.processes import is_alive
from climatejobs_cluster.provider import Provider
from climatejobs_cluster.readiness import node_problem
from climatejobs_cluster.state import ClusterPaths, ClusterRecord


@dataclass(frozen=True)
class Report:
    lines: tuple[str, ...]
    healthy: bool


def line(part: str, problem: str | None, detail: str = "") -> str:
    """One part: its name, `ok` or `failing`, and what there is to say about it. Pure."""
    return f"{part:<26} {'ok' if problem is None else 'failing':<8} {problem or detail}".rstrip()


def examine(record: ClusterRecord, provider: Provider, paths: ClusterPaths) -> Report:
    """Asks every part."""
    rows: list[tuple[str, str | None, str]] = []
    try:
        if not provider.is_running(record):
            raise ClusterError("the node has ended; `up` brings a new one")
        rows += [(item.name, item.problem, item.detail) for item in provider.components(record)]
        access = Access.of(paths.kubeconfig)
        version = str(member(access.get("/version"), "gitVersion"))
        rows.append(("API on this machine", None, f"{access.server} (Kubernetes {version})"))
        if record.extent == "node":
            nodes = access.get("/api/v1/nodes")
            names = ", ".join(str(member(node, "metadata", "name")) for node in items(nodes))
            rows.append(("node", node_problem(nodes), names))
    except ClusterError as error:
        rows.append((f"cluster {record.name}", str(error), ""))
    for forward in record.forwards:
        problem = None if is_alive(forward.process) else "its process has ended; run `forward` again"
        rows.append((f"127.0.0.1:{forward.port}", problem, f"leads to {forward.target}"))
    return Report(tuple(line(*row) for row in rows), all(problem is None for _part, problem, _detail in rows))
