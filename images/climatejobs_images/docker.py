"""Images built by Docker, on the base image that the Dockerfile names."""

import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from climatejobs_cluster.commands import run_logged
from climatejobs_images.engine import Session, Workplace, build_arguments, write_secrets
from climatejobs_images.parts import Part


def is_running(environment: Mapping[str, str]) -> bool:
    """Whether there is a Docker that answers."""
    try:
        done = subprocess.run(
            ["docker", "info"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=10,
            env=environment,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


class DockerEngine:
    """Docker keeps layers itself; the cache gets the archives alone."""

    base = "docker"

    @contextmanager
    def session(self, workplace: Workplace) -> Generator[Session]:
        with TemporaryDirectory() as folder:
            yield DockerSession(workplace, write_secrets(Path(folder), workplace.environment))


@dataclass(frozen=True)
class DockerSession:
    """Builds with `docker build`."""

    workplace: Workplace
    secrets: list[str]

    def build(self, part: Part, archive: Path) -> None:
        self._run(f"building the {part.name} image", part, "build", *build_arguments(part, self.secrets))
        self._run(f"writing the {part.name} image", part, "save", "--output", str(archive), part.reference)

    def forget(self, reference: str) -> None:
        command = ["docker", "image", "rm", reference]
        subprocess.run(command, capture_output=True, check=False, env=self.workplace.environment)

    def _run(self, what: str, part: Part, *words: str) -> None:
        run_logged(
            ["docker", *words],
            log=self.workplace.log(part.name),
            environment={**self.workplace.environment, "DOCKER_BUILDKIT": "1"},
            console=self.workplace.console,
            what=what,
        )
