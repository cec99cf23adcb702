"""The generated CustomResourceDefinition. What the API server makes of it is tested in integration."""

from collections.abc import Iterator
from typing import cast

import kubernetes_validate
from pydantic import JsonValue

from climatejobs.crd import MUTABLE_SPEC_FIELDS, custom_resource_definition

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


def test_every_immutable_field_has_its_rules() -> None:
    spec = schema_of("spec")
    of_spec = {rule["rule"]: rule["message"] for rule in cast(list[dict[str, str]], spec["x-kubernetes-validations"])}
    for name, member in cast(dict[str, Schema], spec["properties"]).items():
        own = cast(list[dict[str, str]], member.get("x-kubernetes-validations", []))
        presence = of_spec.get(f"has(self.{name}) == has(oldSelf.{name})")
        if name in MUTABLE_SPEC_FIELDS:
            assert (own, presence) == ([], None)
            continue
        message = f"spec.{name} cannot be changed; create a new ClimateJob instead"
        assert own == [{"rule": "self == oldSelf", "message": message}]
        always_there = "default" in member or name in cast(list[str], spec["required"])
        assert presence == (None if always_there else message)


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
