"""Small decisions around a node: cgroups, restarts, readiness, volumes, images, status."""

import json
import tarfile
from pathlib import Path

import pytest

from climatejobs_cluster import cgroups, images, manifests, requirements, status
from climatejobs_cluster.components import collect_garbage
from climatejobs_cluster.errors import ClusterError
from climatejobs_cluster.launch import command
from climatejobs_cluster.layout import NodePlan
from climatejobs_cluster.namespaces import nsenter_command
from climatejobs_cluster.readiness import node_problem
from climatejobs_cluster.running import Running, read
from climatejobs_cluster.storage import is_spent
from climatejobs_cluster.supervisor import ending, pause


def node(*, ready: str, taints: list[object] | None = None, message: str = "") -> dict[str, object]:
    return {
        "metadata": {"name": "demo"},
        "spec": {"taints": taints},
        "status": {"conditions": [{"type": "Ready", "status": ready, "message": message}]},
    }


def test_a_component_takes_no_more_memory_to_spare_cpu_than_a_quarter_of_the_machine_and_6_gib():
    assert [collect_garbage(gib << 30)["GOMEMLIMIT"] for gib in (4, 16, 24, 256)] == [
        f"{mib}MiB" for mib in (1024, 4096, 6144, 6144)
    ]


def test_cgroups_of_each_controller_in_the_old_hierarchy(tmp_path: Path):
    for controller in ("cpuset", "memory"):
        (tmp_path / controller).mkdir()
        (tmp_path / controller / "cgroup.procs").touch()
    (tmp_path / "cpuset/cpuset.cpus").write_text("0-1\n")
    (tmp_path / "other").mkdir()
    cgroups.create("climatejobs-x", root=tmp_path)
    assert cgroups.folders("climatejobs-x", tmp_path) == [
        tmp_path / "cpuset/climatejobs-x",
        tmp_path / "memory/climatejobs-x",
    ]
    (tmp_path / "memory/climatejobs-x/besteffort/pod1").mkdir(parents=True)
    assert cgroups.remove("climatejobs-x", root=tmp_path) == []
    assert not (tmp_path / "memory/climatejobs-x").exists()
    assert (tmp_path / "memory").exists()


def test_one_cgroup_in_the_unified_hierarchy(tmp_path: Path):
    (tmp_path / "cgroup.controllers").write_text("cpu io memory misc\n")
    (tmp_path / "cgroup.subtree_control").touch()
    cgroups.create("climatejobs-x", root=tmp_path)
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu +io +memory"
    assert (tmp_path / "climatejobs-x").is_dir()


def test_a_busy_cgroup_is_named(tmp_path: Path):
    (tmp_path / "cgroup.controllers").touch()
    busy = tmp_path / "climatejobs-x"
    busy.mkdir()
    # A file in it keeps the folder, as a process would keep a cgroup.
    (busy / "file").touch()
    assert cgroups.remove("climatejobs-x", seconds=0, root=tmp_path) == [busy]


def test_what_dies_at_once_is_restarted_ever_more_slowly():
    assert [pause(deaths) for deaths in range(8)] == [0.0, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert ending(-9) == "signal 9"
    assert ending(1) == "exit status 1"


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([], "no node has registered yet"),
        ([node(ready="False", message="no network")], "node demo is not ready: no network"),
        ([node(ready="True", taints=[{"key": "not-ready"}])], "has taints"),
        ([{"metadata": {"name": "demo"}}], "has not said why"),
    ],
)
def test_why_a_node_is_not_ready(nodes: list[object], words: str):
    assert words in str(node_problem({"items": nodes}))


def test_a_ready_node():
    assert node_problem({"items": [node(ready="True")]}) is None


def test_volumes_of_past_claims_are_spent():
    assert is_spent({"status": {"phase": "Released"}})
    assert not is_spent({"status": {"phase": "Bound"}})
    assert not is_spent(None)


def test_volumes_can_be_shared_and_outlive_their_claims():
    path, volume = manifests.volume(3, data="/data")
    assert path == "/api/v1/persistentvolumes/climatejobs-data-3"
    spec = volume["spec"]
    assert isinstance(spec, dict)
    assert {"ReadWriteOnce", "ReadWriteMany"} <= set(spec["accessModes"])  # pyright: ignore[reportUnknownArgumentType]
    assert spec["persistentVolumeReclaimPolicy"] == "Retain"
    assert spec["hostPath"] == {"path": "/data/3", "type": "Directory"}


def test_the_pause_image_is_one_program(tmp_path: Path):
    program = tmp_path / "init"
    program.write_bytes(b"program")
    images.write_pause_archive(tmp_path / "pause.tar", program)
    with tarfile.open(tmp_path / "pause.tar") as archive:
        manifest = json.load(archive.extractfile("manifest.json") or program.open("rb"))
        assert manifest[0]["RepoTags"] == ["localhost/climatejobs-pause:1"]
        layer = archive.extractfile("layer.tar")
        assert layer is not None
        with tarfile.open(fileobj=layer) as files:
            assert files.getnames() == ["pause"]
            assert files.getmember("pause").mode == 0o755


def test_names_of_imported_images():
    output = "unpacking localhost/web:1 (sha256:ab)...done\nunpacking localhost/api:1 (sha256:cd)...done\n"
    assert images.imported_names(output) == ["localhost/web:1", "localhost/api:1"]
    assert images.imported_names("") == []


def test_a_missing_archive_is_not_taken_for_a_name(tmp_path: Path):
    archive = tmp_path / "web.tar"
    with pytest.raises(ClusterError, match="no image archive"):
        images.is_archive(str(archive))
    archive.touch()
    assert images.is_archive(str(archive))
    assert not images.is_archive("localhost/web:1")


def test_packages_that_bring_missing_programs():
    assert requirements.packages_for("node", ["ctr", "containerd", "nft"]) == ["containerd", "nftables"]
    assert requirements.packages_for("control-plane", ["ip"]) == ["iproute2"]


def test_ordinary_people_get_a_user_namespace():
    plan = NodePlan(name="demo", extent="control-plane")
    words = command(plan, state=Path("/s"), binaries=Path("/b"), lifeline=5, user=True)
    assert words[:3] == ["unshare", "--user", "--map-root-user"]
    assert "--cgroup" not in words
    assert "--user" in nsenter_command(7, user=True)


def test_root_makes_a_cgroup_and_needs_no_user_namespace():
    plan = NodePlan(name="demo", extent="node")
    words = command(plan, state=Path("/s"), binaries=Path("/b"), lifeline=5, user=False)
    assert "--user" not in words
    assert words[-2:] == ["--cgroup", "climatejobs-demo"]
    assert "--user" not in nsenter_command(7, user=False)


def test_what_the_supervisor_reports(tmp_path: Path):
    assert read(tmp_path) == {}
    report = {"etcd": {"pid": None, "restarts": 1, "last_end": "signal 9"}}
    (tmp_path / "running.json").write_text(json.dumps(report))
    etcd = read(tmp_path)["etcd"]
    assert etcd.detail == "not running"
    assert etcd.problem("it does not answer") == "it ended with signal 9"
    assert Running(pid=7, restarts=2, last_end="signal 9").problem(None) is None
    assert Running(pid=7, restarts=2).detail == "pid 7 in the node, restarted 2 times"


def test_a_line_of_status_says_what_is_wrong():
    assert status.line("etcd", None, "pid 7").split() == ["etcd", "ok", "pid", "7"]
    assert status.line("etcd", "it is gone", "pid 7").endswith("failing  it is gone")
