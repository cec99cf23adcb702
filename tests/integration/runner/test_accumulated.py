"""Running totals brought in: taken apart where they are known, marked where they are not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.integration.runner.conftest import Runner, open_netcdf, weather, write_netcdf
from tests.integration.runner.test_reference_figures import HOURLY, MONTHLY

HOURS = np.arange(1, 73)
ACCUMULATED = {"units": "m", "GRIB_stepType": "accum"}


def totals(hours: int = 72) -> tuple[np.ndarray, np.ndarray]:
    """Amounts of each hour, and the total since 00 UTC at its end."""
    generator = np.random.default_rng(1)
    amounts = generator.gamma(0.5, 0.002, size=(hours, 2, 2))
    running = np.concatenate([np.cumsum(amounts[start : start + 24], axis=0) for start in range(0, hours, 24)])
    return amounts, running.astype(np.float32)


def write_precipitation(path: Path, values: np.ndarray, attributes: dict[str, Any] = ACCUMULATED) -> Path:
    precipitation: dict[str, Any] = {"tp": (("time", "lat", "lon"), values, attributes)}
    return write_netcdf(path, weather(len(values), 2, missing=0), HOURS[: len(values)], **precipitation)


def test_february_s_precipitation_sums_up_to_the_next_day_s_first_value(runner: Runner, real_data: Path) -> None:
    runner.bring(real_data / HOURLY, "hourly", variables=("tp",))
    sums = runner.open(runner.resample("hourly", "1D", "sum").dataset)["tp"]
    source = open_netcdf(real_data / HOURLY)["tp"]
    expected = source.to_numpy()[source["valid_time"].dt.hour.to_numpy() == 0][1:]
    assert sums.shape == (27, 31, 31)
    assert str(sums["valid_time"].to_numpy()[0])[:10] == "2025-02-01"
    assert int(np.isnan(sums.to_numpy()).sum()) == 27 * 143
    np.testing.assert_array_max_ulp(sums.to_numpy(), expected, maxulp=1)
    assert runner.pointer("hourly")["provenance"]["deaccumulated"] == ["tp"]


def test_a_month_of_days_is_as_incomplete_as_a_month_of_hours(runner: Runner, real_data: Path) -> None:
    runner.bring(real_data / HOURLY, "hourly", variables=("t2m", "tp"))
    days = runner.resample("hourly", "1D", "sum").dataset
    t2m, tp = runner.pointer(days["id"])["variables"]
    assert t2m["coverage"] is None
    assert tp["coverage"] == {"start": "2025-02-01T00:00:00Z", "end": "2025-02-27T00:00:00Z"}
    for source in ("hourly", days["id"]):
        month = runner.open(runner.resample(source, "MS", "sum").dataset)
        assert np.isnan(month["tp"].to_numpy()).all()
        assert np.isfinite(month["t2m"].to_numpy()).any()


def test_monthly_precipitation_is_a_rate_and_left_alone(runner: Runner, real_data: Path) -> None:
    stored = runner.open(runner.bring(real_data / MONTHLY, "monthly", variables=("tp",)).dataset)["tp"]
    np.testing.assert_array_equal(stored.to_numpy(), open_netcdf(real_data / MONTHLY)["tp"].to_numpy())
    assert not runner.pointer("monthly")["variables"][0]["accumulated"]


def test_increments_are_labelled_with_the_start_of_their_hour(runner: Runner, tmp_path: Path) -> None:
    amounts, values = totals()
    file = write_precipitation(tmp_path / "tp.nc", values)
    stored = runner.open(runner.bring(file, "rain", variables=("tp",)).dataset)["tp"]
    np.testing.assert_allclose(stored.to_numpy(), amounts, atol=1e-7)
    assert runner.pointer("rain")["coverage"] == {"start": "2025-01-01T00:00:00Z", "end": "2025-01-03T23:00:00Z"}
    assert "sum" in stored.attrs["cell_methods"]
    assert "GRIB_stepType" not in stored.attrs


def test_beside_another_variable_they_lie_on_its_time_axis(runner: Runner, tmp_path: Path) -> None:
    amounts, values = totals()
    file = write_precipitation(tmp_path / "tp.nc", values)
    stored = runner.open(runner.bring(file, "both", variables=("t2m", "tp")).dataset)
    assert stored["t2m"].shape[0] == 72
    np.testing.assert_allclose(stored["tp"].to_numpy()[:-1], amounts[1:], atol=1e-7)
    assert np.isnan(stored["tp"].to_numpy()[-1]).all()
    t2m, tp = runner.pointer("both")["variables"]
    assert t2m["coverage"] is None
    assert tp["coverage"] == {"start": "2025-01-01T01:00:00Z", "end": "2025-01-03T23:00:00Z"}


def test_amounts_are_left_alone_though_described_as_accumulated(runner: Runner, tmp_path: Path) -> None:
    amounts = (totals()[0] * (np.random.default_rng(2).random((72, 2, 2)) < 0.5)).astype(np.float32)
    file = write_precipitation(tmp_path / "tp.nc", amounts)
    stored = runner.open(runner.bring(file, "rain", variables=("tp",)).dataset)["tp"]
    np.testing.assert_array_equal(stored.to_numpy(), amounts)
    assert not runner.pointer("rain")["variables"][0]["accumulated"]


def test_what_the_values_do_not_tell_is_marked_and_can_be_said(runner: Runner, tmp_path: Path) -> None:
    drought = np.zeros((72, 2, 2), np.float32)
    file = write_precipitation(tmp_path / "tp.nc", drought)
    runner.bring(file, "rain", variables=("tp",))
    assert runner.pointer("rain")["variables"][0]["accumulated"]
    for option in ("--accumulated", "--not-accumulated"):
        runner.bring(file, "rain", option, "tp", variables=("tp",))
        assert not runner.pointer("rain")["variables"][0]["accumulated"]


def test_they_can_be_named_where_nothing_describes_them(runner: Runner, tmp_path: Path) -> None:
    amounts, values = totals()
    file = write_precipitation(tmp_path / "tp.nc", values[:23], {"units": "m"})
    stored = runner.open(runner.bring(file, "rain", "--accumulated", "tp", variables=("tp",)).dataset)["tp"]
    np.testing.assert_allclose(stored.to_numpy(), amounts[:23], atol=1e-7)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--accumulated", "t2m"), "--accumulated names t2m, which is not imported"),
        (("--accumulated", "tp", "--not-accumulated", "tp"), "cannot be both"),
        (("--accumulated", "tp", "--frequency", "MS"), "do not divide the day"),
    ],
)
def test_choices_that_make_no_sense_are_refused(
    runner: Runner, tmp_path: Path, options: tuple[str, ...], complaint: str
) -> None:
    file = write_precipitation(tmp_path / "tp.nc", totals()[1])
    answer = runner.bring(file, "rain", *options, variables=("tp",))
    assert answer.status == 65
    assert complaint in answer.error["detail"]
