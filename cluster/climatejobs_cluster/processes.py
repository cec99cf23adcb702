"""Processes that outlive the command that started them, and are ended by another one later.

A bare process id is no identity: the kernel gives it to somebody else one day. So an id is always kept together with
the moment its process started, and a signal is only sent where both agree.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A process id with the moment its process started (kernel ticks, or `ps` words where there is no /proc)."""

    pid: int
    started: str


@dataclass(frozen=True)
class Stat:
    """The fields of /proc/PID/stat that matter here."""

    state: str
    parent: int
    started: str


def parse_stat(text: str) -> Stat:
    """Reads a line of /proc/PID/stat, whose second field may itself hold spaces and brackets."""
    fields = text[text.rindex(")") + 2 :].split()
    return Stat(state=fields[0], parent=int(fields[1]), started=fields[19])


def parse_inner_pid(status: str) -> int | None:
    """The process id in the innermost pid namespace, from the text of /proc/PID/status."""
    for line in status.splitlines():
        if line.startswith("NSpid:"):
            return int(line.split()[-1])
    return None


def identify(pid: int) -> Process | None:
    """The process that has this id now; None when there is none, or only its exit status is left."""
    started = _started(pid)
    return None if started is None else Process(pid, started)


def is_alive(process: Process | None) -> bool:
    return process is not None and _started(process.pid) == process.started


def send(process: Process, number: signal.Signals) -> None:
    """Sends a signal to this very process, or to nobody."""
    try:
        if sys.platform == "linux":
            descriptor = os.pidfd_open(process.pid)
            try:
                # The descriptor holds on to one process, so what is checked after opening it stays true.
                if is_alive(process):
                    signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)
        elif is_alive(process):
            os.kill(process.pid, number)
    except ProcessLookupError:
        return


def end(process: Process | None, *, seconds: float = 10.0, number: signal.Signals = signal.SIGKILL) -> bool:
    """Ends a process and waits until it is gone; False when it is still there after that time."""
    if process is None:
        return True
    send(process, number)
    deadline = time.monotonic() + seconds
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def end_gently(process: Process) -> bool:
    """Gives a process the time to end its own children, if it wants any."""
    return end(process, seconds=2, number=signal.SIGTERM) or end(process)


def children(pid: int) -> list[Process]:
    """The direct children of a process."""
    found: list[Process] = []
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))) is not None and stat.parent == pid:
            found.append(Process(int(entry.name), stat.started))
    return found


def find_by_words(*words: str) -> list[Process]:
    """The processes whose command line has all of these words, each as a word of its own."""
    found: list[Process] = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            present = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if all(word.encode() in present for word in words) and (process := identify(int(entry.name))):
            found.append(process)
    return found


def find_in_namespace(init_pid: int, inner_pid: int) -> Process | None:
    """The process that is called `inner_pid` in the pid namespace whose first process is `init_pid` here."""
    try:
        namespace = os.readlink(PROC / str(init_pid) / "ns/pid")
    except OSError:
        return None
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if parse_inner_pid((entry / "status").read_text(encoding="utf-8")) != inner_pid:
                continue
            if os.readlink(entry / "ns/pid") == namespace:
                return identify(int(entry.name))
        except OSError:
            continue
    return None


def detach(
    command: Sequence[str], *, log: Path, environment: dict[str, str], pass_fds: tuple[int, ...] = ()
) -> Process:
    """Starts a process in a session of its own, which outlives this command and the terminal."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            pass_fds=pass_fds,
            start_new_session=True,
        )
    process = identify(child.pid)
    # It is meant to live on, so nobody waits for it here.
    child.returncode = 0
    return process or Process(child.pid, "never")


def _stat(pid: int) -> Stat | None:
    try:
        return parse_stat((PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError, IndexError):
        return None


def _started(pid: int) -> str | None:
    if sys.platform == "linux":
        stat = _stat(pid)
        return None if stat is None or stat.state in {"Z", "X"} else stat.started
    words = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return None if len(words) < 2 or words[0].startswith("Z") else words[1].strip()
