"""Writes docs/reference from the code (`make reference`): the ClimateJob's fields and the processes."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import cast

from pydantic import BaseModel

from climatejobs.crd import MUTABLE_SPEC_FIELDS
from climatejobs.model import TERMINAL_PHASES, ClimateJobSpec, ClimateJobStatus, Phase
from climatejobs.processes import PROCESSES, Process
from climatejobs.schema import Schema, plain_schema

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
NOTE = "<!-- Generated from core/climatejobs by `make reference`; do not edit. -->\n\n"


def render_climatejob() -> str:
    """The page on the custom resource."""
    phases = ", ".join(f"`{phase}`" for phase in Phase)
    ends = ", ".join(f"`{phase}`" for phase in Phase if phase in TERMINAL_PHASES)
    mutable = ", ".join(f"`{field}`" for field in sorted(MUTABLE_SPEC_FIELDS))
    return (
        f"{NOTE}# ClimateJob\n\n`climatejobs.io/v1alpha1`, short name `cjob`. "
        "`kubectl explain climatejob.spec` says the same.\n\n"
        f"## spec\n\nOnly {mutable} can be changed after creation; `cancel` cannot be taken back.\n\n"
        f"{_table(ClimateJobSpec)}\n"
        f"## status\n\nPhases are {phases}; the ends are {ends}.\n\n{_table(ClimateJobStatus)}"
    )


def render_processes() -> str:
    """The page on the processes."""
    return NOTE + "# Processes\n\n" + "\n".join(_process(process) for process in PROCESSES.values())


def _process(process: Process) -> str:
    description = process.describe()
    example = json.dumps({"inputs": process.examples[0]}, indent=2)
    return (
        f"## {process.id}: {process.title}\n\n{process.description}\n\n"
        f"### Inputs\n\n{_entries(cast(Mapping[str, Schema], description['inputs']))}\n"
        f"### Outputs\n\n{_entries(cast(Mapping[str, Schema], description['outputs']))}\n"
        f"### Example\n\n```json\n{example}\n```\n"
    )


def _entries(entries: Mapping[str, Schema]) -> str:
    rows = ["| name | required | type | meaning |", "|---|---|---|---|"]
    for name, entry in entries.items():
        required = "yes" if entry["minOccurs"] else "no"
        kind = _kind(cast(Schema, entry["schema"]))
        meaning = str(entry.get("description", entry["title"]))
        rows.append(f"| `{name}` | {required} | {kind} | {_cell(meaning)} |")
    return "\n".join(rows) + "\n"


def _table(model: type[BaseModel]) -> str:
    rows = ["| field | type | default | meaning |", "|---|---|---|---|"]
    for path, member in _members(plain_schema(model)):
        default = f"`{json.dumps(member['default'])}`" if "default" in member else ""
        rows.append(f"| `{path}` | {_kind(member)} | {default} | {_cell(str(member.get('description', '')))} |")
    return "\n".join(rows) + "\n"


def _members(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    for name, member in cast(Mapping[str, Schema], schema.get("properties", {})).items():
        yield f"{path}{name}", member
        yield from _members(member, f"{path}{name}.")
        items = member.get("items")
        if isinstance(items, dict):
            yield from _members(items, f"{path}{name}[].")


def _kind(schema: Schema) -> str:
    choices = schema.get("enum")
    if isinstance(choices, list):
        return " or ".join(f"`{choice}`" for choice in choices)
    if "type" in schema:
        return str(schema["type"])
    members = schema.get("oneOf") or schema.get("anyOf")
    if isinstance(members, list):
        kinds = [_kind(cast(Schema, member)) for member in members]
        return " or ".join(dict.fromkeys(kinds))
    return "object" if "allOf" in schema else "any"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


PAGES: Mapping[str, Callable[[], str]] = {"climatejob.md": render_climatejob, "processes.md": render_processes}


def main() -> None:
    """Write every page."""
    for name, render in PAGES.items():
        (FOLDER / name).write_text(render(), encoding="utf-8")
        print(f"Wrote docs/reference/{name}")


if __name__ == "__main__":
    main()
