"""The closing lines of the benchmarks."""

import pytest

from targets import Target, report


def test_a_line_names_the_figure_its_target_and_the_verdict() -> None:
    assert str(Target("wall_ratio", 1.234, 1.6, "<=")) == "wall_ratio 1.234 (target <= 1.6) ok"
    assert str(Target("speedup", 2.5, 3, ">=", "x")) == "speedup 2.5 x (target >= 3 x) short"


def test_the_exit_status_says_whether_every_target_is_met(capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = Target("a", 1, 2, "<="), Target("b", 3, 2, "<=")
    assert report([good]) == 0
    assert report([good, bad]) == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("short")
