"""The CustomResourceDefinition and admission policy, generated from the model.

What can be refused on writing is refused there, by CEL, for everyone who writes: REST, kubectl, GitOps.
"""

from collections.abc import Mapping
from typing import cast

from pydantic import JsonValue

from climatejobs import names
from climatejobs.model import TERMINAL_PHASES, ClimateJobSpec, ClimateJobStatus
from climatejobs.schema import Schema, plain_schema

MUTABLE_SPEC_FIELDS = frozenset({"suspend", "cancel", "priority", "ttlSecondsAfterFinished"})

_COLUMNS = (
    ("Process", "string", ".spec.process", "The process that is run.", 0),
    ("Phase", "string", ".status.phase", "Where the job stands.", 0),
    ("Progress", "integer", ".status.progress.percent", "Percent of the work that is done.", 0),
    ("Attempts", "integer", ".status.attempts", "Attempts begun.", 0),
    ("Age", "date", ".metadata.creationTimestamp", "Time since the job was created.", 0),
    ("Message", "string", ".status.message", "The state in one sentence.", 1),
    ("Started", "date", ".status.startedAt", "Time since the first attempt began.", 1),
    ("Finished", "date", ".status.finishedAt", "Time since the job ended.", 1),
    ("Job", "string", ".status.jobName", "The batch/v1 Job that runs this.", 1),
)


def custom_resource_definition() -> Schema:
    """The CustomResourceDefinition of ClimateJob, as a manifest."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names.PLURAL}.{names.GROUP}"},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": names.KIND,
                "listKind": f"{names.KIND}List",
                "plural": names.PLURAL,
                "singular": names.SINGULAR,
                "shortNames": list(names.SHORT_NAMES),
                "categories": list(names.CATEGORIES),
            },
            "versions": [
                {
                    "name": names.VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "selectableFields": [
                        {"jsonPath": ".status.phase"},
                        {"jsonPath": ".spec.process"},
                        # By which the callbacks of jobs that have ended are found: those jobs are not watched.
                        {"jsonPath": ".status.callbacksDue"},
                    ],
                    "additionalPrinterColumns": [
                        {
                            "name": name,
                            "type": kind,
                            "jsonPath": path,
                            "description": text,
                            "priority": priority,
                        }
                        for name, kind, path, text, priority in _COLUMNS
                    ],
                    "schema": {"openAPIV3Schema": _object_schema()},
                }
            ],
        },
    }


def validating_admission_policy(*, api_user: str) -> Schema:
    """The spec of the ValidatingAdmissionPolicy that closes what CEL in a CRD cannot see.

    Equality of an object without a schema misses renamed keys there; an admission policy compares the whole.
    `api_user` is the user name of the API's service account, which alone may submit for somebody else.
    """
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": [names.GROUP],
                    "apiVersions": [names.VERSION],
                    "operations": ["CREATE", "UPDATE"],
                    "resources": [names.PLURAL],
                }
            ]
        },
        "validations": [
            *(
                {
                    "expression": f"oldObject == null || object.spec.?{field} == oldObject.spec.?{field}",
                    "message": _unchangeable(field),
                }
                for field in ("inputs", "outputs")
            ),
            {
                "expression": "oldObject != null || !has(object.spec.submittedBy) "
                "|| object.spec.submittedBy == request.userInfo.username "
                f"|| request.userInfo.username == '{api_user}'",
                "message": "spec.submittedBy must be your own user name; leave it out or correct it",
            },
        ],
    }


def _object_schema() -> Schema:
    return {
        "type": "object",
        "description": "A request for a climate computation, and what has become of it.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "Version of this object's schema."},
            "kind": {"type": "string", "description": "ClimateJob."},
            "metadata": {"type": "object"},
            "spec": _spec_schema(),
            "status": _structural(plain_schema(ClimateJobStatus)),
        },
        "x-kubernetes-validations": [
            {
                "rule": f"self.metadata.name.size() <= {names.MAX_NAME_LENGTH}",
                "message": f"metadata.name must have at most {names.MAX_NAME_LENGTH} characters",
            },
            {
                "rule": "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
                "message": "metadata.name must be a DNS label: lower-case letters, digits and '-'",
            },
            {
                "rule": _terminal_rule(),
                "message": "status.phase cannot leave Succeeded, Failed or Cancelled",
            },
        ],
    }


def _terminal_rule() -> str:
    ends = ", ".join(f"'{phase}'" for phase in sorted(TERMINAL_PHASES))
    was_live = f"!has(oldSelf.status) || !has(oldSelf.status.phase) || !(oldSelf.status.phase in [{ends}])"
    same = "has(self.status) && has(self.status.phase) && self.status.phase == oldSelf.status.phase"
    return f"{was_live} || ({same})"


def _spec_schema() -> Schema:
    schema = _structural(plain_schema(ClimateJobSpec))
    properties = cast(Mapping[str, Schema], schema["properties"])
    required = cast(list[str], schema["required"])
    rules: list[JsonValue] = [
        # Whether it is there: where it is before and after, its own rule compares it.
        {"rule": f"has(self.{field}) == has(oldSelf.{field})", "message": _unchangeable(field)}
        for field, member in properties.items()
        if field not in MUTABLE_SPEC_FIELDS | set(required) and "default" not in member
    ]
    rules.append(
        {
            "rule": "!(has(oldSelf.cancel) && oldSelf.cancel) || (has(self.cancel) && self.cancel)",
            "message": "spec.cancel cannot be taken back; create a new ClimateJob instead",
        }
    )
    members: Schema = {
        field: member if field in MUTABLE_SPEC_FIELDS else {**member, "x-kubernetes-validations": [_constancy(field)]}
        for field, member in properties.items()
    }
    return {**schema, "properties": members, "x-kubernetes-validations": rules}


def _constancy(field: str) -> Schema:
    # A rule of the field itself, as each look from the spec at one of its fields costs an API server a map of all.
    return {"rule": "self == oldSelf", "message": _unchangeable(field)}


def _unchangeable(field: str) -> str:
    return f"spec.{field} cannot be changed; create a new ClimateJob instead"


def _structural(schema: Mapping[str, JsonValue]) -> Schema:
    """Make a plain schema structural: objects of any content keep what they hold, and are bounded in size."""
    structural: Schema = {}
    for key, value in schema.items():
        if key == "properties":
            members = cast(Mapping[str, Schema], value)
            structural[key] = {name: _structural(member) for name, member in members.items()}
        elif key == "additionalProperties":
            if value is True or value == {}:
                structural["x-kubernetes-preserve-unknown-fields"] = True
            elif isinstance(value, dict):
                structural[key] = _structural(value)
                structural.setdefault("maxProperties", 64)
        elif key == "items":
            structural[key] = _structural(cast(Schema, value))
        elif key == "propertyNames":
            continue
        else:
            structural[key] = value
    if structural.get("x-kubernetes-int-or-string"):
        structural.pop("maxLength", None)
    return structural
