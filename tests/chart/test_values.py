"""The values: each with a comment, a place in the closed schema and a row in the README; mistakes are refused."""

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
import yaml

from charts.reference import Value, read_values, render_readme, render_schema
from tests.chart.conftest import CHART, Helm, HelmFailed

WHOLE = {"resources"}
"""Given to Kubernetes as they are: the members of these defaults have no comments of their own."""


def paths(values: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in values.items():
        path = (*above, name)
        yield path
        if isinstance(value, dict) and not (name in WHOLE and above != ("runner",)):
            yield from paths(cast(dict[str, Any], value), path)


@pytest.fixture(scope="module")
def text() -> str:
    return (CHART / "values.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def values(text: str) -> list[Value]:
    return list(read_values(text))


def test_every_key_has_a_comment(text: str, values: list[Value]) -> None:
    assert [value.path for value in values] == list(paths(yaml.safe_load(text)))


def test_a_key_without_a_comment_is_not_overlooked() -> None:
    found = list(read_values("# One.\none:\n  # Two.\n  two: 2\n  three: 3\n"))
    assert found == [Value(("one",), "One.", {"two": 2, "three": 3}), Value(("one", "two"), "Two.", 2)]


def test_schema_and_readme_say_what_the_comments_say(values: list[Value]) -> None:
    for name, render in (("values.schema.json", render_schema), ("README.md", render_readme)):
        committed = (CHART / name).read_text(encoding="utf-8")
        assert committed == render(committed, values), "run `python charts/reference.py`"


def test_the_schema_is_closed_and_every_member_has_a_value(values: list[Value]) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))

    def members(node: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        target = schema["definitions"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
        if "properties" not in target or (above and above[-1] in WHOLE and above[0] != "runner"):
            return
        assert target["additionalProperties"] is False, above
        for name, member in target["properties"].items():
            yield (*above, name)
            yield from members(member, (*above, name))

    assert sorted(members(schema)) == sorted([*(value.path for value in values), ("global",)])


def test_the_case_everything_sets_every_value(values: list[Value]) -> None:
    case = yaml.safe_load((CHART / "ci" / "everything-values.yaml").read_text(encoding="utf-8"))
    given = set(paths(case))
    left_out = {value.path for value in values} - given
    digests = {(part, "image", "digest") for part in ("api", "operator", "runner")}
    # Data lie in one place only; the case "bucket" has these.
    bucket = {value.path for value in values if value.path[:2] == ("data", "s3")}
    assert left_out == {("data", "existingClaim"), *bucket, *digests}


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("replicas=2", "replicas"),
        ("api.replica=2", "replica"),
        ("api.image.name=x", "name"),
        ("api.replicas=two", "/api/replicas"),
        ("api.logLevel=loud", "/api/logLevel"),
        ("api.publicUrl=climate.example.org", "/api/publicUrl"),
        ("api.trustedProxies={everybody}", "/api/trustedProxies"),
        ("api.limits.maxMemory=lots", "/api/limits/maxMemory"),
        ("api.staleSeconds=0", "/api/staleSeconds"),
        ("api.metrics.podMonitor.interval=often", "/api/metrics/podMonitor/interval"),
        ("auth.mode=basic", "/auth/mode"),
        ("auth.mode=oidc", "/auth/oidc/issuer"),
        ("auth.oidc.issuer=login.example.org", "/auth/oidc/issuer"),
        ("api.extraEnv[0].value=x", "/api/extraEnv/0"),
        ("api.image.digest=latest", "/api/image/digest"),
        ("operator.workers=0", "/operator/workers"),
        ("operator.leader=false", "leader"),
        ("runner.resources.memory=big", "/runner/resources/memory"),
        ("runner.resources.limits.memory=1Gi", "limits"),
        ("data.s3.bucket=s3://climate", "/data/s3/bucket"),
        ("data.s3.endpoint=minio:9000", "/data/s3/endpoint"),
        ("data.accessModes={Sometimes}", "/data/accessModes"),
        ("podSecurity.user=0", "/podSecurity/user"),
        ("imagePullSecrets={registry}", "/imagePullSecrets/0"),
        ("crds.enabled=maybe", "/crds/enabled"),
    ],
)
def test_mistakes_are_refused_with_their_place(helm: Helm, setting: str, named: str) -> None:
    with pytest.raises(HelmFailed) as refused:
        helm.template(setting)
    assert "don't meet the specifications of the schema" in str(refused.value)
    assert named in str(refused.value)


def test_kubernetes_that_is_too_old_is_refused(helm: Helm) -> None:
    with pytest.raises(HelmFailed, match="incompatible with Kubernetes"):
        helm.run("template", "climatejobs", str(CHART), "--kube-version", "1.32.9")
