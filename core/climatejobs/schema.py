"""From pydantic's JSON Schema to the narrower dialects that Kubernetes and OGC accept.

Both refuse references, `null` types, `const` and numeric exclusive bounds, so these are rewritten here, once.
"""

from collections.abc import Mapping
from typing import cast

from pydantic import BaseModel, JsonValue

type Schema = dict[str, JsonValue]

_DROPPED = frozenset({"title", "$defs", "examples", "discriminator"})


def plain_schema(model: type[BaseModel]) -> Schema:
    """JSON Schema of a model (by alias) in the OpenAPI 3.0 dialect, without references or titles."""
    schema = cast(Schema, model.model_json_schema(by_alias=True, mode="validation"))
    definitions = cast(Mapping[str, Schema], schema.get("$defs", {}))
    return _plain(schema, definitions)


def _plain(schema: Mapping[str, JsonValue], definitions: Mapping[str, Schema]) -> Schema:
    if "$ref" in schema:
        target = definitions[str(schema["$ref"]).rsplit("/", 1)[-1]]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    schema = _without_null(schema)
    if "$ref" in schema:
        return _plain(schema, definitions)

    plain: Schema = {}
    for key, value in schema.items():
        if key in _DROPPED or (key == "default" and value is None):
            continue
        if key == "const":
            plain["enum"] = [value]
        elif key in ("exclusiveMinimum", "exclusiveMaximum"):
            plain[key.replace("exclusiveM", "m")] = value
            plain[key] = True
        elif key == "properties":
            properties = cast(Mapping[str, Schema], value)
            plain[key] = {name: _plain(member, definitions) for name, member in properties.items()}
        elif isinstance(value, Mapping):
            plain[key] = _plain(cast(Schema, value), definitions) if key in ("items", "additionalProperties") else value
        elif key in ("anyOf", "oneOf", "allOf"):
            plain[key] = [_plain(cast(Schema, member), definitions) for member in cast(list[JsonValue], value)]
        else:
            plain[key] = value
    return plain


def _without_null(schema: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """Fold ``anyOf: [X, null]`` into X: an optional member is one that may be left out."""
    members = schema.get("anyOf")
    if not isinstance(members, list):
        return schema
    kept = [member for member in members if member != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    if len(kept) == 1 and isinstance(kept[0], dict):
        return {**kept[0], **rest}
    return {"anyOf": kept, **rest}
