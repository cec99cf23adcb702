"""Progress: often enough to see it move, never more than once a second."""

from dataclasses import dataclass, field

import pytest

from climatejobs.model import Progress
from climatejobs_runner.reports import Lines, Tracker


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Kept:
    reports: list[Progress] = field(default_factory=list[Progress])

    def report(self, progress: Progress) -> None:
        self.reports.append(progress)


def test_reports_come_at_most_once_a_second_and_at_the_end() -> None:
    clock, kept = Clock(), Kept()
    tracker = Tracker([kept], clock)
    tracker.begin("Aggregating", total=100, unit="steps")
    for _ in range(100):
        clock.now += 0.125
        tracker.advance(1)
    assert [report.done for report in kept.reports] == [0, *range(8, 100, 8), 100]
    assert (kept.reports[-1].percent, kept.reports[-1].unit) == (100, "steps")


def test_no_report_says_more_than_all() -> None:
    kept = Kept()
    tracker = Tracker([kept], Clock())
    tracker.begin("Aggregating", total=2, unit="steps")
    tracker.advance(3)
    assert kept.reports[-1].percent == 100


def test_what_was_done_before_counts_but_not_for_the_rate() -> None:
    clock, kept = Clock(), Kept()
    tracker = Tracker([kept], clock)
    tracker.begin("Going on", total=100, unit="steps", done=90)
    clock.now = 2.0
    tracker.advance(4)
    assert (kept.reports[-1].percent, kept.reports[-1].done, kept.reports[-1].rate) == (94, 94, 2.0)
    assert (tracker.total, tracker.unit) == (100, "steps")


def test_lines_say_how_long_what_and_how_much(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    tracker = Tracker([Lines(clock)], clock)
    clock.now = 12.34
    tracker.begin("Aggregating t2m", total=200, unit="steps")
    tracker.advance(200)
    assert capsys.readouterr().err.splitlines() == [
        "[  12.3 s] Aggregating t2m (0 %, 0 of 200 steps)",
        "[  12.3 s] Aggregating t2m (100 %, 200 of 200 steps)",
    ]
