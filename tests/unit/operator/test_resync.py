"""When the operator compares what it knows with the cluster."""

import asyncio
from collections.abc import Callable

import pytest

from climatejobs_operator.cache import Cache
from climatejobs_operator.cluster import CLIMATEJOBS, PODS
from climatejobs_operator.pulse import Pulse
from climatejobs_operator.resync import SETTLE_SECONDS, Resync
from climatejobs_operator.workqueue import WorkQueue
from tests.unit.operator.builders import pod_manifest
from tests.unit.operator.model_cluster import ModelCluster

PERIOD = 60.0


async def compare(comparisons: int, listing: Callable[[int], bool]) -> list[float]:
    """Seconds waited until each of so many comparisons; `listing` says in which pauses the watches list."""
    pauses: list[float] = []
    waited: list[float] = []
    enough = asyncio.Event()
    loop = asyncio.get_running_loop()
    queue = WorkQueue(loop, lambda: 0.0)

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if listing(len(pauses)):
            resync.note_listing()
        await asyncio.sleep(0)

    def count(kind: str, _number: int) -> None:
        if kind == CLIMATEJOBS.plural:
            waited.append(sum(pauses))
        if len(waited) == comparisons:
            enough.set()

    resync = Resync(ModelCluster(), Cache(), queue, Pulse(queue, loop.time), PERIOD, count_put_right=count, sleep=sleep)
    running = asyncio.create_task(resync.run(lambda: 0.0))
    await asyncio.wait_for(enough.wait(), 10)
    running.cancel()
    return waited[:comparisons]


async def test_the_first_comparison_is_made_at_once_and_another_when_the_watches_have_begun() -> None:
    assert await compare(2, lambda _pause: False) == [0, SETTLE_SECONDS]


async def test_one_comparison_follows_the_lists_of_watches_however_long_these_are_handed_on() -> None:
    assert await compare(2, lambda pause: pause <= 3) == [0, 4 * SETTLE_SECONDS]


async def test_a_comparison_is_made_although_the_watches_never_come_to_the_end_of_their_lists() -> None:
    assert await compare(3, lambda _pause: True) == [0, PERIOD, 2 * PERIOD]


async def test_a_pod_that_is_not_as_it_should_be_keeps_nobody_else_out_of_account(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster, cache = ModelCluster(), Cache()
    odd = pod_manifest("odd")
    odd["status"]["containerStatuses"] = "none"
    cluster.stored[PODS.plural] = {"odd": odd, "pod-1": pod_manifest("pod-1")}
    queue = WorkQueue(asyncio.get_running_loop(), lambda: 0.0)
    await Resync(cluster, cache, queue, Pulse(queue, lambda: 0.0), PERIOD).compare()
    assert [cache.pods.get(name) is None for name in ("odd", "pod-1")] == [True, False]
    assert len(cache.climatejobs) == 1
    (told,) = (record for record in caplog.records if record.levelname == "ERROR")
    assert told.getMessage().startswith(
        "One of the pods cannot be read, and is left out of account until it is mended or deleted: "
    )
