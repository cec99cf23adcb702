"""The metadata of a Zarr store that cannot be listed: found from the wanted variables on, by what they refer to.

Works alike where metadata are consolidated and where they are not, and reads no more of them than is needed. What is
consolidated may be stale, and is used for the names in a refusal alone.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import obstore
from obstore.store import S3Store
from pydantic import JsonValue

from climatejobs.errors import DataError, InvalidInput
from climatejobs.footprints import MIB
from climatejobs_runner.sources.addresses import Address

type Documents = dict[str, bytes]
"""Content by key."""

NAMES = frozenset({"zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata"})
"""What the documents of a store are called."""
_MAX_BYTES = 64 * MIB
_REFERENCES = ("coordinates", "grid_mapping")
"""Attributes that name other arrays."""


def read_root(address: Address) -> Documents | None:
    """The documents that say that a Zarr group is at an address; None where there are none."""
    found = _read(address, "zarr.json")
    if found is not None:
        if _parse(found).get("node_type") == "array":
            raise InvalidInput(
                f"{address.text} is a single array of a Zarr store", hint="Name the group that it is in."
            )
        return {"zarr.json": found}
    found = _read(address, ".zgroup")
    if found is None:
        return None
    return {".zgroup": found, **_optional(address, ".zattrs")}


def read_arrays(address: Address, root: Documents, variables: Sequence[str]) -> Documents:
    """The documents of some variables, and of the arrays that they refer to."""
    documents: Documents = {}
    wanted = [*variables, *_references(_attributes(root, ""))]
    while wanted:
        name = wanted.pop(0)
        found = _read_array(address, root, name)
        if found is None and name in variables:
            known = ", ".join(_known(address, root)) or "not told by the store"
            raise InvalidInput(
                f"the Zarr source has no variable {name!r} that could be imported", hint=f"Its variables are: {known}."
            )
        if found is None or documents.keys() >= found.keys():
            continue
        documents |= found
        wanted += [*dimensions({**root, **found}, name), *_references(_attributes(found, name))]
    return documents


def dimensions(documents: Mapping[str, bytes], name: str) -> list[str]:
    """The names of an array's dimensions, as far as they have any."""
    if "zarr.json" in documents:
        names = _parse(documents[f"{name}/zarr.json"]).get("dimension_names")
    else:
        names = _attributes(documents, name).get("_ARRAY_DIMENSIONS")
    return [each for each in names if isinstance(each, str)] if isinstance(names, list) else []


def list_names(documents: Mapping[str, bytes], prefix: str) -> list[str]:
    """Names directly below a prefix, of the documents that are known."""
    below = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    return sorted({key.removeprefix(below).partition("/")[0] for key in documents if key.startswith(below)})


def _read_array(address: Address, root: Documents, name: str) -> Documents | None:
    if "zarr.json" in root:
        return _optional(address, f"{name}/zarr.json") or None
    found = _optional(address, f"{name}/.zarray")
    return {**found, **_optional(address, f"{name}/.zattrs")} if found else None


def _attributes(documents: Mapping[str, bytes], name: str) -> Mapping[str, JsonValue]:
    below = f"{name}/" if name else ""
    if f"{below}zarr.json" in documents:
        found = _parse(documents[f"{below}zarr.json"]).get("attributes")
        return found if isinstance(found, dict) else {}
    return _parse(documents[f"{below}.zattrs"]) if f"{below}.zattrs" in documents else {}


def _references(attributes: Mapping[str, JsonValue]) -> Iterator[str]:
    """Names of the arrays that attributes refer to."""
    for each in _REFERENCES:
        value = attributes.get(each)
        if isinstance(value, str):
            yield from value.replace(":", " ").split()


def _known(address: Address, root: Documents) -> list[str]:
    """Names of the arrays in a store, where it tells them."""
    if isinstance(address.objects, S3Store):
        with address.explaining():
            listed = obstore.list_with_delimiter(  # pyright: ignore[reportUnknownMemberType] - names optional arro3
                address.objects
            )
        return sorted(listed["common_prefixes"])
    consolidated = _parse(root["zarr.json"]).get("consolidated_metadata") if "zarr.json" in root else None
    if consolidated is None:
        consolidated = _parse(_optional(address, ".zmetadata").get(".zmetadata", b"{}"))
    entries = consolidated.get("metadata") if isinstance(consolidated, dict) else None
    names = {key.partition("/")[0] for key in entries} if isinstance(entries, dict) else set[str]()
    return sorted(name for name in names if not name.startswith("."))


def _optional(address: Address, key: str) -> Documents:
    found = _read(address, key)
    return {} if found is None else {key: found}


def _read(address: Address, key: str) -> bytes | None:
    """A document, if there is one: some servers have an answer for every address, but not a document."""
    try:
        with address.explaining():
            answer = obstore.get(address.objects, key)
            content = bytes(answer.bytes()) if answer.meta["size"] <= _MAX_BYTES else b""
    except InvalidInput:
        # Not there; or forbidden, which is the answer for what is not there where nobody may list a bucket.
        return None
    try:
        _parse(content)
    except DataError:
        return None
    return content


def _parse(content: bytes) -> Mapping[str, JsonValue]:
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise DataError("a document of the Zarr store is no JSON object")
    return cast(Mapping[str, JsonValue], document)
