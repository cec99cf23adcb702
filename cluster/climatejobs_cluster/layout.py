"""The constant world inside a node: the same paths, addresses and ports in every cluster, since each has its own.

The cluster's folder is mounted at a short, fixed place inside the node. So nothing in the configuration depends on
where the person keeps state, and socket paths stay far below the kernel's limit of 108 characters.
"""

from dataclasses import dataclass
from pathlib import Path

from climatejobs_cluster.state import Extent

RUN = Path("/run/node")
STATE = RUN / "state"
BIN = RUN / "bin"
DATA = STATE / "data"
CONTAINERD_SOCKET = Path("/run/containerd/containerd.sock")

NODE_ADDRESS = "10.10.0.1"
POD_NETWORK = "10.20.0.0/16"
SERVICE_NETWORK = "10.30.0.0/16"
FIRST_SERVICE_ADDRESS = "10.30.0.1"
CLUSTER_DOMAIN = "cluster.local"
API_PORT = 6443
API_URL = f"https://127.0.0.1:{API_PORT}"

PAUSE_IMAGE = "localhost/climatejobs-pause:1"


@dataclass(frozen=True)
class NodePlan:
    """What the person asked for, as far as the node is concerned."""

    name: str
    extent: Extent
    job_controller: bool = True
    kubernetes: str = "kubernetes"
    coredns: str = "coredns"
    helm: str | None = None

    @property
    def cgroup(self) -> str:
        return f"climatejobs-{self.name}"

    def program(self, name: str) -> str:
        return str(BIN / self.kubernetes / name)

    @property
    def path(self) -> str:
        """The PATH inside the node, for components and for people."""
        own = [str(BIN / folder) for folder in (self.kubernetes, self.helm) if folder is not None]
        return ":".join([*own, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])
