"""The network of a node: one address, a way for packets to leave the kernel's routing, and nothing beyond."""

from pathlib import Path

from climatejobs_cluster.commands import capture
from climatejobs_cluster.layout import NODE_ADDRESS


def commands(*, full_node: bool) -> list[list[str]]:
    """The `ip` command lines that make it. Pure."""
    if not full_node:
        # The API server advertises this address, and without pods nobody comes from elsewhere.
        return [
            ["ip", "link", "set", "lo", "up"],
            ["ip", "address", "add", f"{NODE_ADDRESS}/32", "dev", "lo"],
        ]
    return [
        ["ip", "link", "set", "lo", "up"],
        # A bridge with nothing plugged in: the node's address, and a default route, without which the kernel refuses
        # packets to service addresses before kube-proxy's rules can turn them to a pod.
        ["ip", "link", "add", "node0", "type", "bridge"],
        ["ip", "address", "add", f"{NODE_ADDRESS}/24", "dev", "node0"],
        ["ip", "link", "set", "node0", "up"],
        ["ip", "route", "add", "default", "dev", "node0", "src", NODE_ADDRESS],
    ]


def arrange(*, full_node: bool) -> None:
    for command in commands(full_node=full_node):
        capture(command)
    if full_node:
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n", encoding="ascii")
