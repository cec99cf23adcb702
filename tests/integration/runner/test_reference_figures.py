"""Real ERA5-Land files give the figures that CDO and numpy give."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.integration.runner.conftest import Runner, open_netcdf
from tests.oracle import resample

HOURLY = "era5-land-hourly-temp-precip-feb-2025-sierra-leone.nc"
DAILY = "era5-land-daily-mean-temperature-2m-july-2025-sierra-leone.nc"
MONTHLY = "era5-land-monthly-temp-precip-1990-2025-sierra-leone.nc"


def spatial_means(array: xr.DataArray) -> np.ndarray:
    return np.nanmean(array.to_numpy().astype(np.float64), axis=(1, 2))


def test_hourly_temperature_to_daily_means(runner: Runner, real_data: Path) -> None:
    runner.bring(real_data / HOURLY, "hourly")
    result = runner.open(runner.resample("hourly", "1D", start="2025-02-01", end="2025-02-28").dataset)["t2m"]
    assert result.shape == (28, 31, 31)
    assert result.dtype == np.float32
    assert int(np.isnan(result.to_numpy()).sum()) == 28 * 143
    means = spatial_means(result)
    np.testing.assert_allclose(means[[0, 1, 2, -1]], [301.316716, 300.847326, 300.741613, 301.664823], atol=2e-6)
    np.testing.assert_allclose(result.to_numpy()[:3, 15, 15], [302.222588, 302.124349, 302.009318], atol=2e-5)


def test_february_2025_has_three_whole_weeks(runner: Runner, real_data: Path) -> None:
    runner.bring(real_data / HOURLY, "hourly")
    result = runner.open(runner.resample("hourly", "W-MON").dataset)["t2m"]
    days = result["valid_time"].to_numpy().astype("datetime64[D]").astype(str).tolist()
    assert days == ["2025-02-03", "2025-02-10", "2025-02-17"]


def test_july_from_daily_means(runner: Runner, real_data: Path) -> None:
    runner.bring(real_data / DAILY, "daily")
    result = runner.open(runner.resample("daily", "MS").dataset)["t2m"]
    np.testing.assert_allclose(spatial_means(result), [296.835619], atol=2e-6)


def test_monthly_to_yearly_means_are_unweighted(runner: Runner, real_data: Path) -> None:
    runner.bring(real_data / MONTHLY, "monthly")
    dataset = runner.resample("monthly", "YS").dataset
    assert dataset["coverage"] == {"start": "1990-01-01T00:00:00Z", "end": "2024-01-01T00:00:00Z"}
    assert round(float(spatial_means(runner.open(dataset)["t2m"])[0]), 3) == 298.608


def test_years_from_months_weighted_by_days(runner: Runner, real_data: Path) -> None:
    runner.bring(real_data / MONTHLY, "monthly")
    dataset = runner.resample("monthly", "YS", day_weighting=True).dataset
    assert dataset["id"] == "monthly_ys_mean"
    assert round(float(spatial_means(runner.open(dataset)["t2m"])[0]), 3) == 298.595


@pytest.mark.parametrize(
    ("file", "frequency", "method"),
    [
        (HOURLY, "1D", "max"),
        (HOURLY, "W-MON", "min"),
        (HOURLY, "MS", "mean"),
        (DAILY, "W-MON", "sum"),
        (MONTHLY, "QS", "mean"),
        (MONTHLY, "YS", "max"),
        (HOURLY, "dekad", "median"),
        (HOURLY, "6h", "p90"),
        (DAILY, "W-SUN", "first"),
        (MONTHLY, "YS-JUL", "last"),
    ],
)
def test_every_cell_is_that_of_plain_numpy(
    runner: Runner, real_data: Path, file: str, frequency: str, method: str
) -> None:
    runner.bring(real_data / file, "source")
    result = runner.open(runner.resample("source", frequency, method).dataset)["t2m"]
    source = open_netcdf(real_data / file)["t2m"]
    labels, values = resample(source.to_numpy(), source["valid_time"].to_numpy(), frequency, method)
    np.testing.assert_array_equal(result["valid_time"].to_numpy().astype(labels.dtype), labels)
    np.testing.assert_array_equal(result.to_numpy(), values)


def test_import_keeps_every_value(runner: Runner, real_data: Path) -> None:
    options = ("--chunk-steps", "100", "--not-accumulated", "tp")
    answer = runner.bring(real_data / HOURLY, "hourly", *options, variables=("t2m", "tp"))
    stored = runner.open(answer.dataset)
    for name in ("t2m", "tp"):
        source = open_netcdf(real_data / HOURLY)[name]
        np.testing.assert_array_equal(stored[name].to_numpy(), source.to_numpy())
        np.testing.assert_array_equal(stored["valid_time"].to_numpy(), source["valid_time"].to_numpy())
    assert stored["t2m"].attrs["units"] == "K"
    assert stored["t2m"].attrs["GRIB_shortName"] == "2t"
    assert set(stored.coords) == {"valid_time", "latitude", "longitude"}
