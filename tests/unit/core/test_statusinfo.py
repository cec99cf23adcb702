import json
from typing import Any

import pytest

from climatejobs.ogc.documents import render
from climatejobs.ogc.links import RELATIONS, Links
from climatejobs.ogc.statusinfo import describe_job, describe_removed
from tests.unit.api.manifests import job

LINKS = Links("http://api.test")


def described(**members: Any) -> dict[str, Any]:
    return json.loads(render(describe_job(job(**members), LINKS)))


def relations(info: dict[str, Any]) -> set[str]:
    return {link["rel"] for link in info["links"]}


@pytest.mark.parametrize(
    ("phase", "status"),
    [
        (None, "accepted"),
        ("Pending", "accepted"),
        ("Suspended", "accepted"),
        ("Running", "running"),
        ("Retrying", "running"),
        ("Succeeded", "successful"),
        ("Failed", "failed"),
        ("Cancelled", "dismissed"),
    ],
)
def test_phases_are_told_in_the_standards_words(phase: str | None, status: str) -> None:
    info = described(**({"phase": phase} if phase else {}))
    assert info["status"] == status
    assert info["phase"] == (phase or "Pending")
    assert info["type"] == "process"


@pytest.mark.parametrize("phase", ["Pending", "Suspended", "Running", "Retrying"])
def test_a_job_being_stopped_is_dismissed(phase: str) -> None:
    info = described(spec={"cancel": True}, phase=phase, message="3 of 7 steps")
    assert (info["status"], info["message"]) == ("dismissed", "stopping")


def test_a_job_that_had_succeeded_stays_successful() -> None:
    assert described(spec={"cancel": True}, phase="Succeeded")["status"] == "successful"


def test_results_are_linked_only_where_there_are_some() -> None:
    assert f"{RELATIONS}results" in relations(described(phase="Succeeded"))
    for phase in ("Pending", "Running", "Failed", "Cancelled"):
        assert f"{RELATIONS}results" not in relations(described(phase=phase))
    assert f"{RELATIONS}exceptions" in relations(described(phase="Failed"))
    assert {"self", "monitor", "up"} <= relations(described(phase="Running"))


def test_everything_known_is_told() -> None:
    info = described(
        submitted="2025-01-01T00:00:00.250000Z",
        phase="Retrying",
        message="attempt 2 of 3 follows",
        attempts=2,
        retryAt="2025-01-01T00:05:00Z",
        startedAt="2025-01-01T00:01:00Z",
        progress={"percent": 40, "done": 4, "total": 10, "unit": "steps", "time": "2025-01-01T00:02:00Z"},
        error={"type": "urn:climatejobs:error:temporary", "title": "T", "detail": "D", "attempt": 1},
    )
    assert info["created"] == "2025-01-01T00:00:00.250000Z"
    assert info["started"] == "2025-01-01T00:01:00Z"
    assert info["updated"] == "2025-01-01T00:02:00Z"
    assert info["progress"] == 40
    assert isinstance(info["progress"], int)
    assert info["progressDetail"] == {"done": 4, "total": 10, "unit": "steps", "time": "2025-01-01T00:02:00Z"}
    assert (info["attempt"], info["maxAttempts"], info["retryAfter"]) == (2, 3, "2025-01-01T00:05:00Z")
    assert info["error"] == {"type": "urn:climatejobs:error:temporary", "title": "T", "detail": "D", "attempt": 1}
    assert info["jobID"] == "echo-1"
    assert info["processID"] == "echo"


def test_progress_ends_at_a_hundred() -> None:
    assert described(phase="Succeeded", progress={"percent": 97})["progress"] == 100
    assert described()["progress"] == 0


def test_nothing_is_null() -> None:
    assert "null" not in json.dumps(described())
    assert "null" not in json.dumps(described(phase="Failed", progress={"percent": 1}))


def test_a_removed_job_is_dismissed_and_leads_nowhere_but_up() -> None:
    info = describe_removed(job(phase="Succeeded"), LINKS)
    assert info.status == "dismissed"
    assert [link.rel for link in info.links] == ["up"]
