"""A real API server with etcd and the Job controller, for the whole session; a namespace of its own for each test."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from kubernetes.dynamic.exceptions import ResourceNotFoundError

from climatejobs import names
from climatejobs.crd import custom_resource_definition
from tests.cluster_objects import ClimateJobs, ClusterObjects, Refused, wait_until


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
    objects.create(custom_resource_definition())

    def served() -> bool:
        try:
            objects.list(names.KIND, "default", version=names.API_VERSION)
        except (ResourceNotFoundError, Refused):  # being Established comes before being discovered
            return False
        return True

    wait_until(served, "ClimateJobs to be served", 60)


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    name = f"test-{uuid4().hex[:10]}"
    control_plane.objects.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    # Pods are refused before it is there.
    wait_until(lambda: control_plane.objects.find("ServiceAccount", "default", name), "the service account of pods")
    yield name
    control_plane.objects.delete("Namespace", name)


@pytest.fixture
def climate_jobs(control_plane: ControlPlane, namespace: str) -> ClimateJobs:
    return ClimateJobs(control_plane.objects, namespace)
