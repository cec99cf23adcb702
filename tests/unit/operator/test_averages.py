"""An average of what was measured of late."""

from climatejobs_operator.averages import MovingAverage


def test_what_was_measured_long_ago_does_not_count() -> None:
    average = MovingAverage(weight=0.5, keep_seconds=5)
    average.take(1, now=100)
    average.take(2, now=101)
    assert average.read(106) == 1.25
    assert average.read(106.1) == 0
    average.take(1, now=200)
    assert average.read(200) == 0.5
