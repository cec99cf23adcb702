"""`subset` and `zonal_stats` over REST, in real pods, held against the source they were cut and summed up from."""

import csv
from typing import Any

import httpx
import numpy as np
import pytest
import xarray as xr

from tests.e2e.test_resample import submit

pytestmark = pytest.mark.e2e

type Json = dict[str, Any]


def execute(api: httpx.Client, process: str, **inputs: object) -> Json:
    """Run a process to its end; its outputs by name."""
    location = submit(api, {"inputs": inputs, "response": "document"}, process=process)
    return api.get(f"{location}/results").raise_for_status().json()


def open_zarr(address: str) -> xr.Dataset:
    return xr.open_zarr(address).load()  # pyright: ignore[reportUnknownMemberType] - partly untyped in xarray


@pytest.fixture
def source(api: httpx.Client, synthetic_dataset: str) -> xr.Dataset:
    return open_zarr(str(api.base_url.join(f"/datasets/{synthetic_dataset}/zarr")))


def middle_of(source: xr.Dataset, name: str) -> tuple[float, float]:
    """Edges, half a cell outward, of the middle third of a coordinate."""
    values = np.sort(source[name].to_numpy())
    third, half = len(values) // 3, (values[1] - values[0]) / 2
    return float(values[third] - half), float(values[2 * third] + half)


def test_a_subset_has_the_values_of_its_source(api: httpx.Client, source: xr.Dataset, synthetic_dataset: str) -> None:
    (variable,) = source.data_vars
    time, lat, lon = (str(name) for name in source[variable].dims)
    (south, north), (west, east) = middle_of(source, lat), middle_of(source, lon)
    day = str(source[time].to_numpy()[24])[:10]
    outputs = execute(
        api, "subset", source_dataset_id=synthetic_dataset, bbox=[west, south, east, north], start=day, end=day
    )
    part = open_zarr(outputs["dataset"]["href"])[variable]
    assert (part.sizes[time], part.sizes[lat] > 0, part.sizes[lon] > 0) == (24, True, True)
    expected = source[variable].sel({name: part[name] for name in (time, lat, lon)})  # pyright: ignore[reportUnknownMemberType] - partly untyped in xarray
    np.testing.assert_array_equal(part.to_numpy(), expected.to_numpy())


def test_statistics_of_a_box_of_whole_cells_are_those_of_its_cells(
    api: httpx.Client, source: xr.Dataset, synthetic_dataset: str
) -> None:
    (variable,) = source.data_vars
    lat, lon = (str(name) for name in source[variable].dims[1:])
    (south, north), (west, east) = middle_of(source, lat), middle_of(source, lon)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    box = {"type": "Feature", "id": "box", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    zones = {"type": "FeatureCollection", "features": [box]}
    outputs = execute(
        api,
        "zonal_stats",
        source_dataset_id=synthetic_dataset,
        zones={"value": zones},
        statistics=["min", "max", "count"],
    )
    inside = source[variable].where(
        (source[lat] > south) & (source[lat] < north) & (source[lon] > west) & (source[lon] < east), drop=True
    )
    result = open_zarr(outputs["dataset"]["href"])
    for statistic, expected in (("min", inside.min([lat, lon])), ("max", inside.max([lat, lon]))):
        np.testing.assert_array_equal(result[f"{variable}_{statistic}"].to_numpy()[:, 0], expected.to_numpy())
    counted = inside.count([lat, lon]).to_numpy()
    np.testing.assert_allclose(result[f"{variable}_count"].to_numpy()[:, 0], counted, rtol=1e-9)
    content = api.get(outputs["table"]["href"]).raise_for_status().content
    assert content.startswith(b"PAR1")
    (alternate,) = outputs["table"]["links"]
    rows = list(csv.DictReader(api.get(alternate["href"]).raise_for_status().text.splitlines()))
    assert len(rows) == source.sizes[str(source[variable].dims[0])]
