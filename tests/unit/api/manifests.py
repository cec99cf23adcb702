"""ClimateJobs and data sets as they are stored, for tests."""

import json
from pathlib import Path
from typing import Any

from climatejobs.model import ClimateJob
from climatejobs_api.cluster.records import Record, decode_record

type Manifest = dict[str, Any]

DATASET: Manifest = {
    "id": "era5_1d_mean",
    "title": "Daily means",
    "variables": [{"name": "t2m", "units": "K", "dtype": "float32", "accumulated": False}],
    "frequency": "1D",
    "period_type": "daily",
    "shape": {"time": 2, "lat": 2, "lon": 2},
    "chunks": {"time": 1, "lat": 2, "lon": 2},
    "coverage": {"start": "2025-02-01T00:00:00Z", "end": "2025-02-02T00:00:00Z"},
    "bbox": [0, 0, 1, 1],
    "version": "0123456789abcdef",
}
OUTPUT: Manifest = {
    "id": DATASET["id"],
    "version": DATASET["version"],
    "store": "datasets/era5_1d_mean/versions/0123456789abcdef.zarr",
    "variables": ["t2m"],
    "coverage": DATASET["coverage"],
    "reused": False,
}


def manifest(
    name: str = "echo-1",
    *,
    uid: str | None = None,
    version: int = 1,
    submitted: str | None = None,
    created: str = "2025-01-01T00:00:00Z",
    spec: Manifest | None = None,
    **status: object,
) -> Manifest:
    annotations = {"climatejobs.io/submitted-at": submitted} if submitted else {}
    return {
        "apiVersion": "climatejobs.io/v1alpha1",
        "kind": "ClimateJob",
        "metadata": {
            "name": name,
            "namespace": "test",
            "uid": uid or f"uid-{name}",
            "resourceVersion": str(version),
            "creationTimestamp": created,
            "annotations": annotations,
            "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
        },
        "spec": {"process": "echo", "inputs": {"message": "hello"}, **(spec or {})},
        "status": status,
    }


def record(name: str = "echo-1", **members: Any) -> Record:
    return decode_record(json.dumps(manifest(name, **members)).encode())


def job(name: str = "echo-1", **members: Any) -> ClimateJob:
    return record(name, **members).read()


def write_dataset(data: Path, *, version: str = DATASET["version"], dataset_id: str = DATASET["id"]) -> Path:
    """Write a data set's pointer and an empty version; gives the folder of the version."""
    folder = data / "datasets" / dataset_id
    store = folder / "versions" / f"{version}.zarr"
    store.mkdir(parents=True)
    (folder / "dataset.json").write_text(json.dumps({**DATASET, "id": dataset_id, "version": version}))
    return store
