"""Zones that are stored below the data root, because they are too large to travel with a request."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from climatejobs import datasets
from climatejobs.errors import DataError, InvalidInput
from climatejobs.processes.geojson import Zone, read_zones
from climatejobs.processes.zonal_stats import ZonalStatsInputs
from climatejobs_runner.attempts import Attempt


@dataclass(frozen=True)
class ZoneSet:
    """The zones of a request."""

    zones: tuple[Zone, ...]
    provenance: dict[str, JsonValue]
    """Where they are from, and a checksum of what they are."""


def import_zones(path: Path, zones_id: str, attempt: Attempt) -> dict[str, JsonValue]:
    """Store a GeoJSON file of polygons, replacing in one step what was there; says how many there are."""
    relative = datasets.zones_path(zones_id)
    try:
        document = cast(JsonValue, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path.name} cannot be read as GeoJSON: {error}") from None
    zones = read_zones(document)
    content = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    attempt.data.storage.replace(relative, content, attempt.pod_uid)
    return {"id": zones_id, "zones": len(zones), "file": str(relative), "names": [zone.name for zone in zones[:10]]}


def find_zones(inputs: ZonalStatsInputs, attempt: Attempt) -> ZoneSet:
    """The zones that a request gives or names; raises `InvalidInput` naming those there are."""
    document: JsonValue = inputs.zones
    provenance: dict[str, JsonValue] = {}
    if inputs.zones_id is not None:
        provenance["id"] = inputs.zones_id
        try:
            text = attempt.data.storage.read(datasets.zones_path(inputs.zones_id))
        except FileNotFoundError:
            raise InvalidInput(
                f"there are no zones {inputs.zones_id!r}",
                hint="climatejobs-runner import-zones FILE.geojson --id ID stores them.",
            ) from None
        try:
            document = cast(JsonValue, json.loads(text))
        except ValueError as error:
            raise DataError(f"the zones {inputs.zones_id} cannot be read: {error}", hint="Import them again.") from None
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    provenance["sha256"] = hashlib.sha256(canonical.encode()).hexdigest()
    return ZoneSet(read_zones(document, inputs.name_property), provenance)
