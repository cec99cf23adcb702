"""The file system of a node: the host's own, with the places covered that a node must have for itself.

This runs inside the node's mount namespace, so nothing here reaches the host. Mounts are made by the system call
itself, because the `mount` program resolves /proc/self/fd paths first and so cannot reach what is already covered.
"""

import ctypes
import os
from pathlib import Path

from climatejobs_cluster.layout import BIN, RUN, STATE

MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_SHARED = 1 << 20

# The kubelet sets these for the whole machine unless they have these values already: so it is shown that they have.
KERNEL_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def mount(source: str, target: Path, *, kind: str | None = None, flags: int = 0, options: str = "") -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    status = libc.mount(
        source.encode(), str(target).encode(), kind and kind.encode(), ctypes.c_ulong(flags), options.encode()
    )
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mounting {source} at {target}: {os.strerror(number)}")


def arrange(state: Path, binaries: Path, *, full_node: bool) -> None:
    """Makes the node's private /run with the cluster's folder and programs at fixed places."""
    # Opened before /run is covered, so that it does not matter where these folders are.
    held = {STATE: os.open(state, os.O_PATH), BIN: os.open(binaries, os.O_PATH)}
    mount("tmpfs", Path("/run"), kind="tmpfs", options="mode=755")
    for target, descriptor in held.items():
        target.mkdir(parents=True)
        mount(f"/proc/self/fd/{descriptor}", target, flags=MS_BIND)
        os.close(descriptor)
    if full_node:
        _cover_kernel_settings()
        _cover_logs()
        _name_server()
        # What the kubelet mounts into pods has to be seen by the container runtime and by pods that ask for it.
        mount("none", Path("/"), flags=MS_REC | MS_SHARED)


def overlay_works() -> bool:
    """Whether images can be unpacked as layers here; not where the state itself lies on an overlay."""
    trial = STATE / "overlay-trial"
    folders = {name: trial / name for name in ("lower", "upper", "work", "merged")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={folders['lower']},upperdir={folders['upper']},workdir={folders['work']}"
    try:
        mount("overlay", folders["merged"], kind="overlay", options=options)
    except OSError:
        return False
    ctypes.CDLL(None).umount2(str(folders["merged"]).encode(), 2)
    return True


def _cover_kernel_settings() -> None:
    folder = RUN / "sys"
    folder.mkdir()
    for name, value in KERNEL_SETTINGS.items():
        setting = Path("/proc/sys") / name
        if setting.exists():
            cover = folder / name.replace("/", ".")
            cover.write_text(f"{value}\n", encoding="ascii")
            mount(str(cover), setting, flags=MS_BIND)


def _cover_logs() -> None:
    """/var/log/containers is fixed in the kubelet; here it becomes a folder of the cluster."""
    logs = STATE / "pod-logs"
    logs.mkdir(exist_ok=True)
    mount(str(logs), Path("/var/log"), flags=MS_BIND)


def _name_server() -> None:
    """People and programs inside the node find services by name, too."""
    target = Path(os.path.realpath("/etc/resolv.conf"))
    if target.is_relative_to("/run"):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    if target.exists():
        mount(str(STATE / "resolv.conf"), target, flags=MS_BIND)
