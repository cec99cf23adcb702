"""The Job controller's arithmetic, restated."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from climatejobs_operator.attempts import attempts_before, backoff_limit, count_failures, forecast_retry
from tests.unit.operator.builders import NOW, ended_pod, make_job


@given(limit=st.integers(1, 10), before=st.integers(0, 9))
def test_a_job_tells_how_many_attempts_had_gone_before_it(limit: int, before: int) -> None:
    before = min(before, limit - 1)
    assert attempts_before(limit, make_job(backoff_limit=backoff_limit(limit, before))) == before


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 10), (2, 20), (3, 40), (6, 320), (7, 600), (8, 600), (1000, 600)]
)
def test_the_pause_doubles_up_to_ten_minutes(failures: int, seconds: int) -> None:
    pod = ended_pod(exit_code=1, finished=0)
    assert forecast_retry([pod], failures, None, NOW) == NOW + timedelta(seconds=seconds)


def test_the_pause_counts_from_the_last_end_and_counts_disruptions() -> None:
    pods = [ended_pod("a", exit_code=1, finished=-30), ended_pod("b", exit_code=143, disrupted=True, finished=-1)]
    assert forecast_retry(pods, 1, None, NOW) == NOW + timedelta(seconds=19)


def test_a_forecast_is_kept_when_its_pod_is_gone() -> None:
    known = NOW + timedelta(seconds=7)
    assert forecast_retry([], 1, known, NOW) == known
    assert forecast_retry([], 1, None, NOW) == NOW + timedelta(seconds=10)


@given(late=st.integers(0, 100_000))
def test_a_forecast_lies_ahead_and_stays_until_it_passes(late: int) -> None:
    pod = ended_pod(exit_code=1, finished=-10)
    now = NOW + timedelta(seconds=late)
    forecast = forecast_retry([pod], 1, None, now)
    assert forecast > now
    assert forecast_retry([pod], 1, forecast, forecast - timedelta(seconds=1)) == forecast


@pytest.mark.parametrize(("code", "disrupted", "counts"), [(1, False, 1), (143, True, 0), (65, True, 1), (0, False, 0)])
def test_what_counts_follows_the_rules_of_the_job(code: int, disrupted: bool, counts: int) -> None:
    assert count_failures(make_job(), [ended_pod(exit_code=code, disrupted=disrupted)]) == counts
