"""A whole node: pods run, find each other, keep data, and are held to their limits."""

import json
import os
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from climatejobs_cluster import binaries, images
from climatejobs_cluster.api import Access, items, member
from climatejobs_cluster.state import cache_home

from .conftest import Tool, wait_for

pytestmark = pytest.mark.e2e

IMAGE = "localhost/climatejobs-cluster-test:1"
NAMESPACE = "trial"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def pod(name: str, *words: str, memory: str = "256Mi", claim: str | None = None) -> dict[str, object]:
    """A pod that the strictest policy admits; its one program is kubectl."""
    volumes: list[object] = [{"name": "tmp", "emptyDir": {}}]
    mounts: list[object] = [{"name": "tmp", "mountPath": "/tmp"}]
    if claim is not None:
        volumes.append({"name": "data", "persistentVolumeClaim": {"claimName": claim}})
        mounts.append({"name": "data", "mountPath": "/data"})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "main",
                    "image": IMAGE,
                    "imagePullPolicy": "Never",
                    "args": list(words),
                    "env": [{"name": "HOME", "value": "/tmp"}],
                    "resources": {"limits": {"memory": memory}},
                    "securityContext": RESTRICTED,
                    "volumeMounts": mounts,
                }
            ],
            "volumes": volumes,
        },
    }


@pytest.fixture(scope="module")
def name(tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    links = tool.host_links()
    name = tool.new_name()
    tool.run(name, "up", "--provider", "local")
    program = cache_home(os.environ) / "bin" / binaries.kubernetes().name / "climatejobs-node"
    archive = tmp_path_factory.mktemp("image") / "kubectl.tar"
    images.write_archive(archive, name=IMAGE, programs={"/kubectl": program}, entrypoint=("/kubectl",))
    assert IMAGE in tool.run(name, "load", str(archive))
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    access = tool.access(name)
    access.request("POST", "/api/v1/namespaces", body)
    wait_for(lambda: access.find(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default"), "the service account")
    assert tool.host_links() == links
    yield name
    tool.run(name, "down")
    assert tool.leftovers(name) == []
    assert tool.host_links() == links


@pytest.fixture(scope="module")
def access(tool: Tool, name: str) -> Access:
    return tool.access(name)


def ended(access: Access, pod_name: str) -> object:
    """How the pod's container ended."""
    path = ("status", "containerStatuses", 0, "state", "terminated")
    return wait_for(lambda: member(access.get(f"{PODS}/{pod_name}"), *path), f"the end of pod {pod_name}")


def test_status_has_every_component(tool: Tool, name: str):
    text = tool.wait_until_healthy(name)
    assert "failing" not in text
    assert {"kubelet", "coredns", "containerd", "kube-proxy"} <= {line.split()[0] for line in text.splitlines()}


def test_a_job_runs_to_its_end(access: Access, tool: Tool, name: str):
    body = pod("unused", "version", "--client")
    spec = cast(dict[str, object], body["spec"])
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "hello"},
        "spec": {"backoffLimit": 0, "template": {"spec": spec}},
    }
    jobs = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
    access.request("POST", jobs, job)
    wait_for(lambda: member(access.get(f"{jobs}/hello"), "status", "succeeded"), "the Job")
    assert "Client Version: v1.35" in tool.kubectl(name, "--namespace", NAMESPACE, "logs", "job/hello")


def test_names_of_services_work_in_pods(access: Access, tool: Tool, name: str):
    server = ("--server=https://kubernetes.default.svc.cluster.local", "--insecure-skip-tls-verify")
    access.request("POST", PODS, pod("names", "get", "--raw=/version", *server, "--token=unknown"))
    ended(access, "names")
    # The refusal of an unknown token shows that the API server was reached by its name.
    assert "logged in" in tool.kubectl(name, "--namespace", NAMESPACE, "logs", "names")


def test_in_cluster_credentials_work(access: Access):
    access.request("POST", PODS, pod("account", "auth", "whoami"))
    assert member(ended(access, "account"), "exitCode") == 0


def test_too_much_memory_ends_a_pod(access: Access):
    access.request("POST", PODS, pod("large", "version", "--client", memory="16Mi"))
    assert member(ended(access, "large"), "reason") == "OOMKilled"


def test_a_claim_gets_a_volume_that_anybody_may_write_to(access: Access, tool: Tool, name: str):
    claims = f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims"
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "10Gi"}}},
    }
    access.request("POST", claims, claim)
    access.request(
        "POST", PODS, pod("writer", "config", "set-cluster", "x", "--kubeconfig=/data/written", claim="data")
    )
    assert member(ended(access, "writer"), "exitCode") == 0
    volume = str(member(access.get(f"{claims}/data"), "spec", "volumeName"))
    written = tool.home / "clusters" / name / "data" / volume.rpartition("-")[2] / "written"
    assert written.stat().st_uid == 10001

    access.request("DELETE", f"{PODS}/writer")
    access.request("DELETE", f"{claims}/data")
    path = f"/api/v1/persistentvolumes/{volume}"
    wait_for(lambda: member(access.get(path), "status", "phase") == "Released" or None, "the volume's release")
    assert "emptying it" in tool.run(name, "up")
    assert not written.exists()
    wait_for(lambda: member(access.get(path), "status", "phase") == "Available" or None, "the new volume")


@pytest.fixture
def service(access: Access) -> None:
    words = ("proxy", "--address=0.0.0.0", "--port=8001", "--accept-hosts=.*", "--api-prefix=/", "--reject-paths=^$")
    template = pod("web", *words)
    cast(dict[str, object], template["spec"])["restartPolicy"] = "Always"
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": template["spec"]},
        },
    }
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8001}]},
    }
    access.request("POST", f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments", deployment)
    access.request("POST", f"/api/v1/namespaces/{NAMESPACE}/services", body)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return cast(int, probe.getsockname()[1])


def version(port: int) -> str | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/version", timeout=5) as answer:
            return str(json.load(answer)["gitVersion"])
    except OSError:
        return None


@pytest.mark.usefixtures("service")
def test_a_service_reaches_this_machine_and_itself(access: Access, tool: Tool, name: str):
    port = free_port()
    forward = ("forward", "--port", str(port), f"web.{NAMESPACE}")
    tool.run(name, *forward)
    assert wait_for(lambda: version(port), "the service").startswith("v1.35")
    assert "already" in tool.run(name, *forward)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        other = str(taken.getsockname()[1])
        assert "in use by another program" in tool.run(name, "forward", "--port", other, f"web.{NAMESPACE}", expect=1)
    assert "no service" in tool.run(name, "forward", "--port", str(free_port()), "nothing", expect=1)

    # A pod may come to itself through its own service.
    inside = ["exec", "deployment/web", "--", "/kubectl", "get", "--raw=/version"]
    words = tool.kubectl(name, "--namespace", NAMESPACE, *inside, f"--server=http://web.{NAMESPACE}")
    assert "gitVersion" in words

    first = {str(member(item, "metadata", "uid")) for item in _web_pods(access)}
    tool.kubectl(name, "--namespace", NAMESPACE, "delete", "pod", "--selector=app=web")
    wait_for(lambda: [i for i in _web_pods(access) if member(i, "metadata", "uid") not in first] or None, "a new pod")
    assert wait_for(lambda: version(port), "the service with another pod")

    tool.run(name, "forward", "--stop", "--port", str(port))
    assert version(port) is None


def _web_pods(access: Access) -> list[dict[str, object]]:
    return items(access.get(f"{PODS}?labelSelector=app%3Dweb"))


def test_pods_survive_a_restart_of_what_runs_them(access: Access, tool: Tool, name: str):
    access.request("POST", PODS, pod("steady", "proxy", "--port=0"))
    path = ("status", "containerStatuses", 0, "state", "running", "startedAt")
    begun = wait_for(lambda: member(access.get(f"{PODS}/steady"), *path), "the pod")
    for component in ("containerd", "kubelet", "kube-apiserver"):
        tool.run(name, "restart", component)
    assert member(access.get(f"{PODS}/steady"), *path) == begun
    assert "Starting to serve" in tool.kubectl(name, "--namespace", NAMESPACE, "logs", "steady")


def test_a_node_that_hangs_tells_of_nothing_until_it_goes_on(access: Access, tool: Tool, name: str):
    tool.run(name, "pause", "kubelet")
    access.request("POST", PODS, pod("later", "proxy", "--port=0"))
    wait_for(lambda: member(access.get(f"{PODS}/later"), "spec", "nodeName"), "the scheduler")
    assert "kubelet" in tool.run(name, "status", expect=1), "it does not answer"
    assert member(access.get(f"{PODS}/later"), "status", "phase") == "Pending"
    tool.run(name, "resume", "kubelet")
    wait_for(lambda: member(access.get(f"{PODS}/later"), "status", "phase") == "Running", "the pod")


def test_programs_inside_keep_their_folder(tool: Tool, name: str):
    assert tool.run(name, "exec", "--", "pwd").strip() == os.getcwd()


def test_programs_inside_find_services_by_name(tool: Tool, name: str):
    found = tool.run(name, "exec", "--", "getent", "hosts", "kubernetes.default.svc.cluster.local")
    assert found.split()[0] == "10.30.0.1"


def test_the_machine_keeps_its_settings(tool: Tool, name: str):
    setting = Path("/proc/sys/kernel/panic_on_oops")
    before = setting.read_text()
    assert tool.run(name, "exec", "--", "cat", str(setting)).strip() == "1"
    tool.run(name, "restart", "kubelet")
    assert setting.read_text() == before
