"""What a person reads after `helm install`: the exact next commands, and the warning about trust."""

import shutil
from pathlib import Path

import pytest
import yaml

from tests.chart.conftest import CHART, KUBERNETES, Helm


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart with its notes as an object: helm itself prints notes only where there is a cluster."""
    copy = tmp_path_factory.mktemp("chart") / "climatejobs"
    shutil.copytree(CHART, copy)
    templates = copy / "templates"
    text = (templates / "NOTES.txt").read_text(encoding="utf-8")
    (templates / "_notes.tpl").write_text('{{ define "notes" }}' + text + "{{ end }}", encoding="utf-8")
    (templates / "notes.yaml").write_text('notes: {{ include "notes" . | quote }}\n', encoding="utf-8")
    return copy


def notes(helm: Helm, chart: Path, *settings: str) -> str:
    arguments = [word for setting in settings for word in ("--set", setting)]
    place = ("--namespace", "science", "--kube-version", KUBERNETES, "--show-only", "templates/notes.yaml")
    return str(yaml.safe_load(helm.run("template", "demo", str(chart), *place, *arguments))["notes"])


def test_the_commands_fit_the_release(helm: Helm, chart: Path) -> None:
    text = notes(helm, chart, "api.service.port=8081")
    assert "kubectl --namespace science port-forward service/demo-climatejobs-api 8080:8081" in text
    assert "curl -i http://127.0.0.1:8080/processes/echo/execution" in text
    assert "kubectl --namespace science get climatejobs --watch" in text
    assert "helm --namespace science test demo" in text


def test_it_warns_that_an_installation_is_one_domain_of_trust(helm: Helm, chart: Path) -> None:
    text = notes(helm, chart)
    assert "Who may create a ClimateJob" in text
    assert "replace any data set" in text


def test_it_warns_where_data_go_with_the_release(helm: Helm, chart: Path) -> None:
    assert "IS DELETED WITH ALL DATA" in notes(helm, chart, "data.keep=false")
    assert "IS DELETED" not in notes(helm, chart)
    assert "(yours)" in notes(helm, chart, "data.existingClaim=archive")


def test_it_says_where_one_node_has_to_do(helm: Helm, chart: Path) -> None:
    assert "mounted on one node only" in notes(helm, chart, "data.accessModes={ReadWriteOnce}")
    assert "mounted on one node only" not in notes(helm, chart)


def test_it_warns_loudly_where_nobody_is_asked_who_they_are(helm: Helm, chart: Path) -> None:
    assert "AUTHENTICATION IS OFF" in notes(helm, chart)
    text = notes(helm, chart, "auth.mode=kubernetes", "auth.audiences={climatejobs}")
    assert "AUTHENTICATION IS OFF" not in text
    assert "TOKEN=$(kubectl --namespace science create token scientist --audience=climatejobs)" in text
    assert '-H "Authorization: Bearer $TOKEN" \\\n' in text
    issuer = "https://login.example.org"
    text = notes(helm, chart, "auth.mode=oidc", f"auth.oidc.issuer={issuer}", "auth.oidc.audience=climatejobs")
    assert f"with a token of {issuer} in TOKEN" in text
