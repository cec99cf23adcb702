"""A cluster of the cluster tool, and the commands that are run against it."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


class CommandFailed(Exception):
    """A command did not succeed; the text says which, and what it printed last."""


@dataclass(frozen=True)
class Cluster:
    """A cluster by its name. Nothing is kept here: the cluster tool knows everything."""

    name: str

    def tool(self, *arguments: str) -> None:
        """Run the cluster tool, which prints what it does."""
        run(sys.executable, "-m", "climatejobs_cluster", "--name", self.name, *arguments)

    def ask(self, *arguments: str) -> str:
        """Run the cluster tool for its answer."""
        return capture(sys.executable, "-m", "climatejobs_cluster", "--name", self.name, *arguments)

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl inside the cluster's network; its standard output."""
        return self._exec("kubectl", *arguments, stdin=stdin)

    def helm(self, *arguments: str) -> str:
        """Run helm inside the cluster's network; its standard output."""
        return self._exec("helm", *arguments)

    def _exec(self, *command: str, stdin: str = "") -> str:
        tool = (sys.executable, "-m", "climatejobs_cluster", "--name", self.name)
        return capture(*tool, "exec", "--", *command, stdin=stdin)


def run(*command: str) -> None:
    """Run a command that talks to the person at the terminal itself."""
    finished = subprocess.run(command, check=False, cwd=ROOT, stdin=subprocess.DEVNULL)
    if finished.returncode != 0:
        raise CommandFailed(f"{_words(command)} failed with exit status {finished.returncode}")


def capture(*command: str, stdin: str = "") -> str:
    """Run a command for its standard output."""
    finished = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, input=stdin)
    if finished.returncode != 0:
        said = (finished.stderr.strip() or finished.stdout.strip())[-2000:]
        raise CommandFailed(f"{_words(command)} failed with exit status {finished.returncode}:\n{said}")
    return finished.stdout.strip()


def _words(command: tuple[str, ...]) -> str:
    return " ".join(Path(word).name if word == sys.executable else word for word in command)
