"""Which periods a request gets, and why it gets none."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from climatejobs.datasets import Coverage, Dataset, Variable
from climatejobs.errors import InvalidInput, NoData
from climatejobs.frequencies import parse_frequency
from climatejobs.processes.resample import Method
from climatejobs.times import parse_moment
from climatejobs_runner.calendars import find_calendar
from climatejobs_runner.resampling.plan import Plan, Request, make_plan
from climatejobs_runner.timeaxis import TimeAxis
from tests.oracle import resample

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
STEPS = {"1h": timedelta(hours=1), "6h": timedelta(hours=6), "1D": timedelta(days=1)}


def moments(first: datetime, frequency: str, steps: int) -> list[datetime]:
    return [first + index * STEPS[frequency] for index in range(steps)]


def plan(
    times: list[datetime],
    source_frequency: str,
    frequency: str,
    start: str = "1900-01-01",
    end: str | None = None,
    *,
    method: Method = "mean",
    version: str = "0123abcd",
    calendar: str = "standard",
) -> Plan:
    seconds = np.array([int(time.timestamp()) for time in times], dtype=np.int64)
    axis = TimeAxis(seconds, find_calendar(calendar))
    source = Dataset(
        id="source",
        title="Source",
        variables=[Variable(name="t2m", dtype="float32")],
        frequency=source_frequency,
        period_type=parse_frequency(source_frequency).period_type,
        shape={"time": len(times)},
        chunks={"time": len(times)},
        coverage=Coverage(start=axis.label(0), end=axis.label(-1)),
        version=version,
    )
    request = Request(parse_frequency(frequency), method, parse_moment(start), parse_moment(end) if end else None)
    return make_plan(source, axis, request)


def days(made: Plan) -> list[str]:
    return [made.label(period)[:10] for period in range(made.periods)]


def counts(made: Plan) -> list[int]:
    return np.diff(made.offsets).tolist()


def test_only_periods_that_the_data_cover_whole_are_computed() -> None:
    # 1 January 2026 is a Thursday.
    made = plan(moments(FIRST, "1D", 31), "1D", "W-MON")
    assert days(made) == ["2026-01-05", "2026-01-12", "2026-01-19"]
    assert counts(made) == [7, 7, 7]


@pytest.mark.parametrize(
    ("start", "expected"),
    [("2026-01-05", "2026-01-05"), ("2026-01-05T01", "2026-01-12"), ("2026-01-04T23:00:00-01:00", "2026-01-05")],
)
def test_a_period_that_begins_before_start_is_left_out(start: str, expected: str) -> None:
    assert days(plan(moments(FIRST, "1D", 31), "1D", "W-MON", start))[0] == expected


@pytest.mark.parametrize(
    ("end", "expected"),
    [("2026-01-12", "2026-01-12"), ("2026-01-18T23:59:59", "2026-01-12"), ("2026-02-28", "2026-01-19")],
)
def test_the_period_that_holds_end_is_taken_whole(end: str, expected: str) -> None:
    made = plan(moments(FIRST, "1D", 31), "1D", "W-MON", end=end)
    assert days(made)[-1] == expected
    assert counts(made)[-1] == 7


def test_ten_day_periods_do_not_move_with_start() -> None:
    times = moments(FIRST, "1D", 60)
    early, late = (plan(times, "1D", "10D", start) for start in ("2026-01-01", "2026-01-14"))
    assert set(days(late)) < set(days(early))


def test_daily_values_stamped_in_the_morning_cover_their_days() -> None:
    morning = datetime(2026, 1, 5, 6, tzinfo=UTC)
    assert days(plan(moments(morning, "1D", 7), "1D", "W-MON")) == ["2026-01-05"]


def test_a_hole_inside_is_aggregated_from_what_is_there() -> None:
    times = moments(FIRST, "1D", 31)
    made = plan(times[:6] + times[8:], "1D", "W-MON")
    assert counts(made) == [5, 7, 7]


def test_a_period_without_any_step_keeps_its_place() -> None:
    times = moments(FIRST, "1D", 31)
    made = plan(times[:11] + times[18:], "1D", "W-MON")
    assert days(made) == ["2026-01-05", "2026-01-12", "2026-01-19"]
    assert counts(made) == [7, 0, 7]


@pytest.mark.parametrize(
    ("source", "frequency", "refused"),
    [("1D", "6h", True), ("6h", "h", True), ("1D", "1D", False), ("1D", "dekad", False), ("1h", "6h", False)],
)
def test_a_frequency_finer_than_the_data_is_refused_with_what_is_possible(
    source: str, frequency: str, refused: bool
) -> None:
    times = moments(FIRST, source, 200)
    if refused:
        with pytest.raises(InvalidInput, match="finer") as caught:
            plan(times, source, frequency)
        assert f"Ask for {source} or longer" in (caught.value.hint or "")
    else:
        assert plan(times, source, frequency).periods


@pytest.mark.parametrize(
    ("frequency", "start", "end"),
    [
        ("1D", "2027-01-01", None),
        ("1D", "2020-01-01", "2020-12-31"),
        ("MS", "2026-01-02", "2026-01-31"),
        ("YS", "2026-01-01", None),
    ],
)
def test_where_no_period_is_left_the_coverage_is_told(frequency: str, start: str, end: str | None) -> None:
    with pytest.raises(NoData) as caught:
        plan(moments(FIRST, "1D", 31), "1D", frequency, start, end)
    assert "from 2026-01-01T00:00:00Z to 2026-01-31T00:00:00Z" in caught.value.detail


def test_a_window_that_is_one_hole_has_no_data() -> None:
    times = moments(FIRST, "1D", 31)
    with pytest.raises(NoData):
        plan(times[:4] + times[20:], "1D", "W-MON", "2026-01-05", "2026-01-12")


def test_a_date_that_the_calendar_does_not_have_is_refused() -> None:
    with pytest.raises(InvalidInput, match="360_day"):
        plan(moments(FIRST, "1D", 31), "1D", "MS", "2026-01-31", calendar="360_day")


def test_requests_for_the_same_periods_are_one_result() -> None:
    times = moments(FIRST, "1h", 31 * 24)
    same = {
        plan(times, "1h", frequency, start, end).version
        for frequency, start, end in [
            ("1D", "2026-01-01", None),
            ("24h", "1990-01-01", "2026-01-31"),
            ("d", "2025-12-31T12", "2026-01-31T15:00:00Z"),
        ]
    }
    assert len(same) == 1


def test_everything_that_changes_the_result_changes_its_version() -> None:
    times = moments(FIRST, "1h", 31 * 24)
    versions = [
        plan(times, "1h", "1D").version,
        plan(times, "1h", "1D", method="sum").version,
        plan(times, "1h", "2D").version,
        plan(times, "1h", "1D", "2026-01-02").version,
        plan(times, "1h", "1D", end="2026-01-30").version,
        plan(times, "1h", "1D", version="4567abcd").version,
    ]
    assert len(set(versions)) == len(versions)


@given(
    st.tuples(st.dates(date(1999, 1, 1), date(2001, 1, 1)), st.integers(min_value=0, max_value=23)),
    st.sampled_from(["1h", "6h", "1D"]),
    st.integers(min_value=2, max_value=900),
    st.sampled_from(["1D", "W-MON", "MS", "QS", "YS"]),
    st.data(),
)
def test_periods_are_those_of_the_oracle(
    start: tuple[date, int], source: str, steps: int, frequency: str, data: st.DataObject
) -> None:
    day, hour = start
    whole_hour = {"1h": hour, "6h": hour // 6 * 6, "1D": 0}[source]
    times = moments(datetime(day.year, day.month, day.day, whole_hour, tzinfo=UTC), source, steps)
    holes = data.draw(st.sets(st.integers(min_value=2, max_value=steps), max_size=20))
    kept = [time for index, time in enumerate(times) if index not in holes or index == steps - 1]
    labels, values = resample(np.ones(len(kept), dtype=np.float32), kept, frequency, "sum")
    if np.isnan(values).all():
        with pytest.raises(NoData):
            plan(kept, source, frequency)
        return
    made = plan(kept, source, frequency)
    assert days(made) == [str(label) for label in labels]
    assert counts(made) == np.nan_to_num(values).astype(int).tolist()
