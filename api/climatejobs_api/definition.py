"""The definition of the API in the forms that clients understand: OpenAPI 3.1 as made, a true 3.0, and a page.

OpenAPI 3.0 has a dialect of JSON Schema of its own, so calling a 3.1 document 3.0 is not enough. Pure.
"""

from collections.abc import Mapping
from html import escape
from typing import cast

from pydantic import JsonValue

type Schema = Mapping[str, JsonValue]

OPENAPI_31 = "application/vnd.oai.openapi+json;version=3.1"
OPENAPI_30 = "application/vnd.oai.openapi+json;version=3.0"
HTML = "text/html"
_ABSENT = frozenset({"$schema", "$defs", "contentMediaType", "contentEncoding", "propertyNames", "patternProperties"})
"""Keywords that 3.0 does not know."""


def downgrade(definition: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The same definition in OpenAPI 3.0."""
    paths = _walk(definition["paths"], in_schema=False)
    components = cast(Mapping[str, JsonValue], definition.get("components", {}))
    return {
        **definition,
        "openapi": "3.0.3",
        "paths": paths,
        "components": {
            name: {key: _schema(cast(Schema, member)) for key, member in cast(Mapping[str, JsonValue], members).items()}
            if name == "schemas"
            else members
            for name, members in components.items()
        },
    }


def name_created(definition: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The same definition where a job that was made is answered with 201, as strict mode does."""
    paths = cast(Mapping[str, Mapping[str, Mapping[str, JsonValue]]], definition["paths"])
    return {
        **definition,
        "paths": {
            path: {method: {**operation, "responses": _created(operation)} for method, operation in item.items()}
            for path, item in paths.items()
        },
    }


def render(definition: Mapping[str, JsonValue]) -> str:
    """A page for people that names every operation, what it takes and what it answers."""
    info = cast(Mapping[str, str], definition["info"])
    sections: list[str] = []
    for path, item in cast(Mapping[str, Mapping[str, Mapping[str, JsonValue]]], definition["paths"]).items():
        for method, operation in item.items():
            sections.append(_operation(path, method, operation))
    title = escape(info["title"])
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<h1>{title} {escape(info['version'])}</h1>\n<p>{escape(info['description'])}</p>\n" + "\n".join(sections)
    )


def _created(operation: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    responses = cast(Mapping[str, JsonValue], operation["responses"])
    return {"201" if code == "202" else code: answer for code, answer in responses.items()}


def _operation(path: str, method: str, operation: Mapping[str, JsonValue]) -> str:
    parameters = cast(list[Mapping[str, str]], operation.get("parameters", []))
    responses = cast(Mapping[str, Mapping[str, str]], operation["responses"])
    rows = "".join(
        f"<tr><td><code>{escape(each['name'])}</code><td>{escape(each['in'])}<td>{escape(each.get('description', ''))}"
        for each in parameters
    )
    answers = "".join(f"<dt>{code}<dd>{escape(each['description'])}" for code, each in responses.items())
    return (
        f'<h2 id="{escape(str(operation["operationId"]))}">{method.upper()} <code>{escape(path)}</code></h2>\n'
        f"<p>{escape(str(operation.get('summary', '')))}. {escape(str(operation.get('description', '')))}</p>\n"
        + (f"<table><tr><th>parameter<th>in<th>meaning{rows}</table>\n" if rows else "")
        + f"<dl>{answers}</dl>"
    )


def _walk(value: JsonValue, *, in_schema: bool) -> JsonValue:
    """Down to the schemas of a path item."""
    if isinstance(value, list):
        return [_walk(each, in_schema=in_schema) for each in value]
    if not isinstance(value, dict):
        return value
    if in_schema:
        return _schema(value)
    return {
        key: member if key in ("example", "examples") else _walk(member, in_schema=key == "schema")
        for key, member in value.items()
    }


def _schema(schema: Schema) -> dict[str, JsonValue]:
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    plain: dict[str, JsonValue] = {}
    for key, value in schema.items():
        if key not in _ABSENT:
            plain |= _keyword(key, value)
    return plain


def _keyword(key: str, value: JsonValue) -> dict[str, JsonValue]:
    """What one keyword of a schema becomes."""
    found: dict[str, JsonValue] = {key: value}
    match key:
        case "properties":
            members = cast(Mapping[str, Schema], value)
            found = {key: {name: _schema(member) for name, member in members.items()}}
        case "const":
            found = {"enum": [value]}
        case "examples":
            found = {"example": cast(list[JsonValue], value)[0]}
        case "exclusiveMinimum" | "exclusiveMaximum":
            found = {key.replace("exclusiveM", "m"): value, key: True}
        case "anyOf" | "oneOf":
            found = _alternatives(key, cast(list[Schema], value))
        case "prefixItems":
            found = {"items": {}}
        case "items" | "additionalProperties" | "not" | "allOf":
            found = {key: _walk(value, in_schema=True)}
        case _:
            pass
    return found


def _alternatives(key: str, members: list[Schema]) -> dict[str, JsonValue]:
    """3.0 has no type null: a member may be `nullable` instead."""
    kept: list[JsonValue] = [_schema(member) for member in members if member.get("type") != "null"]
    if len(kept) == len(members):
        return {key: kept}
    only = kept[0]
    if len(kept) == 1 and isinstance(only, dict) and "$ref" not in only:
        return {**only, "nullable": True}
    return {"allOf" if len(kept) == 1 else key: kept, "nullable": True}
