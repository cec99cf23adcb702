"""A control plane by itself: enough of Kubernetes to test controllers against."""

import asyncio
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest

from climatejobs_cluster.api import Access, ApiError, items, member
from climatejobs_cluster.processes import end, find_by_words

from .conftest import Tool, wait_for

pytestmark = pytest.mark.integration

JOB: dict[str, object] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "one"},
    "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "none"}]}}},
}


@pytest.fixture(scope="module")
def name(tool: Tool) -> Iterator[str]:
    name = tool.new_name()
    tool.run(name, "up", "--control-plane")
    yield name
    tool.run(name, "down")
    assert tool.leftovers(name) == []


@pytest.fixture(scope="module")
def access(tool: Tool, name: str) -> Access:
    return tool.access(name)


def test_status_names_every_part(tool: Tool, name: str):
    lines = tool.wait_until_healthy(name).splitlines()
    assert [line.split()[1] for line in lines[:3]] == ["ok"] * 3
    assert "https://127.0.0.1:" in lines[3]


def test_up_again_changes_nothing(tool: Tool, name: str):
    before = tool.run(name, "kubeconfig")
    assert "running already" in tool.run(name, "up", "--control-plane")
    assert tool.run(name, "kubeconfig") == before


def test_another_shape_is_refused(tool: Tool, name: str):
    assert "Take it down first" in tool.run(name, "up", "--control-plane", "--no-job-controller", expect=1)
    tool.wait_until_healthy(name)


def test_kubectl_works_inside(tool: Tool, name: str):
    assert "Server Version: v1.35" in tool.kubectl(name, "version")


def test_the_exit_status_of_a_program_is_passed_on(tool: Tool, name: str):
    tool.run(name, "exec", "--", "sh", "-c", "exit 7", expect=7)


def test_the_heap_of_the_api_server_is_on_huge_pages(tool: Tool, name: str):
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not setting.exists() or "[never]" in setting.read_text():
        pytest.skip("this machine gives no huge pages")
    # Processes without a program are the kernel's.
    script = "for p in /proc/[0-9]*; do case $(readlink $p/exe) in *node) cat $p/comm $p/smaps_rollup;; esac; done"
    words = tool.run(name, "exec", "--", "sh", "-c", script).split()
    heap = words[words.index("kube-apiserver") :]
    assert int(heap[heap.index("AnonHugePages:") + 1]) > 0


def test_jobs_get_pods(access: Access):
    access.request("POST", "/apis/batch/v1/namespaces/default/jobs", JOB)
    wait_for(lambda: items(access.get("/api/v1/namespaces/default/pods")) or None, "the pod of the Job")


def test_token_reviews_know_audiences(access: Access):
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["reports"]}}
    token = member(access.request("POST", path, request), "status", "token")

    def review(audience: str) -> object:
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [audience]},
        }
        return access.request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body)

    accepted = review("reports")
    assert member(accepted, "status", "authenticated") is True
    assert member(accepted, "status", "user", "username") == "system:serviceaccount:default:default"
    assert member(review("other"), "status", "authenticated") is not True


def test_admission_policies_are_enforced(access: Access):
    group = "/apis/admissionregistration.k8s.io/v1"
    policy: dict[str, object] = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "no-such-thing"},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["configmaps"],
                    }
                ]
            },
            "validations": [{"expression": "object.metadata.name != 'forbidden'", "message": "not this name"}],
        },
    }
    binding: dict[str, object] = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "no-such-thing"},
        "spec": {"policyName": "no-such-thing", "validationActions": ["Deny"]},
    }
    access.apply(f"{group}/validatingadmissionpolicies/no-such-thing", policy)
    access.apply(f"{group}/validatingadmissionpolicybindings/no-such-thing", binding)

    def refused() -> bool:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "forbidden"}}
        try:
            access.request("POST", "/api/v1/namespaces/default/configmaps", body)
        except ApiError as error:
            return "not this name" in str(error)
        access.request("DELETE", "/api/v1/namespaces/default/configmaps/forbidden")
        return False

    wait_for(refused, "the policy")


def test_pod_security_is_enforced(access: Access):
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "strict", "labels": labels}}
    access.request("POST", "/api/v1/namespaces", namespace)
    wait_for(lambda: access.find("/api/v1/namespaces/strict/serviceaccounts/default"), "the service account")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "root"},
        "spec": {"containers": [{"name": "main", "image": "none"}]},
    }
    with pytest.raises(ApiError, match="violates PodSecurity"):
        access.request("POST", "/api/v1/namespaces/strict/pods", pod)


def test_the_api_server_comes_back_with_everything(tool: Tool, name: str, access: Access):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}}
    access.request("POST", "/api/v1/namespaces/default/configmaps", body)
    assert "kube-apiserver is back" in tool.run(name, "restart", "kube-apiserver")
    assert access.find("/api/v1/namespaces/default/configmaps/kept") is not None
    assert "restarted once" in tool.wait_until_healthy(name)


def test_an_unknown_component_is_refused_with_the_known_ones(tool: Tool, name: str):
    for command in ("restart", "pause"):
        assert "etcd, kube-apiserver" in tool.run(name, command, "apiserver", expect=1)


async def test_many_watches_at_once(access: Access):
    """Every watch hears of one change through the forwarder."""
    parts = urlsplit(access.server)
    count = 300

    async def watch(ready: "asyncio.Queue[None]") -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=access.context)
        path = "/api/v1/namespaces/default/configmaps?watch=true&fieldSelector=metadata.name%3Dwatched"
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {access.token}\r\n\r\n"
        writer.write(head.encode())
        assert b"200 OK" in await reader.readline()
        ready.put_nowait(None)
        await reader.readuntil(b'"ADDED"')
        writer.transport.abort()

    ready: asyncio.Queue[None] = asyncio.Queue()
    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(watch(ready))
        for _ in range(count):
            await ready.get()
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "watched"}}
        await asyncio.to_thread(access.request, "POST", "/api/v1/namespaces/default/configmaps", body)


def test_the_certificate_is_strictly_valid(access: Access):
    strict = ssl.create_default_context()
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    assert access.context.verify_mode is strict.verify_mode
    access.context.verify_flags |= ssl.VERIFY_X509_STRICT
    assert member(access.get("/version"), "major") == "1"


def test_two_clusters_know_nothing_of_each_other(tool: Tool, name: str, access: Access):
    other = tool.new_name()
    tool.run(other, "up", "--control-plane", "--no-job-controller")
    other_access = tool.access(other)
    assert other_access.server != access.server
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "here"}}
    access.request("POST", "/api/v1/namespaces/default/configmaps", body)
    assert other_access.find("/api/v1/namespaces/default/configmaps/here") is None
    _no_job_controller(other_access)
    tool.run(other, "down")
    assert tool.leftovers(other) == []
    assert member(access.get("/version"), "major") == "1"


def _no_job_controller(access: Access) -> None:
    access.request("POST", "/apis/batch/v1/namespaces/default/jobs", JOB)
    # Another controller's work on something later shows that there was time for the Job.
    pod_template = cast(dict[str, object], json.loads(json.dumps(member(JOB, "spec", "template"))))
    pod_template["metadata"] = {"labels": {"app": "later"}}
    pod_template["spec"] = {"containers": [{"name": "main", "image": "none"}]}
    body = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "later"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "later"}}, "template": pod_template},
    }
    access.request("POST", "/apis/apps/v1/namespaces/default/replicasets", body)
    pods = wait_for(lambda: items(access.get("/api/v1/namespaces/default/pods")) or None, "the later pod")
    assert [member(pod, "metadata", "labels", "app") for pod in pods] == ["later"]
    assert member(access.get("/apis/batch/v1/namespaces/default/jobs/one"), "status") == {}


def test_a_lost_forwarder_is_noticed_and_replaced(tool: Tool, name: str, access: Access):
    for process in find_by_words("climatejobs_cluster.forwarder", str(tool.home / "clusters" / name)):
        assert end(process)
    assert "failing" in tool.run(name, "status", expect=1)
    tool.run(name, "up", "--control-plane")
    assert tool.access(name).server == access.server
    tool.wait_until_healthy(name)


def test_a_dead_node_is_noticed_and_replaced(tool: Tool):
    name = tool.new_name()
    tool.run(name, "up", "--control-plane")
    for process in find_by_words("unshare", str(tool.home / "clusters" / name)):
        assert end(process)
    wait_for(lambda: not find_by_words(str(tool.home / "clusters" / name)) or None, "the end of its processes")
    assert "the node has ended" in tool.run(name, "status", expect=1)
    assert "removing what is left" in tool.run(name, "up", "--control-plane")
    tool.wait_until_healthy(name)


def test_no_cluster(tool: Tool):
    name = tool.new_name()
    assert "There is no cluster" in tool.run(name, "status", expect=3)
    assert "There is no cluster" in tool.run(name, "kubeconfig", expect=3)
    assert "there is no cluster" in tool.run(name, "down")
    assert tool.leftovers(name) == []
