"""GRIB files brought in, written here with ecCodes itself."""

# ecCodes carries no types.
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import eccodes
import numpy as np
import pytest

from tests.integration.runner.conftest import Runner

ROWS, COLUMNS = 3, 4
GRID = {
    "Ni": COLUMNS,
    "Nj": ROWS,
    "latitudeOfFirstGridPointInDegrees": 10.0,
    "latitudeOfLastGridPointInDegrees": 9.0,
    "longitudeOfFirstGridPointInDegrees": 346.5,
    "longitudeOfLastGridPointInDegrees": 348.0,
    "iDirectionIncrementInDegrees": 0.5,
    "jDirectionIncrementInDegrees": 0.5,
}


def write_grib(path: Path, messages: Sequence[tuple[np.ndarray, dict[str, Any]]], edition: int = 2) -> Path:
    """A file of messages: values by row and column, and the keys that differ from the rest."""
    with path.open("wb") as file:
        for values, keys in messages:
            handle = eccodes.codes_grib_new_from_samples(f"regular_ll_sfc_grib{edition}")
            facts = {**GRID, "shortName": "2t", "dataDate": 20250101, "dataTime": 0, "bitsPerValue": 24, **keys}
            for key, value in facts.items():
                eccodes.codes_set(handle, key, value)
            if np.isnan(values).any():
                eccodes.codes_set(handle, "bitmapPresent", 1)
                eccodes.codes_set(handle, "missingValue", 9999.0)
            eccodes.codes_set_values(handle, np.nan_to_num(values, nan=9999.0).ravel())
            eccodes.codes_write(handle, file)
            eccodes.codes_release(handle)
    return path


def hours(fields: np.ndarray, **more: Any) -> list[tuple[np.ndarray, dict[str, Any]]]:
    """Messages an hour apart from 2025-01-01T00 on."""
    return [
        (field, {"dataDate": 20250101 + index // 24, "dataTime": index % 24 * 100, **more})
        for index, field in enumerate(fields)
    ]


def temperatures(steps: int = 30) -> np.ndarray:
    fields = np.random.default_rng(1).normal(300, 5, size=(steps, ROWS, COLUMNS))
    fields[:, 0, 1] = np.nan
    return fields


@pytest.mark.parametrize("edition", [1, 2])
def test_messages_become_time_steps_in_their_order_of_time(runner: Runner, tmp_path: Path, edition: int) -> None:
    fields = temperatures()
    messages = hours(fields)
    file = write_grib(tmp_path / "t2m.grib", [*messages[1::2], *messages[::2]], edition)
    dataset = runner.bring(file, "grib").dataset
    stored = runner.open(dataset)["t2m"]
    np.testing.assert_allclose(stored.to_numpy(), fields, atol=1e-4)
    np.testing.assert_allclose(stored["latitude"].to_numpy(), [10.0, 9.5, 9.0])
    np.testing.assert_allclose(stored["longitude"].to_numpy(), [-13.5, -13.0, -12.5, -12.0])
    assert stored.attrs["units"] == "K"
    pointer = runner.pointer("grib")
    assert pointer["coverage"] == {"start": "2025-01-01T00:00:00Z", "end": "2025-01-02T05:00:00Z"}
    assert pointer["bbox"] == [-13.5, 9.0, -12.0, 10.0]
    assert pointer["provenance"]["source"]["format"] == "GRIB"
    assert runner.open(runner.resample("grib", "1D").dataset)["t2m"].shape[0] == 1
    assert sorted(path.name for path in tmp_path.iterdir() if "t2m" in path.name) == ["t2m.grib"]


def test_rows_may_run_north_and_columns_may_come_first(runner: Runner, tmp_path: Path) -> None:
    fields = temperatures(3)
    turned = [
        (
            field[::-1].T,
            {
                **keys,
                "jScansPositively": 1,
                "jPointsAreConsecutive": 1,
                "latitudeOfFirstGridPointInDegrees": 9.0,
                "latitudeOfLastGridPointInDegrees": 10.0,
            },
        )
        for field, keys in hours(fields)
    ]
    stored = runner.open(runner.bring(write_grib(tmp_path / "t2m.grib", turned), "grib").dataset)["t2m"]
    np.testing.assert_allclose(stored.sel(latitude=10.0).to_numpy(), fields[:, 0], atol=1e-4)
    np.testing.assert_allclose(stored["latitude"].to_numpy(), [9.0, 9.5, 10.0])


def test_several_variables_by_either_name(runner: Runner, tmp_path: Path) -> None:
    fields = temperatures(4)
    messages = [*hours(fields), *hours(fields - 5, shortName="2d")]
    file = write_grib(tmp_path / "both.grib", messages)
    stored = runner.open(runner.bring(file, "grib", variables=("t2m", "d2m")).dataset)
    np.testing.assert_allclose(stored["d2m"].to_numpy(), fields - 5, atol=1e-4)
    assert runner.bring(file, "grib", variables=("2t",)).status == 0


def test_steps_from_the_day_s_start_are_running_totals(runner: Runner, tmp_path: Path) -> None:
    amounts = np.random.default_rng(1).gamma(0.5, 0.002, size=(48, ROWS, COLUMNS))
    running = np.concatenate([np.cumsum(amounts[:24], axis=0), np.cumsum(amounts[24:], axis=0)])
    messages = [
        (field, {"shortName": "tp", "dataDate": 20250101 + index // 24, "stepType": "accum",
                 "stepRange": f"0-{index % 24 + 1}"})
        for index, field in enumerate(running)
    ]  # fmt: skip
    dataset = runner.bring(write_grib(tmp_path / "tp.grib", messages, 1), "rain", variables=("tp",)).dataset
    stored = runner.open(dataset)["tp"]
    np.testing.assert_allclose(stored.to_numpy(), amounts, atol=1e-6)
    assert str(stored["valid_time"].to_numpy()[0]) == "2025-01-01T00:00:00.000000000"


def test_steps_of_one_hour_are_amounts(runner: Runner, tmp_path: Path) -> None:
    amounts = np.cumsum(np.full((12, ROWS, COLUMNS), 0.001), axis=0)
    messages = [
        (field, {"shortName": "tp", "stepType": "accum", "stepRange": f"{index}-{index + 1}"})
        for index, field in enumerate(amounts)
    ]
    dataset = runner.bring(write_grib(tmp_path / "tp.grib", messages, 1), "rain", variables=("tp",)).dataset
    np.testing.assert_allclose(runner.open(dataset)["tp"].to_numpy(), amounts, atol=1e-6)
    assert not runner.pointer("rain")["variables"][0]["accumulated"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"shortName": "t", "typeOfLevel": "isobaricInhPa"}, "several levels: isobaricInhPa 500, isobaricInhPa 850"),
        (
            {"Ni": 4, "Nj": 3, "longitudeOfFirstGridPointInDegrees": 10.0, "longitudeOfLastGridPointInDegrees": 11.5},
            "different grids",
        ),
    ],
)
def test_what_makes_no_single_grid_is_refused(
    runner: Runner, tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    fields = temperatures(2)
    if "typeOfLevel" in change:
        messages = [
            (field, {**change, "level": level, "dataTime": index * 100})
            for index, field in enumerate(fields)
            for level in (500, 850)
        ]
        variable = "t"
    else:
        messages, variable = [*hours(fields), (fields[0], {**change, "dataTime": 200})], "t2m"
    answer = runner.bring(write_grib(tmp_path / "other.grib", messages), "grib", variables=(variable,))
    assert answer.status == 65
    assert complaint in answer.error["detail"]


def test_a_time_that_comes_twice_is_named(runner: Runner, tmp_path: Path) -> None:
    messages = hours(temperatures(3))
    answer = runner.bring(write_grib(tmp_path / "twice.grib", [*messages, messages[1]]), "grib")
    assert answer.status == 65
    assert "2025-01-01T01:00:00Z occurs twice" in answer.error["detail"]


def test_a_missing_variable_and_a_broken_file_are_named(runner: Runner, tmp_path: Path) -> None:
    file = write_grib(tmp_path / "t2m.grib", hours(temperatures(3)))
    answer = runner.bring(file, "grib", variables=("tp",))
    assert (answer.status, answer.error["hint"]) == (65, "Its variables are: t2m.")
    file.write_bytes(file.read_bytes()[:-20])
    answer = runner.bring(file, "grib")
    assert answer.status == 65
    assert "message 3 of t2m.grib cannot be read" in answer.error["detail"]
