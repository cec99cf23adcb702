"""A real API server with etcd and the Job controller, for the whole session; a namespace of its own for each test."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from climatejobs import names
from climatejobs.crd import custom_resource_definition
from tests.cluster_objects import ClimateJobs, ClusterObjects, Manifest, wait_until


@dataclass(frozen=True)
class ControlPlane:
    """A control plane without nodes: pods are made, but nothing runs them unless a test plays the kubelet."""

    name: str
    kubeconfig: Path
    objects: ClusterObjects


def cluster_tool(name: str, *arguments: str) -> str:
    """Run the cluster tool; its standard output without the final newline."""
    command = [sys.executable, "-m", "climatejobs_cluster", "--name", name, *arguments]
    finished = subprocess.run(command, check=False, capture_output=True, text=True)
    if finished.returncode != 0:
        raise RuntimeError(f"cluster {' '.join(arguments)} failed:\n{finished.stdout}{finished.stderr}")
    return finished.stdout.strip()


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    name = f"integration-{os.getpid()}"
    try:
        cluster_tool(name, "up", "--control-plane")
        kubeconfig = Path(cluster_tool(name, "kubeconfig"))
        objects = ClusterObjects(kubeconfig)
        install_crd(objects)
        yield ControlPlane(name, kubeconfig, objects)
    finally:
        cluster_tool(name, "down")


def install_crd(objects: ClusterObjects) -> None:
    """Create the CustomResourceDefinition and wait until it is served."""
    manifest = custom_resource_definition()
    objects.create(manifest)

    def established() -> bool:
        found = objects.find(
            "CustomResourceDefinition", f"{names.PLURAL}.{names.GROUP}", version="apiextensions.k8s.io/v1"
        )
        conditions: list[Manifest] = (found or {}).get("status", {}).get("conditions") or []
        return any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions)

    wait_until(established, "the CustomResourceDefinition to be established", 30)


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    name = f"test-{uuid4().hex[:10]}"
    control_plane.objects.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    control_plane.objects.delete("Namespace", name)


@pytest.fixture
def climate_jobs(control_plane: ControlPlane, namespace: str) -> ClimateJobs:
    return ClimateJobs(control_plane.objects, namespace)
