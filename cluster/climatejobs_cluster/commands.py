"""Other programs, run to their end: with a log, signs of life while they work, and never outliving this command."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from climatejobs_cluster.console import Console
from climatejobs_cluster.errors import ClusterError

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Asks the kernel to interrupt this process when the one that started it ends, in whatever way that was."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def run_logged(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    console: Console,
    what: str | None = None,
    folder: Path | None = None,
) -> None:
    """Runs a program that may take minutes; its words go to `log`, and are shown in part if it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    beat = console.heartbeat(what or f"running {os.path.basename(command[0])}")
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            cwd=folder,
            process_group=0,
            preexec_fn=die_with_parent,  # noqa: PLW1509 (this program has one thread)
        )
        try:
            while True:
                try:
                    status = child.wait(timeout=0.5)
                    break
                except subprocess.TimeoutExpired:
                    beat()
        except BaseException:
            _interrupt(child)
            raise
    if status != 0:
        raise ClusterError(
            f"`{' '.join(command[:4])}` failed with exit status {status}: {tail(log)}",
            log=log,
        )


def capture(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, source: BinaryIO | None = None
) -> str:
    """The output of a short program, which reads `source`; its own words explain a failure."""
    try:
        done = subprocess.run(
            command,
            stdin=source or subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
    except FileNotFoundError as error:
        raise ClusterError(f"`{command[0]}` is needed and is not on PATH.") from error
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()
        raise ClusterError(f"`{' '.join(command)}` failed with exit status {done.returncode}: {words}")
    return done.stdout


def succeeds(command: Sequence[str]) -> bool:
    """Whether a program ends well; its words do not matter."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


def tail(log: Path, lines: int = 5) -> str:
    """The last lines of a log, for people who have not asked for it yet."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.strip().splitlines()[-lines:])


def _interrupt(child: "subprocess.Popen[bytes]") -> None:
    """Ends a program with all that it has started; gently first, since it may be installing packages."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        child.wait(timeout=10)
    # Whatever it has started may not have heard that.
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
