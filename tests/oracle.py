"""Resampling written as plainly as it can be, to hold the real one against. Shares no code with it.

Periods are found by walking through Python's own dates one step at a time; values are added in float64 in the
order of time, as the documentation promises.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def resample(
    values: NDArray[np.float32],
    times: NDArray[np.integer] | NDArray[np.datetime64] | Sequence[datetime],
    frequency: str,
    method: str,
) -> tuple[NDArray[np.datetime64], NDArray[np.float32]]:
    """Aggregate `values[t, ...]`, of which each step lasts as long as it is from the first to the second.

    `frequency` is one of 1D, W-MON, MS, QS, YS; `method` one of mean, sum, min, max. `times` are datetimes,
    datetime64, or whole hours from 1970-01-01. Returns the first moment of each complete period, and its values
    in the type of the source. A period without any step is NaN, as is a cell without any value in it.
    """
    moments = [_datetime(time) for time in times]
    step = moments[1] - moments[0]
    end = _next_month(moments[-1].date()) if step >= timedelta(days=28) else moments[-1] + step
    members: dict[date, list[int]] = {}
    for index, moment in enumerate(moments):
        members.setdefault(period_start(moment.date(), frequency), []).append(index)
    first, last = min(members), max(members)
    if _midnight(first) < moments[0]:
        first = period_end(first, frequency)
    labels: list[date] = []
    while first <= last and _midnight(period_end(first, frequency)) <= end:
        labels.append(first)
        first = period_end(first, frequency)
    results = [_aggregate(values[members.get(label, [])], method) for label in labels]
    shape = (0, *values.shape[1:])
    stacked = np.stack(results).astype(values.dtype) if results else np.empty(shape, dtype=values.dtype)
    return np.array(labels, dtype="datetime64[D]"), stacked


def period_start(day: date, frequency: str) -> date:
    """First day of the period that holds a day."""
    match frequency:
        case "1D":
            return day
        case "W-MON":
            return day - timedelta(days=day.weekday())
        case "MS":
            return day.replace(day=1)
        case "QS":
            return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
        case "YS":
            return date(day.year, 1, 1)
        case _:
            raise ValueError(f"the oracle does not know {frequency}")


def period_end(start: date, frequency: str) -> date:
    """First day of the next period."""
    day = start
    while period_start(day, frequency) == start:
        day += timedelta(days=1)
    return day


def _aggregate(steps: NDArray[np.float32], method: str) -> NDArray[np.float64]:
    total = np.zeros(steps.shape[1:], dtype=np.float64)
    count = np.zeros(steps.shape[1:], dtype=np.float64)
    least = np.full(steps.shape[1:], np.inf)
    greatest = np.full(steps.shape[1:], -np.inf)
    for step in steps.astype(np.float64):
        there = ~np.isnan(step)
        total[there] += step[there]
        count[there] += 1
        least[there] = np.minimum(least[there], step[there])
        greatest[there] = np.maximum(greatest[there], step[there])
    result = {"sum": total, "mean": total / np.maximum(count, 1), "min": least, "max": greatest}[method]
    return np.where(count > 0, result, np.nan)


def _datetime(time: object) -> datetime:
    if isinstance(time, datetime):
        return time if time.tzinfo else time.replace(tzinfo=UTC)
    if isinstance(time, np.datetime64):
        return EPOCH + timedelta(seconds=int(time.astype("datetime64[s]").astype(np.int64)))
    return EPOCH + timedelta(hours=int(np.int64(time)))  # pyright: ignore[reportArgumentType] - what is left is a whole number


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _next_month(day: date) -> datetime:
    return _midnight(period_end(period_start(day, "MS"), "MS"))
