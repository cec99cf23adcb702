"""Resampling written as plainly as it can be, to hold the real one against. Shares no code with it.

Periods are found by walking through dates one hour or day at a time (Python's own, or cftime's for the calendars of
models); values are added in float64 in the order of time, as the documentation promises.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import cftime
import numpy as np
from numpy.typing import NDArray

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def resample(
    values: NDArray[Any],
    times: NDArray[np.integer] | NDArray[np.datetime64] | Sequence[datetime],
    frequency: str,
    method: str,
) -> tuple[NDArray[np.datetime64], NDArray[Any]]:
    """Aggregate `values[t, ...]`, of which each step lasts as long as it is from the first to the second.

    `times` are datetimes, datetime64, or whole hours from 1970-01-01. Returns the first moment of each complete
    period, and its values in the type of the source. A period without any step is NaN, as is a cell without any
    value in it.
    """
    starts, results = aggregate(values, [_datetime(time) for time in times], frequency, method)
    labels = np.array(
        [start.replace(tzinfo=None) for start in starts],
        dtype="datetime64[s]" if frequency.endswith("h") else "datetime64[D]",
    )
    return labels, results.astype(values.dtype)


def model_times(hours: Sequence[int], calendar: str) -> list[Any]:
    """Moments that many hours after 1970-01-01 in a calendar of CF."""
    read = cast(Any, cftime).num2date  # untyped in cftime
    return [read(hour, "hours since 1970-01-01", calendar) for hour in hours]


def aggregate(
    values: NDArray[Any],
    moments: Sequence[Any],
    frequency: str,
    method: str,
    *,
    min_valid_fraction: float = 0.0,
    day_weighting: bool = False,
) -> tuple[list[Any], NDArray[np.float64]]:
    """Aggregate as `resample` does; returns the first moment of each complete period, and values in float64."""
    step = moments[1] - moments[0]
    monthly = step >= timedelta(days=28)
    members: dict[Any, list[int]] = {}
    for index, moment in enumerate(moments):
        members.setdefault(period_start(moment, frequency), []).append(index)
    end = period_end(period_start(moments[-1], "MS"), "MS") if monthly else moments[-1] + step
    first, last = min(members), max(members)
    if first < (period_start(moments[0], "MS") if monthly else moments[0]):
        first = period_end(first, frequency)
    starts: list[Any] = []
    while first <= last and period_end(first, frequency) <= end:
        starts.append(first)
        first = period_end(first, frequency)
    lengths = [month_days(moment) if day_weighting and monthly else 1 for moment in moments]
    results: list[NDArray[np.float64]] = []
    for start in starts:
        chosen = members.get(start, [])
        steps = values[chosen].astype(np.float64)
        result = reduce(steps, method, [lengths[index] for index in chosen])
        valid = (~np.isnan(steps)).sum(axis=0)
        expected = _count_expected(moments[0], start, frequency, step, monthly=monthly)
        if method != "count":
            # Compared as whole thousandths, because a binary fraction times a number is not what was written.
            result = np.where(valid * 1000 < round(min_valid_fraction * 1000) * expected, np.nan, result)
        results.append(result)
    shape = (0, *values.shape[1:])
    return starts, np.stack(results) if results else np.empty(shape)


def reduce(steps: NDArray[np.float64], method: str, weights: Sequence[int]) -> NDArray[np.float64]:
    """One value for each cell of `steps[t, ...]`."""
    cells = steps.reshape(len(steps), int(np.prod(steps.shape[1:])))
    result = [_reduce_cell(cell, method, weights) for cell in cells.T]
    return np.array(result, dtype=np.float64).reshape(steps.shape[1:])


def _reduce_cell(cell: NDArray[np.float64], method: str, weights: Sequence[int]) -> float:
    there = [(float(value), weight) for value, weight in zip(cell, weights, strict=True) if not np.isnan(value)]
    values = [value for value, _ in there]
    if method == "count":
        return len(values)
    if not values:
        return np.nan
    total = 0.0
    for value, weight in there:
        total += value * weight
    if method[1:].isdecimal() or method == "median":
        return float(np.quantile(values, 0.5 if method == "median" else int(method[1:]) / 100))
    results = {
        "sum": total,
        "mean": total / sum(weight for _, weight in there),
        "min": min(values),
        "max": max(values),
        "std": float(np.std(values, ddof=0)),
        "first": values[0],
        "last": values[-1],
    }
    return results[method]


def period_start[Day: (date, datetime, Any)](day: Day, frequency: str) -> Day:
    """First moment of the period that holds a moment; dates stand for their midnight."""
    moment: Any = day
    kind, _, anchor = frequency.partition("-")
    if kind == "6h":
        return moment.replace(hour=moment.hour // 6 * 6, minute=0)
    midnight = moment.replace(hour=0, minute=0) if hasattr(moment, "hour") else moment
    match kind:
        case "1D":
            return midnight
        case "W":
            weekday = midnight.weekday() if hasattr(midnight, "weekday") else midnight.dayofwk
            return midnight - timedelta(days=(weekday - _WEEKDAYS.index(anchor)) % 7)
        case "dekad":
            return midnight.replace(day=1 if midnight.day <= 10 else 11 if midnight.day <= 20 else 21)
        case "MS" | "QS" | "YS":
            length = {"MS": 1, "QS": 3, "YS": 12}[kind]
            months = midnight.year * 12 + midnight.month - 1
            months -= (months - (_MONTHS.index(anchor) if anchor else 0)) % length
            return midnight.replace(day=1).replace(year=months // 12, month=months % 12 + 1)
        case _:
            raise ValueError(f"the oracle does not know {frequency}")


def period_end[Day: (date, datetime, Any)](start: Day, frequency: str) -> Day:
    """First moment of the next period."""
    stride = timedelta(hours=1) if frequency.endswith("h") else timedelta(days=1)
    moment: Any = start
    while period_start(moment, frequency) == start:
        moment += stride
    return moment


def month_days(moment: Any) -> int:
    """Days of the month that holds a moment."""
    start = period_start(moment, "MS")
    return (period_end(start, "MS") - start).days


def _count_expected(first: Any, start: Any, frequency: str, step: timedelta, *, monthly: bool) -> int:
    """Steps that a period would have without holes, counted on from the first step there is."""
    end = period_end(start, frequency)
    moment, count = (period_start(first, "MS") if monthly else first), 0
    while moment < end:
        count += moment >= start
        moment = period_end(moment, "MS") if monthly else moment + step
    return count


def _datetime(time: object) -> datetime:
    if isinstance(time, datetime):
        return time if time.tzinfo else time.replace(tzinfo=UTC)
    if isinstance(time, np.datetime64):
        return EPOCH + timedelta(seconds=int(time.astype("datetime64[s]").astype(np.int64)))
    return EPOCH + timedelta(hours=int(np.int64(time)))  # pyright: ignore[reportArgumentType] - what is left is a whole number
