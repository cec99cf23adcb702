"""The one thing of a node that no namespace holds: its folder in the kernel's cgroup hierarchies.

Made under a name of the cluster's own before the kubelet starts, which refuses to make its root itself, and removed
after the last process has gone.
"""

import os
import time
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpuset", "cpu", "io", "memory", "hugetlb", "pids")


def is_unified(root: Path = CGROUPS) -> bool:
    return (root / "cgroup.controllers").is_file()


def folders(name: str, root: Path = CGROUPS) -> list[Path]:
    """The places of a cgroup: one folder in the unified hierarchy, or one in each controller's own."""
    if is_unified(root):
        return [root / name]
    if not root.is_dir():
        return []
    # Some names (cpu, cpuacct) may be links to one hierarchy.
    hierarchies = {entry.resolve() for entry in root.iterdir() if entry.is_dir()}
    return sorted(hierarchy / name for hierarchy in hierarchies if (hierarchy / "cgroup.procs").exists())


def create(name: str, root: Path = CGROUPS) -> None:
    if is_unified(root):
        available = (root / "cgroup.controllers").read_text(encoding="ascii").split()
        wanted = " ".join(f"+{controller}" for controller in CONTROLLERS if controller in available)
        (root / "cgroup.subtree_control").write_text(wanted, encoding="ascii")
    for folder in folders(name, root):
        folder.mkdir(exist_ok=True)
        _inherit_cpuset(folder)


def remove(name: str, *, seconds: float = 15.0, root: Path = CGROUPS) -> list[Path]:
    """Removes the cgroup, depth first, as its processes go; gives what is still there after that time."""
    deadline = time.monotonic() + seconds
    while left := [folder for folder in folders(name, root) if not _removed(folder)]:
        if time.monotonic() > deadline:
            return left
        time.sleep(0.05)
    return []


def _inherit_cpuset(folder: Path) -> None:
    """In the old hierarchy a new cpuset is empty, and no process may be put into it."""
    for setting in ("cpuset.cpus", "cpuset.mems"):
        parent, own = folder.parent / setting, folder / setting
        if parent.exists() and own.exists() and not own.read_text(encoding="ascii").strip():
            own.write_text(parent.read_text(encoding="ascii"), encoding="ascii")


def _removed(folder: Path) -> bool:
    complete = True
    for path, _folders, _files in os.walk(folder, topdown=False):
        try:
            os.rmdir(path)
        except FileNotFoundError:
            continue
        except OSError:
            complete = False
    return complete
