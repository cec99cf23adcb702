from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from climatejobs_api.filters import Interval, JobFilter, parse_interval
from tests.unit.api.manifests import record

NOW = datetime(2025, 1, 2, tzinfo=UTC)
HOUR = {"startedAt": "2025-01-01T00:00:00Z", "finishedAt": "2025-01-01T01:00:00Z"}


def passes(conditions: dict[str, Any], **job: Any) -> bool:
    return JobFilter(NOW, **conditions).matches(record(**job))


def test_without_conditions_every_job_is_listed() -> None:
    assert passes({})
    assert passes({}, phase="Failed")


@pytest.mark.parametrize(
    ("conditions", "listed"),
    [
        ({"processes": ["echo"]}, True),
        ({"processes": ["resample", "echo"]}, True),
        ({"processes": ["resample"]}, False),
        ({"statuses": ["running"]}, True),
        ({"statuses": ["running", "failed"]}, True),
        ({"statuses": ["failed"]}, False),
        ({"processes": ["echo"], "statuses": ["failed"]}, False),
    ],
)
def test_members_are_alternatives_and_conditions_hold_together(conditions: dict[str, Any], listed: bool) -> None:
    assert passes(conditions, phase="Retrying") is listed


def test_a_job_that_is_being_stopped_is_a_dismissed_one() -> None:
    assert passes({"statuses": ["dismissed"]}, phase="Running", spec={"cancel": True})
    assert not passes({"statuses": ["running"]}, phase="Running", spec={"cancel": True})
    assert passes({"statuses": ["successful"]}, phase="Succeeded", spec={"cancel": True})


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("2025-01-01T00:00:00Z", True),
        ("2025-01-01T01:00:00+01:00", True),
        ("2025-01-01T00:00:01Z", False),
        ("2025-01-01T00:00:00.000000Z", False),
        ("2025-01-01T00:00:00Z/2025-01-01T00:00:01Z", True),
        ("../2025-01-01T00:00:00Z", False),
        ("../2025-01-01T00:00:00.5000001Z", True),
        ("/2025-01-02T00:00:00Z", True),
        ("2025-01-01T00:00:00Z/..", True),
        ("2025-01-02T00:00:00Z/", False),
        ("../..", True),
        ("2025-01-02T00:00:00Z/2025-01-01T00:00:00Z", False),
    ],
)
def test_the_time_of_creation_lies_in_the_interval(text: str, listed: bool) -> None:
    assert passes({"created": parse_interval(text)}, submitted="2025-01-01T00:00:00.500000Z") is listed


def test_a_moment_without_a_fraction_is_the_whole_second() -> None:
    start = datetime(2025, 1, 1, tzinfo=UTC)
    assert parse_interval("2025-01-01T00:00:00Z") == Interval(start, start + timedelta(microseconds=999999))


@pytest.mark.parametrize(
    ("bounds", "job", "listed"),
    [
        ((3600, None), {"phase": "Succeeded", **HOUR}, True),
        ((3601, None), {"phase": "Succeeded", **HOUR}, False),
        ((None, 3600), {"phase": "Failed", **HOUR}, True),
        ((None, 3599), {"phase": "Failed", **HOUR}, False),
        ((86400, 86400), {"phase": "Running", "startedAt": HOUR["startedAt"]}, True),
        ((86401, None), {"phase": "Running", "startedAt": HOUR["startedAt"]}, False),
        ((0, None), {"phase": "Pending"}, False),
        ((0, None), {"phase": "Cancelled", "finishedAt": HOUR["finishedAt"]}, False),
        ((0, None), {"phase": "Cancelled", "startedAt": HOUR["startedAt"]}, False),
        ((0, None), {"phase": "Suspended", "startedAt": HOUR["startedAt"]}, False),
    ],
)
def test_how_long_a_job_took(bounds: tuple[int | None, int | None], job: dict[str, Any], listed: bool) -> None:
    assert passes({"min_seconds": bounds[0], "max_seconds": bounds[1]}, **job) is listed


def test_waiting_jobs_have_a_duration_only_where_they_are_asked_for() -> None:
    held = {"phase": "Suspended", "startedAt": HOUR["startedAt"]}
    assert passes({"min_seconds": 1, "statuses": ["accepted"]}, **held)
