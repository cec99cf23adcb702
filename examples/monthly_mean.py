"""Submit a job, wait for it, open its result: monthly means of the demo's data."""

import time

import httpx
import xarray

api = "http://127.0.0.1:8080"
inputs = {"source_dataset_id": "synthetic-hourly", "frequency": "MS", "method": "mean", "start": "2025-01-01"}
answer = httpx.post(f"{api}/processes/resample/execution", json={"inputs": inputs}, headers={"Prefer": "respond-async"})
job = answer.headers["location"]
while httpx.get(job).json()["status"] in ("accepted", "running"):
    time.sleep(1)
result = httpx.get(f"{job}/results").json()
print(xarray.open_zarr(result["href"]))
