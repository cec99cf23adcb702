"""The operator's process: puts the parts together, and ends when it is told to or when a part of it ends."""

import asyncio
import contextlib
import logging
import socket
import sys
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from random import SystemRandom

import kopf

from climatejobs.outbound import read_allowance
from climatejobs_operator.cache import Cache
from climatejobs_operator.cluster import CLIMATEJOBS, Cluster, ClusterError
from climatejobs_operator.deliveries import Deliveries
from climatejobs_operator.expiry import Expiry
from climatejobs_operator.handlers import NoMemories, build_registry, build_settings
from climatejobs_operator.intake import Intake
from climatejobs_operator.login import Credentials, NoCredentials
from climatejobs_operator.logs import configure_logging
from climatejobs_operator.posting import Poster
from climatejobs_operator.probes import serve_probes
from climatejobs_operator.pulse import Pulse
from climatejobs_operator.queue import Limits, Line
from climatejobs_operator.reconcile import Reconciler
from climatejobs_operator.resync import Resync
from climatejobs_operator.settings import Settings, SettingsError
from climatejobs_operator.workqueue import Backoff, WorkQueue

EX_CONFIG = 78

logger = logging.getLogger(__name__)
chance = SystemRandom().random


def main() -> int:
    """Run until SIGTERM or SIGINT; 0 then, 78 where the configuration is at fault, 1 where anything else is."""
    try:
        settings = Settings.from_environment()
        credentials = Credentials.find()
    except (SettingsError, NoCredentials) as error:
        sys.stderr.write(f"climatejobs-operator: {error}\n")
        return EX_CONFIG
    configure_logging(settings.log_level, settings.log_format)
    asyncio.run(operate(settings, credentials))
    return 0


async def operate(settings: Settings, credentials: Credentials) -> None:
    """Everything, until kopf ends (on a signal) or a part fails."""
    queue = WorkQueue(asyncio.get_running_loop(), chance)
    pulse = Pulse(queue, time.monotonic)
    cache = Cache()
    errands = WorkQueue(asyncio.get_running_loop(), chance)
    intake = Intake(cache, queue, pulse, owes=errands.add)
    line = Line(cache, Limits(settings.max_running, settings.max_running_per_submitter), queue.add)
    async with credentials.open_session() as session, serve_probes(pulse, settings.probe_port):
        cluster = Cluster(session, credentials.server, settings.namespace)
        await wait_until_served(cluster)
        expiry = Expiry(cluster, queue, settings, now=now)
        resync = Resync(cluster, cache, queue, pulse, settings.resync_seconds)
        reconciler = Reconciler(
            cluster,
            cache,
            queue,
            intake,
            settings,
            line=line,
            expiry=expiry,
            instance=socket.gethostname(),
            now=now,
        )
        deliveries = Deliveries(
            cluster,
            Poster(read_allowance(settings.fetch_allow)),
            errands,
            public_url=settings.public_url,
            now=now,
        )
        await run_together(
            watch(settings, build_registry(intake, credentials, resync.note_listing)),
            resync.run(chance),
            expiry.run(chance),
            *(reconciler.work(resync.synced) for _ in range(settings.workers)),
            *deliveries.parts(settings.resync_seconds),
        )
    logger.info("Stopped")


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


async def watch(settings: Settings, registry: kopf.OperatorRegistry) -> None:
    """kopf, until a signal ends it."""
    await kopf.operator(
        registry=registry,
        settings=build_settings(),
        memories=NoMemories(),
        namespaces=[settings.namespace],
        standalone=True,
    )


async def wait_until_served(cluster: Cluster) -> None:
    """Wait for the API server and our custom resource: kopf looks for it once, at its start."""
    backoff = Backoff(first_seconds=0.5, max_seconds=10)
    for failures in range(1, sys.maxsize):
        try:
            async for _ in cluster.list_pages(CLIMATEJOBS, limit=1):
                return
        except ClusterError as error:
            pause = backoff.delay(failures, chance())
            logger.warning("ClimateJobs cannot be listed yet: %s; trying again in %.1f s", error, pause)
            await asyncio.sleep(pause)


async def run_together(*parts: Coroutine[None, None, None]) -> None:
    """Run parts of which none is any good alone: when one ends, well or not, the others are ended.

    All of them are tasks before any begins: kopf, when it ends, waits for tasks that are younger than itself.
    """
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    for task in tasks:
        if task not in done:
            with contextlib.suppress(asyncio.CancelledError):
                await task
    for task in done:
        task.result()


if __name__ == "__main__":
    sys.exit(main())
