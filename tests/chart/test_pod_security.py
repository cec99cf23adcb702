"""Every pod of the chart passes Pod Security `restricted`, and needs no writable root."""

from tests.chart.conftest import Helm, Manifest, environment, pod_specs

ALLOWED_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def test_there_are_pods_to_look_at(manifests: list[Manifest]) -> None:
    assert len(pod_specs(manifests)) == 3


def test_pods_are_restricted(manifests: list[Manifest]) -> None:
    for name, spec in pod_specs(manifests).items():
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert context["runAsUser"] > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), name
        for volume in spec["volumes"]:
            assert volume.keys() - {"name"} <= ALLOWED_VOLUMES, name


def test_containers_are_restricted_and_cannot_write_to_their_image(manifests: list[Manifest]) -> None:
    for name, spec in pod_specs(manifests).items():
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name


def test_scratch_space_is_at_tmp(manifests: list[Manifest]) -> None:
    for name, spec in pod_specs(manifests).items():
        mounts = {mount["mountPath"]: mount["name"] for mount in spec["containers"][0]["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        assert volumes[mounts["/tmp"]] == {"name": "tmp", "emptyDir": {}}, name


def test_the_api_reads_the_data_and_cannot_write_them(manifests: list[Manifest], case: str) -> None:
    mounts = {
        name: mount
        for name, spec in pod_specs(manifests).items()
        for mount in spec["containers"][0]["volumeMounts"]
        if mount["mountPath"] == "/data"
    }
    assert [name.endswith("-api") for name in mounts] == ([] if case == "bucket" else [True])
    assert all(mount["readOnly"] is True for mount in mounts.values())


def test_api_and_runners_share_the_group_that_owns_the_data(helm: Helm) -> None:
    specs = pod_specs(helm.template("podSecurity.group=4711", "podSecurity.user=4712"))
    api, runner = specs["climatejobs-api"]["securityContext"], environment(specs["climatejobs-operator"])
    assert api["fsGroup"] == api["runAsGroup"] == 4711
    assert runner["CLIMATEJOBS_OPERATOR_RUNNER_GROUP"] == "4711"
    assert runner["CLIMATEJOBS_OPERATOR_RUNNER_USER"] == "4712"
