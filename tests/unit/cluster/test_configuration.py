"""What the components of a local node are started with."""

import json
from pathlib import Path

import pytest

from climatejobs_cluster import components, configuration, layout, network, pki
from climatejobs_cluster.layout import NodePlan
from climatejobs_cluster.state import Extent

NODE = NodePlan(name="demo", extent="node", kubernetes="kubernetes-v1", coredns="coredns-v1", helm="helm-v1")
CONTROL_PLANE = NodePlan(name="tests", extent="control-plane", kubernetes="kubernetes-v1")


def names(plan: NodePlan) -> list[str]:
    return [item.name for item in components.components(plan)]


def flags(plan: NodePlan, component: str) -> tuple[str, ...]:
    return next(item.command for item in components.components(plan) if item.name == component)


def test_a_control_plane_has_no_more_than_it_needs():
    assert names(CONTROL_PLANE) == ["etcd", "kube-apiserver", "kube-controller-manager"]


def test_a_node_runs_pods_too():
    assert set(names(NODE)) > {"kubelet", "containerd", "kube-scheduler", "kube-proxy", "coredns"}


def test_only_those_that_need_no_api_server_start_before_it():
    early = {item.name for item in components.components(NODE) if not item.after_api}
    assert early == {"etcd", "kube-apiserver", "containerd"}


def test_the_job_controller_can_be_left_out():
    without = NodePlan(name="tests", extent="control-plane", job_controller=False)
    assert "--controllers=*,-job-controller" in flags(without, "kube-controller-manager")
    assert "--controllers=*" in flags(CONTROL_PLANE, "kube-controller-manager")


def test_components_survive_the_way_through_a_file():
    assert components.load(components.dump(components.components(NODE))) == components.components(NODE)


@pytest.mark.parametrize("extent", ["node", "control-plane"])
def test_nothing_depends_on_the_place_of_the_state(extent: Extent):
    texts = configuration.files(NodePlan(name="demo", extent=extent)).values()
    assert all(str(Path.home()) not in text for text in texts)


def test_socket_paths_are_short_enough_for_the_kernel():
    assert len(f"{layout.STATE}/kubelet/device-plugins/kubelet.sock") < 108
    assert len(str(layout.CONTAINERD_SOCKET)) < 108


def test_two_clusters_have_cgroups_of_their_own():
    roots = [json.loads(configuration.kubelet(NodePlan(name=name, extent="node")))["cgroupRoot"] for name in "ab"]
    assert roots == ["/climatejobs-a", "/climatejobs-b"]


def test_the_network_file_names_the_pods_range():
    network_file = json.loads(configuration.pod_network())
    assert network_file["plugins"][0]["ipam"]["ranges"] == [[{"subnet": layout.POD_NETWORK}]]


def test_containerd_uses_the_plugins_of_this_machine():
    text = configuration.containerd(snapshotter="native", plugins=Path("/opt/cni/bin"))
    assert 'snapshotter = "native"' in text
    assert 'bin_dir = "/opt/cni/bin"' in text


def test_a_control_plane_needs_no_bridge():
    assert all("bridge" not in command for command in network.commands(full_node=False))
    assert any("bridge" in command for command in network.commands(full_node=True))


def test_kubeconfigs_are_json():
    text = configuration.kubeconfig(user="admin", token="t", authority="Q0E=", server="https://127.0.0.1:1")  # noqa: S106
    data = json.loads(text)
    assert data["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:1"
    assert data["users"][0]["user"] == {"token": "t"}


def test_the_kubelet_is_a_node_to_the_api_server():
    tokens = dict.fromkeys(pki.identities("demo"), "secret")
    rows = pki.token_file(tokens, "demo").splitlines()
    assert 'secret,system:node:demo,system:node:demo,"system:nodes"' in rows
    assert "secret,system:coredns,system:coredns" in rows


def test_the_path_inside_has_kubectl_and_helm_first():
    assert NODE.path.startswith("/run/node/bin/kubernetes-v1:/run/node/bin/helm-v1:")
