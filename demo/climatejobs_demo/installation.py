"""climatejobs installed into a cluster of the cluster tool: images, chart, data."""

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml

from climatejobs_demo.cluster import ROOT, Cluster, capture

IMPORT_POD = ROOT / "examples" / "import-data" / "pod.yaml"
POD = "climatejobs-import"


@dataclass(frozen=True)
class Images:
    """References of the images that were built, and the archives that hold them."""

    references: dict[str, str]
    """By part: api, operator, runner."""
    archives: tuple[str, ...]


@dataclass(frozen=True)
class Installation:
    """A release of the chart in one namespace of a cluster."""

    cluster: Cluster
    namespace: str
    release: str = "climatejobs"

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """kubectl in the installation's namespace."""
        return self.cluster.kubectl("--namespace", self.namespace, *arguments, stdin=stdin)

    def prepare(self) -> None:
        """Make the namespace, if it is not there."""
        self.cluster.kubectl("apply", "--filename", "-", stdin=json.dumps(_restricted_namespace(self.namespace)))

    def install(self, images: Images, helm_arguments: Sequence[str] = ()) -> None:
        """Install or upgrade the release in a namespace that admits nothing but restricted pods, and wait for it."""
        self.prepare()
        settings = ["data.storageClassName=climatejobs-hostpath"]
        for part, reference in images.references.items():
            repository, _, tag = reference.rpartition(":")
            settings += [f"{part}.image.repository={repository}", f"{part}.image.tag={tag}"]
        assignments = [word for setting in settings for word in ("--set-string", setting)]
        command = ("upgrade", "--install", self.release, "charts/climatejobs", "--namespace", self.namespace)
        self.cluster.helm(*command, "--wait", "--timeout", "3m", *assignments, *helm_arguments)

    def bring_in(
        self,
        images: Images,
        source: Path | str | None,
        *,
        dataset_id: str,
        variable: str | None,
        options: tuple[str, ...] = (),
    ) -> str:
        """Import a netCDF file or what is behind an address, or make the synthetic data set; what the runner said."""
        pod = cast(dict[str, object], yaml.safe_load(IMPORT_POD.read_text(encoding="utf-8")))
        manifest = json.dumps(pod).replace('"climatejobs/runner:0.1.0"', json.dumps(images.references["runner"]))
        self._remove_import_pod()
        try:
            self.kubectl("apply", "--filename", "-", stdin=manifest)
            self.kubectl("wait", "--for=condition=Ready", f"pod/{POD}", "--timeout=120s")
            tool = ("exec", POD, "--", "climatejobs-runner")
            if source is None:
                return self.kubectl(*tool, "synthesize", "--id", dataset_id, *options, "--data", "/data")
            names = ("--variable", variable) if variable else ()
            if isinstance(source, Path):
                self.kubectl("cp", str(source.resolve()), f"{POD}:/tmp/input.nc")
                source = "/tmp/input.nc"  # noqa: S108 - a path in the pod
            return self.kubectl(*tool, "import", source, "--id", dataset_id, *names, *options, "--data", "/data")
        finally:
            self._remove_import_pod()

    def forward(self, port: int) -> str:
        """Make the API reachable on this host's loopback; its address."""
        service = f"{self.release}-api.{self.namespace}"
        self.cluster.ask("forward", "--port", str(port), service)
        return f"http://127.0.0.1:{port}"

    def _remove_import_pod(self) -> None:
        self.kubectl("delete", "pod", POD, "--ignore-not-found", "--wait")


def build_images() -> Images:
    """Build the images; quick when nothing has changed."""
    answer = cast(dict[str, dict[str, str]], json.loads(capture(str(ROOT / "images" / "build"), "--json")))
    return Images(
        references={part: image["reference"] for part, image in answer.items()},
        archives=tuple(image["archive"] for image in answer.values()),
    )


def dataset_id_of(file: Path | None) -> str:
    """An id for a file's data: its name, as far as an id can hold it."""
    if file is None:
        return "synthetic-hourly"
    return re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-")[:64] or "data"


def split_helm_arguments(text: str) -> list[str]:
    """HELM_ARGS as a person writes it on a command line."""
    return shlex.split(text)


def _restricted_namespace(name: str) -> dict[str, object]:
    labels = {
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/enforce-version": "latest",
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
