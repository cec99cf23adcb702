"""The cluster tool as a person runs it, with a state folder of the test's own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from climatejobs_cluster.api import Access
from climatejobs_cluster.cgroups import CGROUPS
from climatejobs_cluster.processes import PROC

PACKAGE_FOLDER = Path(__file__).parents[3] / "cluster"


def wait_for[T](condition: Callable[[], T | None], what: str, seconds: float = 60) -> T:
    """What the condition gives, as soon as it gives anything."""
    deadline = time.monotonic() + seconds
    while (found := condition()) is None or found is False:
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.05)  # between two looks at the condition
    return found


@dataclass
class Tool:
    """Runs the tool on clusters whose names no other test has."""

    home: Path
    names: list[str] = field(default_factory=list[str])

    def new_name(self) -> str:
        self.names.append(f"t-{uuid4().hex[:8]}")
        return self.names[-1]

    def start(self, name: str, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            # With signals as in a terminal, even where the tests themselves were started by nohup.
            ["env", "--default-signal=HUP,INT", sys.executable, "-m", "climatejobs_cluster", "--name", name, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment,
            start_new_session=True,
        )

    def run(self, name: str, *words: str, expect: int = 0) -> str:
        process = self.start(name, *words)
        output, _ = process.communicate(timeout=900)
        assert process.returncode == expect, output
        return output

    def wait_until_healthy(self, name: str) -> str:
        """What `status` says once every component answers, for which one that is slow has a minute."""
        deadline = time.monotonic() + 60
        while True:
            process = self.start(name, "status")
            output, _ = process.communicate(timeout=900)
            if process.returncode == 0:
                return output
            assert time.monotonic() < deadline, output

    def kubectl(self, name: str, *words: str) -> str:
        return self.run(name, "exec", "--", "kubectl", *words)

    def access(self, name: str) -> Access:
        return Access.of(Path(self.run(name, "kubeconfig").strip()))

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "CLIMATEJOBS_STATE_HOME": str(self.home), "PYTHONPATH": str(PACKAGE_FOLDER)}

    def leftovers(self, name: str) -> list[str]:
        """Everything on this machine that still belongs to a cluster."""
        folder = self.home / "clusters" / name
        found = [str(path) for path in (folder, folder.with_name(f".{name}.lock")) if path.exists()]
        found += [str(path) for path in CGROUPS.glob(f"**/climatejobs-{name}")]
        found += [line for line in (PROC / "self/mounts").read_text().splitlines() if str(folder) in line]
        for entry in PROC.iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if str(folder) in words or f"--name {name}" in words:
                    found.append(f"{entry.name} {words}")
        return found

    def host_links(self) -> list[str]:
        return sorted(path.name for path in Path("/sys/class/net").iterdir())


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tool]:
    tool = Tool(tmp_path_factory.mktemp("state") / "so-deep-that-no-socket-could-have-a-path-below-it" / ("x" * 80))
    try:
        yield tool
    finally:
        for name in tool.names:
            tool.run(name, "down")
            assert tool.leftovers(name) == []
