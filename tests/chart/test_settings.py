"""The values reach the programs: each environment variable is one that the program knows, with a value it accepts."""

import json
from urllib.parse import urlsplit

import pytest

from climatejobs_api.buckets import Bucket
from climatejobs_api.settings import Settings as ApiSettings
from climatejobs_operator.settings import Settings as OperatorSettings
from climatejobs_operator.settings import variable_name
from tests.chart.conftest import Helm, Manifest, environment, of_kind, pod_specs


def variables(manifests: list[Manifest], part: str) -> dict[str, str]:
    """What the chart sets; the namespace comes from the pod."""
    found = next(environment(spec) for name, spec in pod_specs(manifests).items() if name.endswith(f"-{part}"))
    return {name: value or "science" for name, value in found.items() if name.startswith("CLIMATEJOBS_")}


def test_the_operator_accepts_its_environment(manifests: list[Manifest]) -> None:
    given = variables(manifests, "operator")
    assert given.keys() <= {variable_name(field) for field in OperatorSettings.model_fields}
    OperatorSettings.from_environment(given)


def test_the_api_accepts_its_environment(manifests: list[Manifest], monkeypatch: pytest.MonkeyPatch) -> None:
    given = variables(manifests, "api")
    known = {f"CLIMATEJOBS_API_{field.upper()}" for field in ApiSettings.model_fields} | {"CLIMATEJOBS_NAMESPACE"}
    assert given.keys() <= known
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert ApiSettings().namespace == "science"


def test_defaults_of_the_chart_are_those_of_the_programs(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = helm.template()
    for name, value in variables(manifests, "api").items():
        monkeypatch.setenv(name, value)
    assert ApiSettings() == ApiSettings(namespace="science")
    required = {
        "namespace": "science",
        "runner_image": "climatejobs/runner:0.1.0",
        "data_claim": "climatejobs-data",
        "identity": "science",  # stands for a pod's own name
        "report_address": "$(POD_IP):8081",
        "report_url": "http://climatejobs-operator:8081/reports",
    }
    expected = OperatorSettings.model_validate({**required, "runner_service_account": "climatejobs-runner"})
    assert OperatorSettings.from_environment(variables(manifests, "operator")) == expected


def test_limits_of_the_api_arrive(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables(helm.template(case="everything"), "api").items():
        monkeypatch.setenv(name, value)
    settings = ApiSettings()
    assert (settings.max_cpu, settings.max_memory, settings.max_attempts) == ("8", "64Gi", 5)
    assert settings.max_timeout_seconds == 31536000
    assert settings.max_ttl_seconds == 3153600000
    assert settings.sync_wait_seconds == 2.5
    assert settings.strict is True
    assert settings.public_url == "https://climate.example.org/jobs"
    assert (settings.max_body_bytes, settings.submissions_per_minute, settings.stale_seconds) == (65536, 60, 60)
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8", "fd00::/8"]


def test_the_issuer_arrives(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables(helm.template(case="everything"), "api").items():
        monkeypatch.setenv(name, value)
    settings = ApiSettings()
    assert (settings.auth_mode, settings.auth_keep_seconds) == ("oidc", 2.5)
    assert settings.oidc_issuer == "https://login.example.org/realms/science"
    assert (settings.oidc_audience, settings.oidc_keys_url) == ("climatejobs", "https://login.example.org/keys")
    assert (settings.oidc_username_claim, settings.oidc_username_prefix) == ("email", "")
    assert (settings.oidc_groups_claim, settings.oidc_groups_prefix) == ("roles", "sso:")


def test_audiences_arrive(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables(helm.template(case="ha"), "api").items():
        monkeypatch.setenv(name, value)
    settings = ApiSettings()
    assert (settings.auth_mode, settings.auth_audiences) == ("kubernetes", ("climatejobs",))


def test_prometheus_finds_the_pods_where_it_is_told_to(helm: Helm) -> None:
    assert of_kind(helm.template(), "PodMonitor") == {}
    manifests = helm.template("api.metrics.podMonitor.enabled=true", "api.metrics.podMonitor.labels.release=main")
    (monitor,) = of_kind(manifests, "PodMonitor").values()
    assert monitor["metadata"]["labels"]["release"] == "main"
    deployment = of_kind(manifests, "Deployment")["climatejobs-api"]["spec"]
    assert monitor["spec"]["selector"] == deployment["selector"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    (container,) = deployment["template"]["spec"]["containers"]
    assert endpoint["port"] in [port["name"] for port in container["ports"]]
    assert endpoint["path"] == "/metrics"


def test_placement_of_runners_arrives_as_part_of_their_pods(helm: Helm) -> None:
    given = variables(helm.template(case="everything"), "operator")
    pod = json.loads(given["CLIMATEJOBS_OPERATOR_RUNNER_POD"])
    assert pod["nodeSelector"] == {"kubernetes.io/arch": "amd64"}
    assert pod["priorityClassName"] == "low"
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert {"tolerations", "affinity", "topologySpreadConstraints"} < pod.keys()
    assert "CLIMATEJOBS_OPERATOR_RUNNER_POD" not in variables(helm.template(), "operator")


@pytest.mark.parametrize("setting", ["api.strict=true", "api.limits.maxMemory=2Gi"])
def test_a_changed_setting_gives_new_api_pods(helm: Helm, setting: str) -> None:
    before, after = (of_kind(helm.template(*settings), "Deployment") for settings in ((), (setting,)))
    assert before["climatejobs-api"]["spec"]["template"] != after["climatejobs-api"]["spec"]["template"]
    assert before["climatejobs-operator"] == after["climatejobs-operator"]


def test_a_new_runner_image_gives_a_new_operator_pod(helm: Helm) -> None:
    manifests = helm.template("runner.image.tag=1.2.3")
    assert variables(manifests, "operator")["CLIMATEJOBS_OPERATOR_RUNNER_IMAGE"] == "climatejobs/runner:1.2.3"


def test_names_of_images(helm: Helm) -> None:
    digest = "sha256:" + "0123456789abcdef" * 4
    cases = {
        (): "climatejobs/api:0.1.0",
        ("api.image.tag=dev",): "climatejobs/api:dev",
        ("api.image.registry=registry.example.org:5000",): "registry.example.org:5000/climatejobs/api:0.1.0",
        ("api.image.tag=dev", f"api.image.digest={digest}"): f"climatejobs/api@{digest}",
    }
    for settings, expected in cases.items():
        assert pod_specs(helm.template(*settings))["climatejobs-api"]["containers"][0]["image"] == expected


@pytest.mark.parametrize("part", ["api", "operator"])
def test_neither_part_is_ever_away(helm: Helm, part: str) -> None:
    deployment = of_kind(helm.template(f"{part}.replicas=2"), "Deployment")[f"climatejobs-{part}"]["spec"]
    assert deployment["replicas"] == 2
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0}


@pytest.mark.parametrize("part", ["api", "operator"])
def test_a_disruption_budget_comes_with_the_second_replica(helm: Helm, part: str) -> None:
    def budgets(*settings: str) -> dict[str, Manifest]:
        return of_kind(helm.template(*settings), "PodDisruptionBudget")

    assert budgets() == {}
    (budget,) = budgets(f"{part}.replicas=2").values()
    assert budget["metadata"]["name"] == f"climatejobs-{part}"
    assert budget["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"] == part
    assert budgets(f"{part}.replicas=2", f"{part}.podDisruptionBudget.enabled=false") == {}


def test_runners_report_to_a_service_of_the_release_where_reports_are_taken(helm: Helm) -> None:
    manifests = helm.template("fullnameOverride=other")
    url = urlsplit(variables(manifests, "operator")["CLIMATEJOBS_OPERATOR_REPORT_URL"])
    service = of_kind(manifests, "Service")[url.hostname or ""]
    assert [port["port"] for port in service["spec"]["ports"]] == [url.port]
    pod = of_kind(manifests, "Deployment")["other-operator"]["spec"]["template"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    ports = {port["name"]: port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]}
    assert ports[service["spec"]["ports"][0]["targetPort"]] == OperatorSettings.model_fields["report_port"].default
    without = helm.template("operator.reports.enabled=false")
    assert "climatejobs-operator" not in of_kind(without, "Service")
    assert "CLIMATEJOBS_OPERATOR_REPORT_URL" not in variables(without, "operator")
    assert of_kind(without, "ClusterRoleBinding") == {}


def test_operators_of_one_release_compete_for_one_lease_and_of_two_for_two(helm: Helm) -> None:
    name = variables(helm.template(), "operator")["CLIMATEJOBS_OPERATOR_LEASE_NAME"]
    assert name == "climatejobs-operator"
    other = variables(helm.template("fullnameOverride=other"), "operator")["CLIMATEJOBS_OPERATOR_LEASE_NAME"]
    assert other == "other-operator"


def test_data_and_definition_stay_on_uninstall_unless_told_otherwise(helm: Helm) -> None:
    for kind, setting in {"PersistentVolumeClaim": "data.keep", "CustomResourceDefinition": "crds.keep"}.items():
        (kept,) = of_kind(helm.template(), kind).values()
        (given_up,) = of_kind(helm.template(f"{setting}=false"), kind).values()
        assert kept["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
        assert "annotations" not in given_up["metadata"]


def test_a_claim_that_is_there_already_is_used_by_api_and_runners(helm: Helm) -> None:
    manifests = helm.template(case="existing-claim")
    assert of_kind(manifests, "PersistentVolumeClaim") == {}
    assert variables(manifests, "operator")["CLIMATEJOBS_OPERATOR_DATA_CLAIM"] == "era5-archive"
    volumes = {volume["name"]: volume for volume in pod_specs(manifests)["climatejobs-api"]["volumes"]}
    assert volumes["data"]["persistentVolumeClaim"] == {"claimName": "era5-archive"}


def test_without_cluster_wide_objects_one_namespace_is_enough(helm: Helm) -> None:
    kinds = {manifest["kind"] for manifest in helm.template(case="minimal")}
    assert not {kind for kind in kinds if kind.startswith(("Cluster", "Custom", "Validating"))}


def test_callbacks_go_where_references_may_be_fetched_from(helm: Helm) -> None:
    manifests = helm.template("api.fetch.allow={10.0.0.0/8,hook.example.org}", "api.publicUrl=https://jobs.example.org")
    api, operator = variables(manifests, "api"), variables(manifests, "operator")
    assert operator["CLIMATEJOBS_OPERATOR_FETCH_ALLOW"] == api["CLIMATEJOBS_API_FETCH_ALLOW"]
    assert operator["CLIMATEJOBS_OPERATOR_FETCH_ALLOW"] == "10.0.0.0/8,hook.example.org"
    assert operator["CLIMATEJOBS_OPERATOR_PUBLIC_URL"] == "https://jobs.example.org"
    assert "CLIMATEJOBS_OPERATOR_FETCH_ALLOW" not in variables(helm.template(), "operator")


def test_a_bucket_takes_the_place_of_the_volume(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = helm.template(case="bucket")
    assert not of_kind(manifests, "PersistentVolumeClaim")
    assert "/data" not in json.dumps([spec["containers"][0]["volumeMounts"] for spec in pod_specs(manifests).values()])
    operator = OperatorSettings.from_environment(variables(manifests, "operator"))
    assert (operator.data_claim, operator.data_bucket) == (None, "s3://climate/west-africa")
    assert operator.data_endpoint == "http://objects.storage.svc:9000"
    assert (operator.data_region, operator.data_secret) == ("eu-central-1", "object-store")
    for name, value in variables(manifests, "api").items():
        monkeypatch.setenv(name, value)
    assert ApiSettings().data == Bucket("s3://climate/west-africa")
    container = pod_specs(manifests)["climatejobs-api"]["containers"][0]
    given = {variable["name"]: variable for variable in container["env"] if variable["name"].startswith("AWS_")}
    assert given["AWS_ENDPOINT_URL"]["value"] == "http://objects.storage.svc:9000"
    assert given["AWS_SECRET_ACCESS_KEY"]["valueFrom"]["secretKeyRef"]["name"] == "object-store"
