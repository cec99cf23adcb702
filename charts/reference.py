"""The reference of the chart's values, from the comments in values.yaml (`python charts/reference.py`).

The comment above a key is written once, there. It becomes the key's description in values.schema.json, which helm and
editors show, and its row in README.md.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml
from pydantic import JsonValue

CHART = Path(__file__).parent / "climatejobs"
MARK = "<!-- What follows is written by charts/reference.py from values.yaml. -->\n"
KEY = re.compile(r"^( *)([A-Za-z][A-Za-z0-9]*):")

type Schema = dict[str, JsonValue]


@dataclass(frozen=True)
class Value:
    """A key of values.yaml: its path, what the comment above it says, and its default."""

    path: tuple[str, ...]
    comment: str
    default: JsonValue


def read_values(text: str) -> Iterator[Value]:
    """The keys that have a comment, in their order; a key without one belongs to the default of the key above it."""
    data = cast(JsonValue, yaml.safe_load(text))
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            comment.append(line.lstrip("# ").rstrip())
            continue
        if found := KEY.match(line):
            path[len(found[1]) // 2 :] = [found[2]]
            if comment:
                yield Value(tuple(path), " ".join(comment), _member(data, path))
        comment = []


def render_table(values: Iterable[Value]) -> str:
    """The keys as a table in Markdown."""
    rows = list(values)
    groups = {value.path[:length] for value in rows for length in range(1, len(value.path))}
    lines = ["| Value | Meaning | Default |", "|---|---|---|"]
    for value in rows:
        default = "" if value.path in groups else f"`{json.dumps(value.default)}`"
        lines.append(f"| `{'.'.join(value.path)}` | {value.comment.replace('|', '\\|')} | {default} |")
    return "\n".join([*lines, ""])


def describe_schema(schema: Schema, values: Iterable[Value]) -> Schema:
    """The schema with the comments as descriptions."""
    described = cast(Schema, json.loads(json.dumps(schema)))
    for value in values:
        node = described
        for name in value.path:
            node = cast(Schema, cast(Schema, _resolve(described, node)["properties"])[name])
        node["description"] = value.comment
    return described


def render_schema(schema_text: str, values: Iterable[Value]) -> str:
    """The text of values.schema.json."""
    return json.dumps(describe_schema(cast(Schema, json.loads(schema_text)), values), indent=2) + "\n"


def render_readme(readme: str, values: Iterable[Value]) -> str:
    """The text of README.md: what was written by hand, then the table."""
    return readme.partition(MARK)[0] + MARK + "\n" + render_table(values)


def _resolve(schema: Schema, node: Schema) -> Schema:
    reference = node.get("$ref")
    if not isinstance(reference, str):
        return node
    return cast(Schema, cast(Schema, schema["definitions"])[reference.rpartition("/")[2]])


def _member(data: JsonValue, path: Iterable[str]) -> JsonValue:
    for name in path:
        data = cast(dict[str, JsonValue], data)[name]
    return data


if __name__ == "__main__":
    found = list(read_values((CHART / "values.yaml").read_text(encoding="utf-8")))
    for file, render in (("values.schema.json", render_schema), ("README.md", render_readme)):
        target = CHART / file
        target.write_text(render(target.read_text(encoding="utf-8"), found), encoding="utf-8")
        print(f"Wrote charts/climatejobs/{file}")
