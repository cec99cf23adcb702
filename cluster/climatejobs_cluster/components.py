"""The programs of a node: how each is started, how to see that it is ready, and what it waits for. Pure.

The flags are those of a small, fast, disposable cluster: nothing is synced to disk, no leader is elected, and the
controllers may talk to the API server faster than by default, so that benchmarks measure something else than them.
"""

import json
from dataclasses import asdict, dataclass
from typing import cast

from climatejobs_cluster.layout import (
    API_PORT,
    BIN,
    CLUSTER_DOMAIN,
    CONTAINERD_SOCKET,
    NODE_ADDRESS,
    POD_NETWORK,
    SERVICE_NETWORK,
    STATE,
    NodePlan,
)


@dataclass(frozen=True)
class Component:
    """One program of the node. `probe` is an address that answers when it is ready."""

    name: str
    command: tuple[str, ...]
    probe: str
    after_api: bool = True


def components(plan: NodePlan) -> tuple[Component, ...]:
    """Everything that runs in such a node, in the order of starting."""
    control_plane = (_etcd(plan), _api_server(plan), _controller_manager(plan))
    if plan.extent == "control-plane":
        return control_plane
    return (*control_plane, _scheduler(plan), _containerd(), _kubelet(plan), _proxy(plan), _coredns(plan))


def collect_garbage(memory: int) -> dict[str, str]:
    """The environment by which Go programs collect garbage, on a machine with so many bytes of memory.

    They share few CPUs with what is tested, and are given memory to spare them: as it is by default, collecting is a
    fifth of what the API server does. Past a quarter of the machine's memory they collect as they need.
    """
    return {"GOGC": "500", "GOMEMLIMIT": f"{min(memory // 4, 6 << 30) >> 20}MiB"}


def dump(items: tuple[Component, ...]) -> str:
    return json.dumps([asdict(item) for item in items], indent=2) + "\n"


def load(text: str) -> tuple[Component, ...]:
    return tuple(
        Component(
            name=str(item["name"]),
            command=tuple(cast(list[str], item["command"])),
            probe=str(item["probe"]),
            after_api=bool(item["after_api"]),
        )
        for item in cast(list[dict[str, object]], json.loads(text))
    )


def kubeconfig_path(user: str) -> str:
    return str(STATE / "kubeconfigs" / user)


def _etcd(plan: NodePlan) -> Component:
    return Component(
        name="etcd",
        command=(
            plan.program("etcd"),
            f"--data-dir={STATE}/etcd",
            "--listen-client-urls=http://127.0.0.1:2379",
            "--advertise-client-urls=http://127.0.0.1:2379",
            "--listen-peer-urls=http://127.0.0.1:2380",
            "--initial-advertise-peer-urls=http://127.0.0.1:2380",
            "--initial-cluster=default=http://127.0.0.1:2380",
            "--unsafe-no-fsync",
            "--quota-backend-bytes=4294967296",
            "--log-level=warn",
        ),
        probe="http://127.0.0.1:2379/health",
        after_api=False,
    )


def _api_server(plan: NodePlan) -> Component:
    pki = STATE / "pki"
    return Component(
        name="kube-apiserver",
        command=(
            plan.program("kube-apiserver"),
            "--etcd-servers=http://127.0.0.1:2379",
            f"--secure-port={API_PORT}",
            # Pods are told this address: they cannot reach the loopback address of the node.
            f"--advertise-address={NODE_ADDRESS}",
            f"--service-cluster-ip-range={SERVICE_NETWORK}",
            f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key",
            f"--kubelet-client-certificate={pki}/kubelet-client.crt",
            f"--kubelet-client-key={pki}/kubelet-client.key",
            "--kubelet-preferred-address-types=InternalIP",
            f"--token-auth-file={pki}/tokens.csv",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki}/service-accounts.key",
            f"--service-account-signing-key-file={pki}/service-accounts.key",
            "--allow-privileged=true",
            "--profiling=false",
        ),
        probe=f"https://127.0.0.1:{API_PORT}/readyz",
        after_api=False,
    )


def _controller_manager(plan: NodePlan) -> Component:
    return Component(
        name="kube-controller-manager",
        command=(
            plan.program("kube-controller-manager"),
            f"--kubeconfig={kubeconfig_path('controller-manager')}",
            f"--controllers={'*' if plan.job_controller else '*,-job-controller'}",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={STATE}/pki/service-accounts.key",
            f"--root-ca-file={STATE}/pki/ca.crt",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            "--concurrent-job-syncs=10",
            "--kube-api-qps=100",
            "--kube-api-burst=200",
            # The only node comes and goes with the cluster; nothing is to be evicted while it is busy.
            "--node-monitor-grace-period=60s",
        ),
        probe="https://127.0.0.1:10257/healthz",
    )


def _scheduler(plan: NodePlan) -> Component:
    return Component(
        name="kube-scheduler",
        command=(
            plan.program("kube-scheduler"),
            f"--kubeconfig={kubeconfig_path('scheduler')}",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            "--kube-api-qps=100",
            "--kube-api-burst=200",
        ),
        probe="https://127.0.0.1:10259/healthz",
    )


def _containerd() -> Component:
    return Component(
        name="containerd",
        command=("containerd", "--config", f"{STATE}/containerd.toml"),
        probe=f"unix:{CONTAINERD_SOCKET}",
        after_api=False,
    )


def _kubelet(plan: NodePlan) -> Component:
    return Component(
        name="kubelet",
        command=(
            plan.program("kubelet"),
            f"--config={STATE}/kubelet.json",
            f"--kubeconfig={kubeconfig_path('kubelet')}",
            f"--root-dir={STATE}/kubelet",
            f"--cert-dir={STATE}/kubelet/pki",
            f"--hostname-override={plan.name}",
            f"--node-ip={NODE_ADDRESS}",
        ),
        probe="http://127.0.0.1:10248/healthz",
    )


def _proxy(plan: NodePlan) -> Component:
    return Component(
        name="kube-proxy",
        command=(
            plan.program("kube-proxy"),
            f"--kubeconfig={kubeconfig_path('kube-proxy')}",
            f"--hostname-override={plan.name}",
            "--proxy-mode=nftables",
            f"--cluster-cidr={POD_NETWORK}",
            "--healthz-bind-address=127.0.0.1:10256",
            # This setting belongs to the whole machine, not to the node's network: leave it as it is.
            "--conntrack-max-per-core=0",
        ),
        probe="http://127.0.0.1:10256/healthz",
    )


def _coredns(plan: NodePlan) -> Component:
    return Component(
        name="coredns",
        command=(str(BIN / plan.coredns / "coredns"), "-conf", f"{STATE}/Corefile"),
        probe=f"dns://{NODE_ADDRESS}/kubernetes.default.svc.{CLUSTER_DOMAIN}",
    )
