"""The configuration files of a node's components, as text. Pure."""

import json
from pathlib import Path

from climatejobs_cluster.components import components, dump, kubeconfig_path
from climatejobs_cluster.layout import (
    API_URL,
    CLUSTER_DOMAIN,
    CONTAINERD_SOCKET,
    NODE_ADDRESS,
    PAUSE_IMAGE,
    POD_NETWORK,
    STATE,
    NodePlan,
)


def files(plan: NodePlan) -> dict[str, str]:
    """File name within the cluster's folder -> content, for everything that holds no secret."""
    common = {"components.json": dump(components(plan)), "resolv.conf": f"nameserver {NODE_ADDRESS}\n"}
    if plan.extent == "control-plane":
        return common
    return {
        **common,
        "kubelet.json": kubelet(plan),
        "cni/pods.conflist": pod_network(),
        "Corefile": corefile(),
    }


def kubelet(plan: NodePlan) -> str:
    return _json(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": NODE_ADDRESS,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": f"{STATE}/pki/ca.crt"},
            },
            "authorization": {"mode": "Webhook"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{plan.cgroup}",
            "clusterDNS": [NODE_ADDRESS],
            "clusterDomain": CLUSTER_DOMAIN,
            "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
            # Limits of the pods are enforced; those of the node as a whole would need cgroups of its own.
            "enforceNodeAllocatable": [],
            # The disk is the person's own, and may well be nearly full.
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "nodefs.inodesFree": "1%",
                "imagefs.available": "1%",
            },
            "failCgroupV1": False,
            "failSwapOn": False,
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "imageMinimumGCAge": "24h",
            "kubeAPIQPS": 100,
            "kubeAPIBurst": 200,
            "maxPods": 250,
            "resolvConf": f"{STATE}/resolv.conf",
            "volumePluginDir": f"{STATE}/kubelet/volume-plugins",
        }
    )


def containerd(*, snapshotter: str, plugins: Path) -> str:
    return f"""\
version = 2
root = "{STATE}/containerd"
state = "/run/containerd"
# It makes folders in /opt, which is the host's.
disabled_plugins = ["io.containerd.internal.v1.opt"]

[grpc]
  address = "{CONTAINERD_SOCKET}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  # Without CAP_SYS_RESOURCE nobody may lower an oom score, and runc fails on trying.
  restrict_oom_score_adj = true
  disable_apparmor = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{STATE}/cni"
"""


def pod_network() -> str:
    """Every pod at the end of its own cable: all traffic is routed by the node, so that services always apply."""
    return _json(
        {
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "ptp",
                    "ipMasq": False,
                    "ipam": {
                        "type": "host-local",
                        "dataDir": "/run/cni-addresses",
                        "ranges": [[{"subnet": POD_NETWORK}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }
    )


def corefile() -> str:
    """Names of the cluster only: there is no way out of the node, so nothing is asked elsewhere."""
    return f"""\
.:53 {{
    bind {NODE_ADDRESS}
    errors
    kubernetes {CLUSTER_DOMAIN} in-addr.arpa {{
        kubeconfig {kubeconfig_path("coredns")} coredns
        pods insecure
        ttl 5
    }}
    loadbalance
}}
"""


def kubeconfig(*, user: str, token: str, authority: str, server: str = API_URL, cluster: str = "climatejobs") -> str:
    """A kubeconfig as JSON, which is YAML too, so that this tool can read it back without a YAML parser."""
    return _json(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": cluster, "cluster": {"server": server, "certificate-authority-data": authority}}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": user, "context": {"cluster": cluster, "user": user}}],
            "current-context": user,
        }
    )


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
