"""What an engine does for a build, whichever program it is."""

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from climatejobs_cluster.commands import capture
from climatejobs_cluster.console import Console
from climatejobs_images.index_access import ca_bundle, pip_configuration, pip_settings
from climatejobs_images.parts import ROOT, Part


@dataclass(frozen=True)
class Workplace:
    """Where a build happens: the cache's folder for images, the environment, and the person's terminal."""

    folder: Path
    environment: Mapping[str, str]
    console: Console

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"


class Session(Protocol):
    """An engine at work."""

    def build(self, part: Part, archive: Path) -> None:
        """Build a part's image and write it to an archive."""
        ...

    def forget(self, reference: str) -> None:
        """Remove an image, if it is there."""
        ...


class Engine(Protocol):
    """Builds images."""

    @property
    def base(self) -> str:
        """Names what the images stand on."""
        ...

    def session(self, workplace: Workplace) -> AbstractContextManager[Session]:
        """Everything that is needed while images are built, and nothing of it afterwards."""
        ...


def build_arguments(part: Part, secrets: list[str]) -> list[str]:
    """The arguments for a build that Docker and buildah share."""
    return [
        *("--target", part.name),
        *("--build-arg", f"VERSION={part.version}"),
        *("--tag", part.reference),
        *secrets,
        str(ROOT),
    ]


def write_secrets(folder: Path, environment: Mapping[str, str]) -> list[str]:
    """Put what the host sets for reaching the index into files; the arguments that make them build secrets."""
    settings = pip_settings(capture([sys.executable, "-m", "pip", "config", "list"], environment=environment))
    arguments: list[str] = []
    if bundle := ca_bundle(environment, settings):
        arguments += ["--secret", f"id=ca,src={bundle}"]
    if configuration := pip_configuration(settings):
        file = folder / "pip.conf"
        file.touch(mode=0o600)
        file.write_text(configuration, encoding="utf-8")
        arguments += ["--secret", f"id=pip,src={file}"]
    return arguments
