"""Which service and port a forward leads to, and what happens to the ports here."""

import io
import os
from pathlib import Path
from typing import cast

import pytest

from climatejobs_cluster import forwarder, processes
from climatejobs_cluster.console import Console
from climatejobs_cluster.errors import ClusterError
from climatejobs_cluster.processes import Process
from climatejobs_cluster.provider import Provider, Service
from climatejobs_cluster.services import Forwards, parse_name, pick_port
from climatejobs_cluster.state import ClusterPaths, ClusterRecord

WEB = Service("web", "default", 80)


def service(*ports: int, address: str = "10.30.0.9") -> dict[str, object]:
    return {
        "metadata": {"name": "web"},
        "spec": {"clusterIP": address, "ports": [{"port": port, "protocol": "TCP"} for port in ports]},
    }


def test_names():
    assert parse_name("web") == ("web", "default")
    assert parse_name("web.climate") == ("web", "climate")
    with pytest.raises(ClusterError, match="names no service"):
        parse_name(".climate")


def test_ports():
    assert pick_port(service(80, 443), None) == 80
    assert pick_port(service(80, 443), 443) == 443
    with pytest.raises(ClusterError, match="no port 8080") as refusal:
        pick_port(service(80, 443), 8080)
    assert refusal.value.hint == "It has: 80, 443."
    with pytest.raises(ClusterError, match="no address"):
        pick_port(service(80, address="None"), None)


class ListeningProvider:
    """Does what a provider does with a port, and starts nothing."""

    def __init__(self) -> None:
        self.calls = 0

    def forward(self, record: ClusterRecord, port: int, service: Service) -> Process:
        del record, service
        self.calls += 1
        forwarder.listen(port).close()
        found = processes.identify(os.getpid())
        assert found is not None
        return found


@pytest.fixture
def provider() -> ListeningProvider:
    return ListeningProvider()


@pytest.fixture
def forwards(tmp_path: Path, provider: ListeningProvider) -> Forwards:
    return Forwards(ClusterPaths(tmp_path, "demo"), cast(Provider, provider), Console(io.StringIO()))


def free_port() -> int:
    with forwarder.listen(0) as listener:
        return cast(int, listener.getsockname()[1])


def test_the_same_wish_twice_changes_nothing(forwards: Forwards, provider: ListeningProvider):
    port = free_port()
    record = ClusterRecord(name="demo", provider="local", extent="node", kubernetes="v1")
    record = forwards.open(record, port, WEB)
    assert forwards.open(record, port, WEB) == record
    assert provider.calls == 1


def test_a_port_leads_to_one_service(forwards: Forwards):
    port = free_port()
    record = ClusterRecord(name="demo", provider="local", extent="node", kubernetes="v1")
    record = forwards.open(record, port, WEB)
    with pytest.raises(ClusterError, match=r"leads to web\.default:80 already"):
        forwards.open(record, port, Service("other", "default", 80))


def test_a_port_in_use_is_named(forwards: Forwards):
    record = ClusterRecord(name="demo", provider="local", extent="node", kubernetes="v1")
    with forwarder.listen(0) as taken:
        port = cast(int, taken.getsockname()[1])
        with pytest.raises(ClusterError, match=f"Port {port} of 127.0.0.1 is in use"):
            forwards.open(record, port, WEB)
