"""The chart, rendered by the helm of the cluster tool."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

CHART = Path(__file__).parents[2] / "charts" / "climatejobs"
CASES = sorted(path.stem.removesuffix("-values") for path in (CHART / "ci").glob("*-values.yaml"))
NAMESPACE = "science"
KUBERNETES = "1.35.4"

type Manifest = dict[str, Any]


class HelmFailed(Exception):
    """helm refused; the text is its own."""


@dataclass(frozen=True)
class Helm:
    """helm, by the environment that has it on PATH."""

    environment: Mapping[str, str]
    _rendered: dict[tuple[str, ...], str] = field(default_factory=dict[tuple[str, ...], str])

    def run(self, *words: str) -> str:
        done = subprocess.run(["helm", *words], check=False, capture_output=True, text=True, env=self.environment)
        if done.returncode != 0:
            raise HelmFailed(done.stderr or done.stdout)
        return done.stdout

    def template(self, *settings: str, case: str | None = None, release: str = "climatejobs") -> list[Manifest]:
        """The objects of the chart with `--set` settings, or with a values file from ci/."""
        arguments = [word for setting in settings for word in ("--set", setting)]
        if case is not None:
            arguments += ["--values", str(CHART / "ci" / f"{case}-values.yaml")]
        place = ("--namespace", NAMESPACE, "--kube-version", KUBERNETES)
        words = ("template", release, str(CHART), *place, *arguments)
        if words not in self._rendered:
            self._rendered[words] = self.run(*words)
        documents = yaml.load_all(self._rendered[words], yaml.CSafeLoader)
        return [cast(Manifest, document) for document in documents if document]


@pytest.fixture(scope="session")
def helm() -> Helm:
    tool = [sys.executable, "-m", "climatejobs_cluster", "tools"]
    folders = subprocess.run(tool, check=True, capture_output=True, text=True).stdout.strip()
    return Helm({**os.environ, "PATH": f"{folders}:{os.environ['PATH']}"})


@pytest.fixture(scope="session", params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    """The name of a values file in ci/."""
    return str(request.param)


@pytest.fixture(scope="session")
def manifests(helm: Helm, case: str) -> list[Manifest]:
    """All objects of one values file."""
    return helm.template(case=case)


def of_kind(manifests: Sequence[Manifest], kind: str) -> dict[str, Manifest]:
    """The objects of a kind, by name."""
    return {manifest["metadata"]["name"]: manifest for manifest in manifests if manifest["kind"] == kind}


def pod_specs(manifests: Sequence[Manifest]) -> dict[str, Manifest]:
    """The spec of every pod that the objects make, by the object's name."""
    found: dict[str, Manifest] = {}
    for manifest in manifests:
        if manifest["kind"] == "Pod":
            found[manifest["metadata"]["name"]] = manifest["spec"]
        elif manifest["kind"] == "Deployment":
            found[manifest["metadata"]["name"]] = manifest["spec"]["template"]["spec"]
    return found


def environment(spec: Manifest) -> dict[str, str | None]:
    """The environment of a pod's only container; None for what is taken from the pod."""
    (container,) = spec["containers"]
    return {entry["name"]: entry.get("value") for entry in container["env"]}
