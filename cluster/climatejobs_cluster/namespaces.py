"""The way into a node from outside: its namespaces, made by `unshare` and entered by `setns` or `nsenter`."""

import json
import os
import signal
import traceback
from collections.abc import Callable, Sequence

from climatejobs_cluster.errors import ClusterError
from climatejobs_cluster.interrupts import restore_signals

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None


def unshare_command(*, user: bool) -> list[str]:
    """Starts a program as the first process of fresh namespaces; killing this one ends everything inside."""
    return [
        "unshare",
        *(("--user", "--map-root-user") if user else ()),
        *("--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child", "--propagation", "private"),
    ]


def nsenter_command(init_pid: int, *, user: bool, folder: str | None = None) -> list[str]:
    """Runs a program in the node; `folder` is the working directory it keeps."""
    return [
        "nsenter",
        *("--target", str(init_pid)),
        *(("--user", "--preserve-credentials") if user else ()),
        *("--mount", "--net", "--pid"),
        *((f"--wd={folder}",) if folder is not None else ()),
        "--",
    ]


def enter(init_pid: int, kinds: Sequence[str]) -> None:
    """Moves this process into namespaces (`user`, `net`, `mnt`) of the node. The process must have one thread."""
    held = [os.open(f"/proc/{init_pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in kinds]
    for descriptor in held:
        os.setns(descriptor)
        os.close(descriptor)


def kinds_for(*, user: bool) -> tuple[str, ...]:
    """Without root, one has to be the node's own root first to enter the rest."""
    return ("user", "net", "mnt") if user else ("net", "mnt")


def call_inside(init_pid: int, function: Callable[[], Json], *, user: bool) -> Json:
    """Calls a function in the node's network and file system, in a child process, because there is no way back."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            restore_signals()
            os.close(read_end)
            enter(init_pid, kinds_for(user=user))
            with os.fdopen(write_end, "w", encoding="utf-8") as output:
                json.dump(function(), output)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(write_end)
    try:
        with os.fdopen(read_end, encoding="utf-8") as answer:
            text = answer.read()
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        _pid, status = os.waitpid(child, 0)
    if status != 0:
        raise ClusterError("The node cannot be entered: it may have ended just now.")
    return json.loads(text)
