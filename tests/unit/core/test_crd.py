"""The generated CustomResourceDefinition. What the API server makes of it is tested in integration."""

from collections.abc import Iterator
from typing import cast

import kubernetes_validate
from pydantic import JsonValue

from climatejobs.crd import MUTABLE_SPEC_FIELDS, custom_resource_definition
from climatejobs.model import ClimateJobSpec

type Schema = dict[str, JsonValue]


def schema_of(part: str) -> Schema:
    versions = cast(list[dict[str, dict[str, Schema]]], cast(Schema, custom_resource_definition()["spec"])["versions"])
    return cast(Schema, cast(Schema, versions[0]["schema"]["openAPIV3Schema"]["properties"])[part])


def properties(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    for name, member in cast(dict[str, Schema], schema.get("properties", {})).items():
        yield f"{path}.{name}", member
        yield from properties(member, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        nested = schema.get(key)
        if isinstance(nested, dict):
            yield from properties(nested, f"{path}[]")


def test_it_is_a_valid_manifest() -> None:
    kubernetes_validate.validate(custom_resource_definition(), "1.35", strict=True)


def test_every_field_is_described() -> None:
    for part in ("spec", "status"):
        for path, member in properties(schema_of(part)):
            assert member.get("description"), f"{part}{path} has no description for kubectl explain"


def test_every_immutable_field_has_its_rule() -> None:
    rules = cast(list[dict[str, str]], schema_of("spec")["x-kubernetes-validations"])
    guarded = {
        rule["message"].split()[0].removeprefix("spec.") for rule in rules if "cannot be changed" in rule["message"]
    }
    fields = {info.alias or name for name, info in ClimateJobSpec.model_fields.items()}
    assert guarded == fields - MUTABLE_SPEC_FIELDS


def test_no_form_is_used_that_structural_schemas_lack() -> None:
    def keys(value: JsonValue) -> Iterator[str]:
        if isinstance(value, dict):
            for key, member in value.items():
                yield key
                yield from keys(member)
        elif isinstance(value, list):
            for item in value:
                yield from keys(item)

    assert not {"$ref", "$defs", "const", "propertyNames", "title"} & set(keys(schema_of("spec")))
