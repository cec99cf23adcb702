"""What kind and Docker are asked, and how their answers are read."""

import io
import json
import os
import re
import signal
from pathlib import Path

import pytest

from climatejobs_cluster import kind, portforward
from climatejobs_cluster.console import Console
from climatejobs_cluster.errors import ClusterError
from climatejobs_cluster.provider import Request, Service
from climatejobs_cluster.state import ClusterPaths

DOCKER = """
case "$1 $2" in
  "info "|"image inspect") [ ! -e "$HOME/no-$1" ];;
  "inspect --format") echo true;;
  "exec -i") cat;;
esac
"""
KIND = """
[ ! -e "$HOME/no-kind" ] || { echo "no space left"; exit 1; }
if [ "$1" = create ]; then while [ "$1" != --kubeconfig ]; do shift; done; echo "{}" > "$2"; fi
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose Docker and kind only write down what they are asked."""
    for name, script in (("docker", DOCKER), ("kind", KIND), ("kubectl", ""), ("helm", "")):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho {name} "$*" >> "$HOME/calls"\n{script}\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def calls(machine: Path) -> list[str]:
    path = machine / "calls"
    return path.read_text().splitlines() if path.exists() else []


def provider_on(machine: Path) -> kind.KindProvider:
    paths = ClusterPaths(machine / "state", "demo")
    paths.root.mkdir(parents=True)
    return kind.KindProvider(paths, dict(os.environ), Console(io.StringIO()))


def test_a_cluster_from_its_beginning_to_its_end(machine: Path):
    provider = provider_on(machine)
    record = provider.create(provider.prepare(Request()), lifeline=0)
    assert json.loads(provider.paths.kubeconfig.read_text()) == {}
    assert provider.is_running(record)
    archive = machine / "image.tar"
    archive.touch()
    assert provider.load(record, str(archive)) == [str(archive)]
    invocation = provider.invocation(record, ["kubectl", "get", "nodes"])
    assert invocation.words == (str(machine / "bin/kubectl"), "get", "nodes")
    assert invocation.environment["KUBECONFIG"] == str(provider.paths.kubeconfig)
    provider.destroy(record)
    asked = calls(machine)
    assert asked[0].startswith("kind create cluster --name climatejobs-demo")
    assert any(
        call.startswith(f"docker exec climatejobs-demo-control-plane chmod 0777 {kind.DATA}/0") for call in asked
    )
    assert f"kind load image-archive {archive} --name climatejobs-demo" in asked
    assert asked[-1].startswith("kind delete cluster --name climatejobs-demo")


def test_kinds_own_words_explain_its_failure(machine: Path):
    provider = provider_on(machine)
    (machine / "no-kind").touch()
    with pytest.raises(ClusterError, match="no space left") as failure:
        provider.create(provider.prepare(Request()), lifeline=0)
    assert failure.value.log == provider.paths.log("kind")


def test_a_machine_with_everything(machine: Path):
    found = kind.examine(None, Request(), os.environ, Console(io.StringIO()))
    assert (found.docker_answers, found.kind_available, found.image_available) == (True, True, True)
    assert not any(call.startswith("docker pull") for call in calls(machine))


def test_a_missing_image_is_pulled(machine: Path):
    (machine / "no-image").touch()
    found = kind.examine(None, Request(), os.environ, Console(io.StringIO()))
    assert found.image_available
    assert calls(machine)[-1] == f"docker pull {kind.NODE_IMAGE}"


def test_docker_that_does_not_answer_is_asked_nothing_more(machine: Path):
    (machine / "no-info").touch()
    found = kind.examine(None, Request(), os.environ, Console(io.StringIO()))
    assert not found.docker_answers
    assert calls(machine) == ["docker info"]


def test_a_control_plane_does_not_ask_docker(machine: Path):
    kind.examine(None, Request(extent="control-plane"), os.environ, Console(io.StringIO()))
    assert calls(machine) == []


def pod(label: str, value: str, *, ready: bool, restarts: int = 0) -> dict[str, object]:
    return {
        "metadata": {"labels": {label: value}},
        "status": {"phase": "Running", "containerStatuses": [{"ready": ready, "restartCount": restarts}]},
    }


ALL_READY = [pod(label, value, ready=True) for label, value in kind.PODS]


def test_clusters_of_this_tool_cannot_be_taken_for_others():
    command = kind.create_command("kind", "demo", image="kindest/node:v1", kubeconfig=Path("/s/kubeconfig"))
    assert command[:5] == ["kind", "create", "cluster", "--name", "climatejobs-demo"]
    assert command[command.index("--image") + 1] == "kindest/node:v1"
    assert command[command.index("--kubeconfig") + 1] == "/s/kubeconfig"
    assert "--wait" in command
    assert kind.node_container("demo") == "climatejobs-demo-control-plane"


def test_deleting_does_not_touch_the_persons_own_kubeconfig():
    command = kind.delete_command("kind", "demo", kubeconfig=Path("/s/kubeconfig"))
    assert command == ["kind", "delete", "cluster", "--name", "climatejobs-demo", "--kubeconfig", "/s/kubeconfig"]


def test_files_and_built_images_are_loaded_differently():
    assert kind.load_command("kind", "demo", "a.tar", archive=True)[2] == "image-archive"
    assert kind.load_command("kind", "demo", "web:1", archive=False)[2] == "docker-image"


def test_signals_go_to_the_program_and_not_to_what_names_it():
    *command, pattern = kind.signal_command("kubelet", signal.SIGSTOP)
    assert command == ["pkill", "-STOP", "-f"]
    assert re.search(pattern, "/usr/bin/kubelet --config=/var/lib/kubelet/config.yaml")
    assert re.search(pattern, "kubelet --config=/var/lib/kubelet/config.yaml")
    assert not re.search(pattern, "kube-apiserver --kubelet-client-key=/etc/kubernetes/pki/kubelet.key")


def test_an_unknown_component_is_refused_with_the_known_ones():
    with pytest.raises(ClusterError, match="There is no component `apiserver`") as caught:
        kind.refuse_unknown("apiserver", ["etcd", "kube-apiserver"])
    assert caught.value.hint == "There are: etcd, kube-apiserver."


def test_the_node_image_can_be_replaced():
    assert kind.node_image({}) == kind.NODE_IMAGE
    assert kind.node_image({"CLIMATEJOBS_KIND_IMAGE": "mirror/node:v1.35.4"}) == "mirror/node:v1.35.4"


def test_the_version_is_in_the_name_of_the_image():
    assert kind.image_version("kindest/node:v1.37.0@sha256:00") == "v1.37.0"
    assert kind.image_version("mirror.example:5000/node:v1.35.4") == "v1.35.4"


def test_ready_pods_are_healthy_components():
    found = kind.statuses({"items": ALL_READY})
    assert {item.name for item in found} == set(kind.PODS.values())
    assert all(item.problem is None for item in found)


def test_an_unready_pod_is_a_problem():
    found = kind.statuses({"items": [pod("component", "etcd", ready=False), *ALL_READY[1:]]})
    assert [item.name for item in found if item.problem] == ["etcd"]


def test_one_ready_replica_is_enough():
    replicas = [pod("k8s-app", "kube-dns", ready=ready) for ready in (True, False)]
    found = kind.statuses({"items": [*ALL_READY[:-1], *replicas]})
    assert all(item.problem is None for item in found)


def test_a_component_without_a_pod_is_named():
    problems = {item.name: item.problem for item in kind.statuses({"items": []})}
    assert problems["kube-apiserver"] == "it has no pod"


def test_restarts_are_shown():
    found = kind.statuses({"items": [pod("component", "etcd", ready=True, restarts=2)]})
    assert next(item.detail for item in found if item.name == "etcd") == "restarted 2 times"


def test_services_are_forwarded_by_kubectl():
    words = portforward.kubectl_words("kubectl", 8080, Service("api", "climate", 80))
    assert words[1:3] == ["--namespace", "climate"]
    assert words[-2:] == ["service/api", "8080:80"]
