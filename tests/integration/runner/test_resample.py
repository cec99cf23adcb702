"""Resampled data, compared cell by cell with plain numpy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from climatejobs_runner.calendars import find_calendar
from tests.integration.runner.conftest import Runner, contents, weather, write_netcdf
from tests.oracle import resample

# 2025-01-01 is a Wednesday.
EPOCH_HOURS = 482136
HOURS = np.arange(24 * 40)
METHODS = ["mean", "sum", "min", "max"]


# Without shrinking, which takes minutes where every example writes files; the examples are small as they are.
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    frequency=st.sampled_from(["1D", "W-MON", "MS"]),
    method=st.sampled_from(METHODS),
    chunk=st.sampled_from([1, 24, 168, 169]),
    missing=st.sampled_from([0.0, 0.3, 0.97]),
    first=st.integers(min_value=0, max_value=100),
    seed=st.integers(min_value=0, max_value=10**6),
)
def test_every_cell_is_that_of_plain_numpy_for_every_chunking(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    frequency: str,
    method: str,
    chunk: int,
    missing: float,
    first: int,
    seed: int,
) -> None:
    folder = tmp_path_factory.mktemp("resample")
    (folder / "data").mkdir()
    runner = Runner(folder / "data")
    hours = 6 * np.arange(first, 4 * 100)
    values = weather(len(hours), 3, missing=missing, seed=seed)
    runner.bring(write_netcdf(folder / "t2m.nc", values, hours), "source", "--chunk-steps", str(chunk))
    result = runner.open(runner.resample("source", frequency, method).dataset)["t2m"]
    labels, expected = resample(values, EPOCH_HOURS + hours, frequency, method)
    np.testing.assert_array_equal(result["time"].to_numpy().astype("datetime64[s]"), labels)
    assert result.to_numpy().tobytes() == expected.tobytes()


def test_chunks_of_the_source_do_not_change_a_bit_of_the_result(runner: Runner, tmp_path: Path) -> None:
    file = write_netcdf(tmp_path / "t2m.nc", weather(len(HOURS)), HOURS)
    for chunk in ("1", "24", "168", "169"):
        runner.bring(file, f"source-{chunk}", "--chunk-steps", chunk)
    for method in METHODS:
        results = [runner.resample(f"source-{chunk}", "36h", method).dataset for chunk in (1, 24, 168, 169)]
        assert len({runner.open(result)["t2m"].to_numpy().tobytes() for result in results}) == 1


def test_a_grid_cut_into_tiles_gives_the_same(runner: Runner, tmp_path: Path) -> None:
    values = weather(72, 3).repeat(520, axis=1)[:, :, :2].copy()
    file = write_netcdf(tmp_path / "t2m.nc", values, HOURS[:72])
    runner.bring(file, "source", "--chunk-steps", "72")
    assert runner.pointer("source")["chunks"] == {"time": 72, "lat": 512, "lon": 2}
    result = runner.open(runner.resample("source", "1D").dataset)["t2m"].to_numpy()
    np.testing.assert_array_equal(result, resample(values, EPOCH_HOURS + HOURS[:72], "1D", "mean")[1])


def test_a_missing_cell_stays_missing_for_a_sum(runner: Runner, tmp_path: Path) -> None:
    runner.bring(write_netcdf(tmp_path / "t2m.nc", weather(48), HOURS[:48]), "source")
    result = runner.open(runner.resample("source", "1D", "sum").dataset)["t2m"].to_numpy()
    assert np.isnan(result[:, 0, 0]).all()


def test_holes_are_aggregated_from_what_is_there_and_empty_periods_are_missing(runner: Runner, tmp_path: Path) -> None:
    kept = np.concatenate([HOURS[:30], HOURS[80:120]])
    values = weather(len(kept), missing=0)
    runner.bring(write_netcdf(tmp_path / "t2m.nc", values, kept), "source")
    result = runner.open(runner.resample("source", "1D", "sum").dataset)["t2m"]
    labels, expected = resample(values, EPOCH_HOURS + kept, "1D", "sum")
    np.testing.assert_array_equal(result["time"].to_numpy().astype("datetime64[D]"), labels)
    np.testing.assert_array_equal(result.to_numpy(), expected)
    assert np.isnan(result.to_numpy()[2]).all()


def test_ones_summed_count_the_steps(runner: Runner, tmp_path: Path) -> None:
    runner.bring(write_netcdf(tmp_path / "t2m.nc", np.ones((240, 2, 2), dtype=np.float32), HOURS[:240]), "source")
    result = runner.open(runner.resample("source", "1D", "sum").dataset)["t2m"].to_numpy()
    assert (result == 24).all()


@pytest.mark.parametrize(
    ("steps", "unit", "frequency", "method", "expected"),
    [
        # 0..47 hourly to daily means; ten ones; 31 ones: figures of the reference system.
        (range(48), "hours since 2026-01-01", "1D", "mean", [11.5, 35.5]),
        ([1] * 10, "days since 1970-01-01", "10D", "sum", [10]),
        ([1] * 10, "days since 2026-01-05", "W-MON", "sum", [7]),
        ([1] * 12, "days since 2026-01-07", "W-MON", "sum", [7]),
        ([1] * 31, "days since 2026-01-01", "MS", "sum", [31]),
        ([1] * 7, "days since 2026-01-05 06:00", "W-MON", "sum", [7]),
    ],
)
def test_small_examples(
    runner: Runner, tmp_path: Path, steps: Any, unit: str, frequency: str, method: str, expected: list[float]
) -> None:
    values = np.array(list(steps), dtype=np.float32).reshape(-1, 1, 1)
    runner.bring(write_netcdf(tmp_path / "t2m.nc", values, np.arange(len(values)), unit), "source")
    result = runner.open(runner.resample("source", frequency, method).dataset)["t2m"]
    assert result.to_numpy().ravel().tolist() == expected


def test_whole_numbers_give_float64(runner: Runner, tmp_path: Path) -> None:
    counts: dict[str, Any] = {
        "counts": (("time", "lat", "lon"), np.arange(48, dtype=np.int32).reshape(48, 1, 1), {"units": "1"})
    }
    file = write_netcdf(tmp_path / "t2m.nc", weather(48, 1), HOURS[:48], **counts)
    runner.bring(file, "source", variables=("counts", "t2m"))
    result = runner.open(runner.resample("source", "1D").dataset)
    assert result["counts"].dtype == np.float64
    assert result["counts"].to_numpy().ravel().tolist() == [11.5, 35.5]
    assert result["t2m"].dtype == np.float32
    assert runner.pointer("source_1d_mean")["variables"] == [
        {"name": "counts", "units": "1", "dtype": "float64", "accumulated": False, "coverage": None},
        {"name": "t2m", "units": "K", "dtype": "float32", "accumulated": False, "coverage": None},
    ]


@pytest.mark.parametrize("calendar", ["noleap", "all_leap", "360_day", "proleptic_gregorian"])
@pytest.mark.parametrize("frequency", ["MS", "YS", "dekad", "10D"])
def test_other_calendars_have_their_own_periods(runner: Runner, tmp_path: Path, calendar: str, frequency: str) -> None:
    days = np.arange(800)
    values = weather(800, 2)
    file = write_netcdf(tmp_path / "t2m.nc", values, days, "days since 1999-12-20", calendar)
    runner.bring(file, "model")
    dataset = runner.resample("model", frequency, "sum").dataset
    result = runner.open(dataset)
    assert result["time"].encoding["calendar"] == calendar
    starts = [moment_seconds(moment, calendar) for moment in result["time_bnds"].to_numpy().ravel()]
    first_day = find_calendar(calendar).seconds_of(
        find_calendar(calendar).moment_at(0)._replace(year=1999, month=12, day=20)
    )
    seconds = first_day + days * 86400
    for index, (start, end) in enumerate(zip(starts[::2], starts[1::2], strict=True)):
        steps = values[(seconds >= start) & (seconds < end)].astype(np.float64)
        assert len(steps) == (end - start) // 86400
        expected = np.where(np.isnan(steps).all(axis=0), np.nan, np.nansum(steps, axis=0)).astype(np.float32)
        np.testing.assert_allclose(result["t2m"].to_numpy()[index], expected, rtol=1e-6)


def moment_seconds(moment: Any, calendar: str) -> int:
    text = str(moment)[:10]
    fields = (
        find_calendar(calendar).moment_at(0)._replace(year=int(text[:4]), month=int(text[5:7]), day=int(text[8:10]))
    )
    return find_calendar(calendar).seconds_of(fields)


def test_weeks_are_refused_where_the_calendar_has_none(runner: Runner, tmp_path: Path) -> None:
    runner.bring(
        write_netcdf(tmp_path / "t2m.nc", weather(60), np.arange(60), "days since 2000-01-01", "360_day"), "model"
    )
    answer = runner.resample("model", "W-MON")
    assert answer.status == 65
    assert "360_day, which has no weeks" in answer.error["detail"]


def test_results_can_be_resampled_again(runner: Runner, tmp_path: Path) -> None:
    values = weather(len(HOURS), missing=0)
    runner.bring(write_netcdf(tmp_path / "t2m.nc", values, HOURS), "source")
    daily = runner.resample("source", "1D", "max").dataset
    monthly = runner.resample(daily["id"], "MS", "max").dataset
    assert monthly["id"] == "source_1d_max_ms_max"
    direct = runner.resample("source", "MS", "max").dataset
    np.testing.assert_array_equal(
        runner.open(monthly)["t2m"].to_numpy()[:, 1:, 1:], runner.open(direct)["t2m"].to_numpy()[:, 1:, 1:]
    )


def test_the_result_is_described_as_cf_does(runner: Runner, tmp_path: Path) -> None:
    runner.bring(write_netcdf(tmp_path / "t2m.nc", weather(len(HOURS)), HOURS), "source", "--title", "Temperature")
    dataset = runner.resample("source", "W-MON", "max").dataset
    result = runner.open(dataset)
    assert result["t2m"].attrs == {
        "units": "K",
        "standard_name": "air_temperature",
        "cell_methods": "time: maximum (interval: 1 hour)",
    }
    assert result["time"].attrs["bounds"] == "time_bnds"
    assert (result["time"].attrs["axis"], result["time"].attrs["standard_name"]) == ("T", "time")
    bounds = result["time_bnds"].to_numpy()
    np.testing.assert_array_equal(bounds[:, 0], result["time"].to_numpy())
    assert set((bounds[:, 1] - bounds[:, 0]).astype("timedelta64[D]").astype(int).tolist()) == {7}
    assert result.attrs["title"] == "Temperature, max per W-MON"
    assert result.attrs["institution"] == "Somewhere"
    assert result.attrs["climatejobs"] == runner.pointer("source_w_mon_max")


def test_provenance_tells_what_was_done_with_what(runner: Runner, tmp_path: Path) -> None:
    file = write_netcdf(tmp_path / "t2m.nc", weather(len(HOURS)), HOURS)
    source = runner.bring(file, "source").dataset
    inputs = runner.write_inputs(source_dataset_id="source", frequency="24h", method="mean", start="2025-01-03")
    runner("run", "--process", "resample", "--inputs", inputs, CLIMATEJOBS_IMAGE="runner@sha256:12")
    pointer = runner.pointer("source_1d_mean")
    assert pointer["provenance"] == {
        "process": "resample",
        "request": {
            "source_dataset_id": "source",
            "frequency": "1D",
            "method": "mean",
            "start": "2025-01-03T00:00:00Z",
            "end": "2025-02-09T00:00:00Z",
        },
        "source": {"id": "source", "version": source["version"]},
        "code": {"climatejobs": "0.1.0", "resample": "1.1.0"},
        "image": "runner@sha256:12",
    }
    assert pointer["bbox"] == [-13.0, 6.0, -9.0, 10.0]
    assert pointer["chunks"] == {"time": 38, "lat": 5, "lon": 5}


def test_files_are_readable_by_the_group(runner: Runner, tmp_path: Path) -> None:
    file = write_netcdf(tmp_path / "t2m.nc", weather(48), HOURS[:48])
    process = runner.start("import", file, "--id", "source", "--variable", "t2m")
    _, complaint = process.communicate(timeout=120)
    assert process.returncode == 0, complaint
    for path in (runner.data / "datasets").rglob("*"):
        assert path.stat().st_mode & 0o060 == 0o060, path


@pytest.mark.parametrize(
    ("inputs", "complaint"),
    [
        ({"start": "2030-01-01"}, "from 2025-01-01T00:00:00Z to 2025-01-02T23:00:00Z"),
        ({"frequency": "MS"}, "covers no complete period of MS"),
        ({"source": "elsewhere"}, "there is no data set 'elsewhere'"),
        ({"source": "../source"}, "is not a data set id"),
        ({"frequency": "fortnight"}, "is not a frequency"),
        ({"start": "2025-02-30"}, "is not a date in the calendar"),
        ({"end": "2024-01-01", "start": "2024-06-01"}, "before start"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(
    runner: Runner, tmp_path: Path, inputs: dict[str, str], complaint: str
) -> None:
    runner.bring(write_netcdf(tmp_path / "t2m.nc", weather(48), HOURS[:48]), "source")
    answer = runner.resample(**{"source": "source", "frequency": "1D", **inputs})
    assert answer.status == 65
    assert complaint in answer.error["detail"]
    assert answer.error["hint"]
    assert [path.name for path in (runner.data / "datasets").iterdir()] == ["source"]


def test_a_finer_frequency_is_refused(runner: Runner, tmp_path: Path) -> None:
    runner.bring(write_netcdf(tmp_path / "t2m.nc", weather(60), np.arange(60), "days since 2025-01-01"), "daily")
    answer = runner.resample("daily", "6h")
    assert answer.status == 65
    assert "finer than the data" in answer.error["detail"]


def test_a_damaged_chunk_is_named_and_nothing_published(runner: Runner, tmp_path: Path) -> None:
    file = write_netcdf(tmp_path / "t2m.nc", weather(48), HOURS[:48])
    source = runner.bring(file, "source", "--chunk-steps", "24").dataset
    (runner.store(source) / "t2m" / "c" / "1" / "0" / "0").write_bytes(b"torn")
    answer = runner.resample("source", "1D")
    assert answer.status == 65
    assert "values of t2m cannot be read" in answer.error["detail"]
    assert not (runner.data / "datasets" / "source_1d_mean" / "dataset.json").exists()
    assert runner.stagings() == []


def test_the_same_result_has_the_same_bytes_wherever_it_is_computed(runner: Runner, tmp_path: Path) -> None:
    file = write_netcdf(tmp_path / "t2m.nc", weather(len(HOURS)), HOURS)
    (tmp_path / "other").mkdir()
    other = Runner(tmp_path / "other")
    stores: list[dict[str, bytes]] = []
    for place in (runner, other):
        place.bring(file, "source")
        stores.append(contents(place.store(place.resample("source", "W-MON").dataset)))
    assert stores[0] == stores[1]


def test_opening_a_result_says_nothing_on_the_side(runner: Runner, tmp_path: Path) -> None:
    runner.bring(write_netcdf(tmp_path / "t2m.nc", weather(48), HOURS[:48]), "source")
    store = runner.store(runner.resample("source", "1D").dataset)
    with xr.open_zarr(store, consolidated=True) as opened:  # pyright: ignore[reportUnknownMemberType]
        assert "t2m" in opened
