"""The CPUs of a container are those of its quota, not those of its host."""

import pytest

from climatejobs_runner.machine import cpus_within


@pytest.mark.parametrize(
    ("quota", "cpus"),
    [
        ("max 100000", 4),
        ("50000 100000", 1),
        ("200000 100000\n", 2),
        ("250000 100000", 3),
        ("800000 100000", 4),
        ("", 4),
    ],
)
def test_cpus_within_a_quota(quota: str, cpus: int) -> None:
    assert cpus_within(quota, available=4) == cpus
