"""Ports of this machine that lead to services of a cluster: opened, kept, closed."""

import errno
from dataclasses import dataclass
from typing import cast

from climatejobs_cluster.api import Access, member
from climatejobs_cluster.console import Console
from climatejobs_cluster.errors import ClusterError
from climatejobs_cluster.processes import end_gently, is_alive
from climatejobs_cluster.provider import Provider, Service
from climatejobs_cluster.state import ClusterPaths, ClusterRecord, Forward, write_record


def parse_name(words: str) -> tuple[str, str]:
    """Name and namespace in SERVICE[.NAMESPACE]. Pure."""
    name, _, namespace = words.partition(".")
    if not name:
        raise ClusterError(f"`{words}` names no service.", hint="Write SERVICE or SERVICE.NAMESPACE.")
    return name, namespace or "default"


def pick_port(service: object, wanted: int | None) -> int:
    """The port of a Service to connect to: the one asked for, or its first. Pure."""
    name = member(service, "metadata", "name")
    ports = cast(list[object], member(service, "spec", "ports") or [])
    numbers = [cast(int, member(port, "port")) for port in ports if member(port, "protocol") in {"TCP", None}]
    if not numbers or member(service, "spec", "clusterIP") in {None, "", "None"}:
        raise ClusterError(f"Service `{name}` has no address of its own with a TCP port.")
    if wanted is None:
        return numbers[0]
    if wanted not in numbers:
        raise ClusterError(f"Service `{name}` has no port {wanted}.", hint=f"It has: {', '.join(map(str, numbers))}.")
    return wanted


def find(access: Access, name: str, namespace: str, wanted: int | None) -> Service:
    found = access.find(f"/api/v1/namespaces/{namespace}/services/{name}")
    if found is None:
        raise ClusterError(f"There is no service `{name}` in namespace `{namespace}`.")
    return Service(name, namespace, pick_port(found, wanted))


@dataclass(frozen=True)
class Forwards:
    """The forwards of one cluster. The caller holds the cluster's lock."""

    paths: ClusterPaths
    provider: Provider
    console: Console

    def open(self, record: ClusterRecord, port: int, service: Service) -> ClusterRecord:
        target = str(service)
        existing = next((item for item in record.forwards if item.port == port), None)
        if existing is not None and is_alive(existing.process):
            if existing.target == target:
                self.console.say(f"127.0.0.1:{port} leads to {target} already")
                return record
            raise ClusterError(
                f"Port {port} leads to {existing.target} already.",
                hint=f"Close it with `cluster --name {record.name} forward --stop --port {port}`.",
            )
        try:
            process = self.provider.forward(record, port, service)
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
            why = "is in use by another program" if error.errno == errno.EADDRINUSE else "is not for ordinary users"
            raise ClusterError(f"Port {port} of 127.0.0.1 {why}.", hint="Choose another with `--port`.") from error
        record = record.with_forward(Forward(port=port, target=target, process=process))
        write_record(self.paths, record)
        self.console.say(f"127.0.0.1:{port} leads to {target}")
        return record

    def close(self, record: ClusterRecord, port: int | None) -> ClusterRecord:
        for item in record.forwards:
            if port in {None, item.port}:
                end_gently(item.process)
                self.console.say(f"127.0.0.1:{item.port} leads nowhere any more")
        record = record.without_forwards(port)
        write_record(self.paths, record)
        return record
