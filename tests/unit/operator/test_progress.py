"""Progress of one job from several pods, and how often it is written."""

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from climatejobs.model import Phase, Progress
from climatejobs.results import ResultDocument, ShardDone
from climatejobs_operator.cache import Cache
from climatejobs_operator.entries import read_entry
from climatejobs_operator.jobs import Job
from climatejobs_operator.observation import Observation
from climatejobs_operator.pods import Pod
from climatejobs_operator.progress import Timetable, combine, find_completed
from climatejobs_operator.reports import Reports
from tests.unit.operator.builders import (
    NOW,
    RETRYING,
    climatejob_manifest,
    ended_pod,
    make_climatejob,
    make_job,
    plan_for,
    running_pod,
)

JOB: Job = make_job(retries_per_index=2)


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
    combined = combine({0: told(50, rate=1.5), 1: told(90, rate=7.0)}, 2, completed={1: None})
    assert combined is not None
    assert (combined.percent, combined.done, combined.total, combined.rate) == (75, 150, 200, 1.5)
    uncounted = combine({0: told(50), 1: told(90)}, 4, completed={1: None})
    assert uncounted is not None
    assert (uncounted.percent, uncounted.done) == (37, None)


def test_a_share_that_has_nothing_to_do_counts_as_nothing() -> None:
    """It has no unit, and its words are not those of the job."""
    idle = Progress(percent=0, done=0, total=0, unit="", message="Nothing to do", time=NOW + timedelta(seconds=5))
    combined = combine({0: told(50, message="Echoing"), 1: idle}, 2)
    assert combined is not None
    assert (combined.percent, combined.done, combined.total, combined.unit) == (50, 50, 100, "steps")
    assert combined.message == "Echoing"
    nothing = combine({0: idle, 1: idle}, 2, completed={0: None})
    assert nothing is not None
    assert (nothing.percent, nothing.total) == (50, None)


def test_a_share_that_is_done_counts_by_its_last_words_where_it_was_never_heard_of() -> None:
    """As by an operator that has begun to lead after its end, or where it was quicker than its reports."""
    done = ShardDone(index=1, of=3, total=300, unit="steps")
    idle = ShardDone(index=2, of=3, total=0, unit="")
    combined = combine({0: told(50, rate=1.5, message="Echoing")}, 3, completed={1: done, 2: idle})
    assert combined is not None
    assert (combined.percent, combined.done, combined.total, combined.unit) == (87, 350, 400, "steps")
    assert (combined.rate, combined.message) == (1.5, "Echoing")


def test_a_share_that_is_done_and_has_left_no_number_counts_for_percent_alone() -> None:
    """As of a runner from before it left one, or of a pod that has gone with its node."""
    combined = combine({0: told(50)}, 2, completed={1: None})
    assert combined is not None
    assert (combined.percent, combined.done, combined.total) == (75, None, None)


class TestSharesThatAreDone:
    def test_are_found_by_what_their_pods_have_left(self) -> None:
        share = ShardDone(index=2, of=3, total=300, unit="steps")
        done = ended_pod("c", exit_code=0, message=ResultDocument(shard=share).to_json(), index=2)
        failed = ended_pod("a", exit_code=1, index=0)
        assert find_completed(JOB, [failed, running_pod("b", index=1), done]) == {2: share}

    def test_are_known_to_the_job_where_their_pods_are_gone(self) -> None:
        job = JOB.model_copy(update={"status": JOB.status.model_copy(update={"completed_indexes": "0,3-5,7"})})
        assert find_completed(job, []) == dict.fromkeys((0, 3, 4, 5, 7))

    def test_of_a_job_that_was_replaced_are_to_be_done_again(self) -> None:
        assert find_completed(JOB, [ended_pod("a", exit_code=0, index=0, controller="uid-of-the-job-before")]) == {}


class TestTheRate:
    def report(self, *pods: Pod) -> Progress | None:
        """Two shares that have reported, and what has become of their pods."""
        cache = Cache()
        cache.climatejobs.put(read_entry(climatejob_manifest(parallelism=2)))
        reports = Reports(cache, lambda _name, _seconds: None, per_second=10, clock=lambda: 0.0, now=lambda: NOW)
        reports.put_progress("job", running_pod("a", index=0), told(50, rate=1.5))
        reports.put_progress("job", running_pod("b", index=1), told(50, rate=7.0))
        return reports.progress_of(Observation(make_climatejob(parallelism=2), JOB, pods))

    def test_is_that_of_the_pods_that_run(self) -> None:
        running = self.report(running_pod("a", index=0), running_pod("b", index=1))
        assert running is not None
        assert (running.done, running.rate) == (100, 8.5)

    def test_leaves_out_a_share_that_waits_for_its_next_pod(self) -> None:
        failed = ended_pod("b", exit_code=1, index=1)
        for pods in ((failed,), (failed, running_pod("b2", index=1)), ()):
            waiting = self.report(running_pod("a", index=0), *pods)
            assert waiting is not None
            assert (waiting.done, waiting.rate) == (100, 1.5)

    def test_goes_with_the_last_pod(self) -> None:
        progress = told(50, rate=1.5).to_manifest()
        retrying = plan_for(make_climatejob(status={**RETRYING, "progress": progress}), JOB, ended_pod(exit_code=1))
        assert retrying.status.phase is Phase.RETRYING
        assert retrying.status.progress == told(50)


class TestNewsThatComeWhileOthersAreWritten:
    def test_are_written_next(self) -> None:
        times = [100.0]
        reports = Reports(Cache(), lambda _name, _seconds: None, per_second=10, clock=lambda: times[0], now=lambda: NOW)
        seen = Observation(make_climatejob(parallelism=2), JOB, (running_pod("a", index=0), running_pod("b", index=1)))
        reports.put_progress("job", seen.pods[0], told(50))
        written = reports.progress_of(seen)
        assert written is not None
        reports.put_progress("job", seen.pods[1], told(10))  # the write is on its way
        reports.note_written("job", make_climatejob().status, written)
        due = reports.due_seconds("job")
        assert due is not None
        assert 0.9 < due <= 1.1, "one write a second, of this job as of any other"
        times[0] += due
        following = reports.progress_of(seen)
        assert following is not None
        assert (written.done, following.done, following.total) == (None, 60, 200)
        reports.note_written("job", make_climatejob().status, following)
        assert reports.due_seconds("job") is None, "all is said"


@given(st.lists(st.integers(0, 100), min_size=1, max_size=8), st.sets(st.integers(0, 7)))
def test_percent_is_always_one(percents: list[int], completed: set[int]) -> None:
    reports = {index: told(percent) for index, percent in enumerate(percents)}
    combined = combine(reports, 8, dict.fromkeys(completed))
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
