"""Writes the chart's CustomResourceDefinition and admission policy from the model (`make crd`)."""

from pathlib import Path

import yaml
from pydantic import JsonValue

from climatejobs.crd import custom_resource_definition, validating_admission_policy

TEMPLATES = Path(__file__).parents[1] / "charts" / "climatejobs" / "templates"
NOTE = "{{- /* Generated from core/climatejobs by `make crd`; do not edit. */}}\n"


def render_crd() -> str:
    """The template that installs the CustomResourceDefinition."""
    manifest = _yaml(custom_resource_definition())
    head, name = manifest.split("metadata:\n", 1)
    name, spec = name.split("spec:\n", 1)
    metadata = (
        "metadata:\n"
        + name
        + '  labels:\n    {{- include "climatejobs.labels" . | nindent 4 }}\n'
        + "  {{- if .Values.crds.keep }}\n  annotations:\n    helm.sh/resource-policy: keep\n  {{- end }}\n"
    )
    return NOTE + "{{- if .Values.crds.enabled }}\n" + head + metadata + "spec:\n" + spec + "{{- end }}\n"


def render_admission_policy() -> str:
    """The template that installs the ValidatingAdmissionPolicy and binds it to the release's namespace."""
    user = 'system:serviceaccount:{{ .Release.Namespace }}:{{ include "climatejobs.api.serviceAccountName" . }}'
    spec = _yaml({"spec": validating_admission_policy(api_user=user)})
    name = '{{ include "climatejobs.fullname" . }}-{{ .Release.Namespace }}'
    labels = '  labels:\n    {{- include "climatejobs.labels" . | nindent 4 }}\n'
    kind = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy"
    metadata = f"metadata:\n  name: {name}\n{labels}"
    binding = (
        f"spec:\n  policyName: {name}\n  validationActions: [Deny]\n  matchResources:\n    namespaceSelector:\n"
        "      matchLabels:\n        kubernetes.io/metadata.name: {{ .Release.Namespace }}\n"
    )
    return (
        f"{NOTE}{{{{- if .Values.admissionPolicy.enabled }}}}\n{kind}\n{metadata}{spec}---\n"
        f"{kind}Binding\n{metadata}{binding}{{{{- end }}}}\n"
    )


TEMPLATE_FILES = {"crd.yaml": render_crd, "admission-policy.yaml": render_admission_policy}


def _yaml(manifest: JsonValue) -> str:
    return yaml.safe_dump(manifest, sort_keys=False, width=1000, allow_unicode=True)


if __name__ == "__main__":
    TEMPLATES.mkdir(parents=True, exist_ok=True)
    for name, render in TEMPLATE_FILES.items():
        (TEMPLATES / name).write_text(render(), encoding="utf-8")
        print(f"Wrote charts/climatejobs/templates/{name}")
