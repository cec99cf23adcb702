"""The informer against a real API server: a place that is lost, and silence."""

import asyncio
from collections.abc import AsyncGenerator, Callable

import pytest

from climatejobs import names
from climatejobs_api.cluster.cache import JobCache
from climatejobs_api.cluster.client import ClusterClient
from climatejobs_api.cluster.informer import Informer
from tests.cluster_objects import ClimateJobs
from tests.integration.conftest import ControlPlane

pytestmark = pytest.mark.integration


class TroubledSource:
    """The real client, with something happening before its watches begin."""

    def __init__(self, client: ClusterClient, before_watch: Callable[[int, str], str]) -> None:
        """`before_watch` gets the count of watches so far and a version, and gives the version to watch from."""
        self._client = client
        self._before_watch = before_watch
        self.watches = 0
        self.lists = 0

    async def list_page(self, limit: int, following: str) -> bytes:
        self.lists += not following
        return await self._client.list_page(2, following)

    async def watch(self, version: str, *, seconds: int, silence: float) -> AsyncGenerator[bytes]:
        self.watches += 1
        start = await asyncio.to_thread(self._before_watch, self.watches, version)
        async for line in self._client.watch(start, seconds=seconds, silence=silence):
            yield line


async def follow(
    control_plane: ControlPlane,
    namespace: str,
    before_watch: Callable[[int, str], str],
    done: Callable[[JobCache, TroubledSource], bool],
    *,
    silence: float = 70,
) -> TroubledSource:
    client = await ClusterClient.connect(namespace, str(control_plane.kubeconfig))
    source, cache = TroubledSource(client, before_watch), JobCache()
    task = asyncio.create_task(Informer(source, cache, jitter=lambda: 0.5, silence=silence).run())
    try:
        async with asyncio.timeout(30):
            while not done(cache, source):  # what is waited for has no event of its own
                assert not task.done(), task.exception()
                await asyncio.sleep(0.02)  # between two looks
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()
    return source


async def test_a_version_that_is_too_old_means_listing_again(
    control_plane: ControlPlane, namespace: str, climate_jobs: ClimateJobs
) -> None:
    for name in ("a", "b", "c", "d", "e"):
        climate_jobs.create(name)

    lost: list[str] = []

    def lose_the_place_once(_watches: int, version: str) -> str:
        if not lost:
            control_plane.objects.delete(names.KIND, "b", namespace, version=names.API_VERSION)
            climate_jobs.create("f")
            lost.append(version)
        # Another watch, too, where the first has failed of something else.
        return "1" if version in lost else version

    source = await follow(
        control_plane,
        namespace,
        lose_the_place_once,
        lambda cache, source: source.lists == 2 and cache.find("f") is not None and cache.find("b") is None,
    )
    assert source.watches >= 1


async def test_a_watch_that_falls_silent_is_renewed_and_misses_nothing(
    control_plane: ControlPlane, namespace: str, climate_jobs: ClimateJobs
) -> None:
    climate_jobs.create("a")

    def create_between(watches: int, version: str) -> str:
        if watches == 2:
            climate_jobs.create("between")
        return version

    source = await follow(
        control_plane,
        namespace,
        create_between,
        lambda cache, _source: cache.find("between") is not None,
        silence=0.5,
    )
    assert source.lists == 1
