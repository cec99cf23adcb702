"""What a node needs of the machine: Linux, sometimes root, and a few programs that Debian packages bring."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from climatejobs_cluster.commands import run_logged
from climatejobs_cluster.console import Console
from climatejobs_cluster.errors import ClusterError
from climatejobs_cluster.state import Extent

INSTALLER = Path(__file__).parents[2] / "tools/debian-packages"
NETWORK_PLUGIN_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"), Path("/usr/libexec/cni"))

# Program -> Debian package.
BASE = {"unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2", "openssl": "openssl"}
NODE = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "ptp": "containernetworking-plugins",
    "nft": "nftables",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "catatonit": "catatonit",
}
SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"


def find(program: str) -> str | None:
    """Where a program is: administrators' folders are searched even if they are not on PATH."""
    folders = [os.environ.get("PATH", ""), SYSTEM_FOLDERS, *map(str, NETWORK_PLUGIN_FOLDERS)]
    return shutil.which(program, path=":".join(folders))


def packages_for(extent: Extent, missing: list[str]) -> list[str]:
    """The Debian packages that bring what is missing. Pure."""
    table = BASE if extent == "control-plane" else {**BASE, **NODE}
    return sorted({table[program] for program in missing})


def network_plugins() -> Path:
    for folder in NETWORK_PLUGIN_FOLDERS:
        if (folder / "ptp").exists():
            return folder
    return NETWORK_PLUGIN_FOLDERS[0]


def ensure(extent: Extent, *, environment: Mapping[str, str], console: Console, log: Path) -> None:
    """Checks the machine, and installs packages where that is possible."""
    if sys.platform != "linux":
        raise ClusterError("The local provider needs the namespaces of Linux.", hint="Install Docker and kind.")
    if extent == "node" and os.geteuid() != 0:
        raise ClusterError(
            "A local node with pods needs root.",
            hint="Run this as root, or install Docker and kind; `--control-plane` works without.",
        )
    table = BASE if extent == "control-plane" else {**BASE, **NODE}
    missing = [program for program in table if find(program) is None]
    if not missing:
        return
    packages = packages_for(extent, missing)
    console.say(f"installing Debian packages: {' '.join(packages)}")
    run_logged(
        [str(INSTALLER), *packages],
        log=log,
        environment=environment,
        console=console,
        what="installing Debian packages",
    )
    log.unlink(missing_ok=True)
