"""Every set of values in ci/ gives objects that a cluster accepts, in any namespace that it is installed in."""

from pathlib import Path

import kubernetes_validate
import pytest

from tests.chart.conftest import CHART, NAMESPACE, Helm, Manifest, of_kind, pod_specs
from tools.crd import TEMPLATE_FILES

KUBERNETES_SCHEMAS = "1.35"
CLUSTER_WIDE = {
    "ClusterRole",
    "CustomResourceDefinition",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}


def test_helm_finds_no_fault(helm: Helm, case: str) -> None:
    helm.run(
        "lint",
        "--strict",
        "--kube-version",
        "1.35.4",
        "--values",
        str(CHART / "ci" / f"{case}-values.yaml"),
        str(CHART),
    )


def test_every_object_fits_the_schema_of_kubernetes(manifests: list[Manifest]) -> None:
    for manifest in manifests:
        if manifest["apiVersion"] == "monitoring.coreos.com/v1":
            continue  # not one of Kubernetes' own
        kubernetes_validate.validate(manifest, KUBERNETES_SCHEMAS, strict=True)


def test_no_two_objects_have_one_name(manifests: list[Manifest]) -> None:
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
    assert len(names) == len(set(names))


def test_releases_in_two_namespaces_share_no_cluster_wide_object_but_the_definition(manifests: list[Manifest]) -> None:
    for manifest in manifests:
        if manifest["kind"] in CLUSTER_WIDE - {"CustomResourceDefinition"}:
            assert NAMESPACE in manifest["metadata"]["name"]


def test_every_object_says_what_it_belongs_to(manifests: list[Manifest]) -> None:
    for manifest in manifests:
        labels = manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "climatejobs"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"


def test_deployments_and_service_select_the_pods_of_their_part(manifests: list[Manifest]) -> None:
    deployments = of_kind(manifests, "Deployment")
    assert len(deployments) == 2
    for deployment in deployments.values():
        selector = deployment["spec"]["selector"]["matchLabels"]
        assert selector.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    (service,) = (
        service for service in of_kind(manifests, "Service").values() if service["metadata"]["name"].endswith("-api")
    )
    chosen = [
        deployment["metadata"]["labels"]["app.kubernetes.io/component"]
        for deployment in deployments.values()
        if service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    ]
    assert chosen == ["api"]


def test_everything_that_pods_refer_to_is_there(manifests: list[Manifest]) -> None:
    for spec in pod_specs(manifests).values():
        volumes = {volume["name"] for volume in spec["volumes"]}
        for container in spec["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


@pytest.mark.parametrize("name", sorted(TEMPLATE_FILES))
def test_generated_templates_are_up_to_date(name: str) -> None:
    committed = Path(CHART / "templates" / name).read_text(encoding="utf-8")
    assert committed == TEMPLATE_FILES[name](), "run `make crd`"
