"""Delivery and its record, with an API server that refuses, is away, or sees the operator die."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import JsonValue

from climatejobs_operator import cluster as real
from climatejobs_operator.callbacks import Outcome
from climatejobs_operator.cluster import ClusterError, Conflict, NotFound, Page, Resource
from climatejobs_operator.deliveries import DUE, Deliveries
from climatejobs_operator.workqueue import WorkQueue
from tests.unit.operator.builders import climatejob_manifest

NOW = datetime(2025, 1, 1, tzinfo=UTC)


class OneJob(real.Cluster):
    """An API server that holds one ClimateJob, whose success is still to be told."""

    def __init__(self) -> None:
        self.manifest: dict[str, Any] = climatejob_manifest(
            subscriber={"successUri": "http://a.test/s"},
            status={
                "phase": "Succeeded",
                "results": {"message": "hello"},
                "callbacks": [{"event": "success", "state": "Pending"}],
                "callbacksDue": True,
            },
        )
        self.before_write: Callable[[], None] = lambda: None
        self.selected: list[str] = []

    async def list_pages(
        self, resource: Resource, *, labels: str = "", fields: str = "", limit: int = 500
    ) -> AsyncIterator[Page]:
        self.selected.append(fields)
        due = self.manifest["status"]["callbacksDue"]
        yield Page((self.manifest,) if due else (), "1")

    async def get(self, resource: Resource, name: str) -> real.Manifest:
        if not self.manifest:
            raise NotFound("gone", status=404)
        return deepcopy(self.manifest)

    async def patch_status(
        self, resource: Resource, name: str, version: str, members: Mapping[str, JsonValue]
    ) -> real.Manifest:
        self.before_write()
        if version != self.manifest["metadata"]["resourceVersion"]:
            raise Conflict("changed meanwhile", status=409)
        self.touch(**members)
        return deepcopy(self.manifest)

    def touch(self, **members: Any) -> None:
        self.manifest["status"] |= deepcopy(members)
        self.manifest["metadata"]["resourceVersion"] = str(int(self.manifest["metadata"]["resourceVersion"]) + 1)

    @property
    def record(self) -> dict[str, Any]:
        (record,) = self.manifest["status"]["callbacks"]
        return record


class Listed:
    """A post that notes what it is given."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.sent: list[tuple[str, str, Mapping[str, str]]] = []

    async def post(self, url: str, body: str, headers: Mapping[str, str]) -> Outcome:
        self.sent.append((url, body, headers))
        return self.outcomes.pop(0) if self.outcomes else Outcome()


@pytest.fixture
def cluster() -> OneJob:
    return OneJob()


def deliveries(cluster: OneJob, post: Listed, now: datetime = NOW) -> Deliveries:
    queue = WorkQueue(asyncio.get_running_loop(), lambda: 0.5)
    return Deliveries(cluster, post, queue, public_url="http://api.test", now=lambda: now)


async def test_a_delivery_is_recorded(cluster: OneJob) -> None:
    post = Listed()
    await deliveries(cluster, post).deliver("job")
    ((url, body, headers),) = post.sent
    assert (url, body) == ("http://a.test/s", '{"message":"hello"}')
    assert headers["Idempotency-Key"] == '"uid-of-job-success"'
    assert (cluster.record["state"], cluster.record["tries"]) == ("Delivered", 1)
    assert cluster.manifest["status"]["callbacksDue"] is False
    assert await deliveries(cluster, post).deliver("job") is None
    assert len(post.sent) == 1


async def test_a_failure_is_recorded_with_the_time_to_come_back(cluster: OneJob) -> None:
    post = Listed(Outcome("the receiver answers 500"))
    works = deliveries(cluster, post)
    await works.deliver("job")
    assert (cluster.record["state"], cluster.record["detail"]) == ("Pending", "the receiver answers 500")
    assert await works.deliver("job") == NOW + timedelta(seconds=10)
    assert len(post.sent) == 1
    await deliveries(cluster, post, NOW + timedelta(seconds=10)).deliver("job")
    assert (cluster.record["state"], cluster.record["tries"]) == ("Delivered", 2)


async def test_a_status_that_has_moved_on_gets_the_record_and_keeps_the_rest(cluster: OneJob) -> None:
    def move_on() -> None:
        cluster.before_write = lambda: None
        cluster.touch(message="Something else.")

    cluster.before_write = move_on
    post = Listed()
    await deliveries(cluster, post).deliver("job")
    assert (cluster.record["state"], cluster.manifest["status"]["message"]) == ("Delivered", "Something else.")
    assert len(post.sent) == 1


async def test_a_record_that_cannot_be_written_makes_no_second_delivery(cluster: OneJob) -> None:
    def away() -> None:
        raise ClusterError("the API server cannot be reached")

    cluster.before_write = away
    post = Listed()
    works = deliveries(cluster, post)
    for _ in range(3):
        with pytest.raises(ClusterError):
            await works.deliver("job")
    cluster.before_write = lambda: None
    await works.deliver("job")
    assert (cluster.record["state"], len(post.sent)) == ("Delivered", 1)


async def test_dying_between_delivery_and_record_makes_a_second_delivery(cluster: OneJob) -> None:
    def die() -> None:
        raise asyncio.CancelledError

    cluster.before_write = die
    post = Listed()
    with pytest.raises(asyncio.CancelledError):
        await deliveries(cluster, post).deliver("job")
    cluster.before_write = lambda: None
    await deliveries(cluster, post).deliver("job")
    assert (cluster.record["state"], len(post.sent)) == ("Delivered", 2)


async def test_what_is_due_is_found_without_a_watch(cluster: OneJob) -> None:
    post = Listed()
    tasks = [asyncio.create_task(part) for part in deliveries(cluster, post).parts(period=60)]
    async with asyncio.timeout(5):
        while cluster.record["state"] != "Delivered":  # noqa: ASYNC110  # what is waited for has no event of its own
            await asyncio.sleep(0.001)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert cluster.selected == [DUE]


async def test_a_job_that_is_gone_owes_nothing(cluster: OneJob) -> None:
    cluster.manifest = {}
    assert await deliveries(cluster, Listed()).deliver("job") is None
