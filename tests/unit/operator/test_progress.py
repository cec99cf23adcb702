"""Progress of one job from several pods, and how often it is written."""

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from climatejobs.model import Progress
from climatejobs_operator.progress import Timetable, combine
from tests.unit.operator.builders import NOW


def told(percent: int, total: int | None = 100, **more: object) -> Progress:
    counted = {} if total is None else {"done": percent * total // 100, "total": total, "unit": "steps"}
    return Progress.model_validate({"percent": percent, "time": NOW, **counted, **more})


def test_of_one_pod_the_report_is_taken_as_it_is() -> None:
    assert combine({0: told(40, rate=2.0)}, 1) == told(40, rate=2.0)
    assert combine({}, 1) is None


def test_of_several_the_work_is_added_up() -> None:
    combined = combine({0: told(50, 200, rate=1.5), 1: told(10, 100, rate=0.5)}, 2)
    assert combined is not None
    assert (combined.percent, combined.done, combined.total, combined.rate) == (36, 110, 300, 2.0)


def test_what_only_some_have_said_is_not_passed_off_as_the_whole() -> None:
    combined = combine({0: told(50)}, 4)
    assert combined is not None
    assert (combined.percent, combined.done, combined.total) == (12, None, None)


def test_a_share_that_is_done_counts_in_full_whatever_it_last_said() -> None:
    combined = combine({0: told(50, rate=1.5), 1: told(90, rate=7.0)}, 2, completed={1})
    assert combined is not None
    assert (combined.percent, combined.done, combined.total, combined.rate) == (75, 150, 200, 1.5)
    uncounted = combine({0: told(50), 1: told(90)}, 4, completed={1})
    assert uncounted is not None
    assert (uncounted.percent, uncounted.done) == (37, None)


def test_a_share_that_has_nothing_to_do_counts_as_nothing() -> None:
    """It has no unit, and its words are not those of the job."""
    idle = Progress(percent=0, done=0, total=0, unit="", message="Nothing to do", time=NOW + timedelta(seconds=5))
    combined = combine({0: told(50, message="Echoing"), 1: idle}, 2)
    assert combined is not None
    assert (combined.percent, combined.done, combined.total, combined.unit) == (50, 50, 100, "steps")
    assert combined.message == "Echoing"
    nothing = combine({0: idle, 1: idle}, 2, completed={0})
    assert nothing is not None
    assert (nothing.percent, nothing.total) == (50, None)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=8), st.sets(st.integers(0, 7)))
def test_percent_is_always_one(percents: list[int], completed: set[int]) -> None:
    combined = combine({index: told(percent) for index, percent in enumerate(percents)}, 8, completed)
    assert combined is not None
    assert 0 <= combined.percent <= 100


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 0.4)), max_size=200))
def test_writes_keep_both_limits_however_reports_come(reports: list[tuple[str, float]]) -> None:
    """Each job writes as soon as it may; what is counted is how often that is."""
    timetable, now = Timetable(per_second=4), 100.0
    writes: list[tuple[float, str]] = []

    def write_what_is_due() -> None:
        for name in "abcdef":
            if timetable.due_seconds(name, now) == 0:
                timetable.note_written(name, now)
                writes.append((now, name))

    for name, pause in reports:
        timetable.book(name, now)
        write_what_is_due()
        now += pause
    for name in "abcdef":
        own = [moment for moment, writer in writes if writer == name]
        assert all(later - earlier >= 0.999 for earlier, later in pairwise(own))
    assert len(writes) <= 4 * (now - 100.0) + 6 + 1


def test_no_job_is_passed_over_where_there_are_more_than_the_budget_allows() -> None:
    timetable = Timetable(per_second=10)
    names = [f"job-{number}" for number in range(100)]
    waits = [timetable.book(name, 0.0) for name in names]
    assert max(waits) < 10.1
    assert len({round(wait, 3) for wait in waits}) == 100


def test_a_job_that_has_ended_wants_nothing_any_more() -> None:
    timetable = Timetable(per_second=10)
    timetable.book("a", 0.0)
    timetable.forget("a")
    assert timetable.due_seconds("a", 5.0) is None
