"""One term as the leader: everything that only one operator may do at a time, from scratch, until the Lease is lost.

What a term knows dies with it. A part that is to run while this operator leads, and only then, is one more coroutine
in `Term.parts`.
"""

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from random import SystemRandom

import aiohttp
import kopf

from climatejobs.outbound import read_allowance
from climatejobs_operator.announcements import Announcements
from climatejobs_operator.cache import Cache
from climatejobs_operator.cluster import Cluster
from climatejobs_operator.deferral import Slowness
from climatejobs_operator.deliveries import Deliveries
from climatejobs_operator.expiry import Expiry
from climatejobs_operator.following import follow_children
from climatejobs_operator.handlers import NoMemories, build_registry, build_settings
from climatejobs_operator.intake import Intake
from climatejobs_operator.login import Credentials
from climatejobs_operator.metrics import Metrics, Work
from climatejobs_operator.posting import Poster
from climatejobs_operator.pulse import Pulse
from climatejobs_operator.queue import Limits, Line
from climatejobs_operator.reception import Reception
from climatejobs_operator.reconcile import Reconciler
from climatejobs_operator.reports import Reports
from climatejobs_operator.resync import Resync
from climatejobs_operator.settings import Settings
from climatejobs_operator.stopping import Stop
from climatejobs_operator.tokens import Tokens
from climatejobs_operator.watching import keep_watching
from climatejobs_operator.workqueue import WorkQueue

chance = SystemRandom().random


class Term:
    """The parts of a leading operator."""

    def __init__(self, cluster: Cluster, credentials: Credentials, settings: Settings, metrics: Metrics) -> None:
        def open_session() -> kopf.AiohttpSession:
            return kopf.AiohttpSession(server=credentials.server, aiohttp_session=self._open_watching_session())

        self._credentials = credentials
        self._settings = settings
        self._metrics = metrics
        cache = Cache()
        queue = WorkQueue(asyncio.get_running_loop(), chance, starts=cache.lacks_job)
        self.pulse = Pulse(queue, time.monotonic)
        errands = WorkQueue(asyncio.get_running_loop(), chance)
        self._intake = intake = Intake(cache, queue, self.pulse, owes=errands.add)
        line = Line(cache, Limits(settings.max_running, settings.max_running_per_submitter), queue.add)
        reports = Reports(
            cache,
            lambda name, seconds: queue.add_after(name, seconds) if seconds else queue.add(name),
            per_second=settings.progress_per_second,
            clock=time.monotonic,
            now=lambda: datetime.now(UTC),
        )
        self._expiry = Expiry(cluster, queue, settings, now=lambda: datetime.now(UTC))
        self.work = Work(cache, queue)
        self._resync = Resync(
            cluster, cache, queue, self.pulse, settings.resync_seconds, count_put_right=metrics.count_put_right
        )
        self._registry = build_registry(intake, open_session, self._resync.note_listing)
        self._announcements = Announcements(
            cluster,
            instance=settings.identity,
            now=lambda: datetime.now(UTC),
            count_unposted=metrics.count_unposted_event,
        )
        self._reconciler = Reconciler(
            cluster,
            cache,
            queue,
            intake,
            settings,
            line=line,
            expiry=self._expiry,
            reports=reports,
            announcements=self._announcements,
            metrics=metrics,
            now=lambda: datetime.now(UTC),
            slow=Slowness(lambda: cluster.write_seconds, settings.slow_write_seconds, time.monotonic).is_felt,
        )
        self._deliveries = Deliveries(
            cluster,
            Poster(read_allowance(settings.fetch_allow)),
            errands,
            public_url=settings.public_url,
            now=lambda: datetime.now(UTC),
        )
        tokens = Tokens(cluster, settings.namespace, settings.runner_service_account, time.monotonic)
        self.reception = Reception(cluster, cache, reports, tokens, self._resync.synced)

    def parts(self) -> list[Coroutine[None, None, None]]:
        """What runs side by side while this operator leads, kopf's watch apart."""
        return [
            self._follow_children(),
            self._resync.run(chance),
            self._expiry.run(chance),
            *(self._reconciler.work(self._resync.synced) for _ in range(self._settings.workers)),
            *self._announcements.parts(),
            *self._deliveries.parts(self._settings.resync_seconds),
        ]

    async def serve(self, holding: Coroutine[None, None, None], stop: Stop) -> None:
        """Lead while `holding` the Lease lasts, until told to stop, or until a part fails, which is raised.

        Nothing of the term goes on after that.
        """
        over = asyncio.Event()
        # kopf, when it ends, ends all tasks that are younger than itself: it is the last to begin.
        watching = keep_watching(lambda: self._watch(over, stop), chance, failed=self._metrics.count_watch_failure)
        parts = [holding, stop.wait(), *self.parts(), watching]
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.set()
            await _end(tasks)
            await self._announcements.finish()
        for task in done:
            task.result()

    def _open_watching_session(self) -> aiohttp.ClientSession:
        return self._credentials.open_session(self._metrics.measure_call, self.pulse.streams.follow)

    async def _follow_children(self) -> None:
        await self._resync.synced.wait()  # not two lists of everything at the same time
        async with self._open_watching_session() as session, asyncio.TaskGroup() as followers:
            cluster = Cluster(session, self._credentials.server, self._settings.namespace)
            failed = self._metrics.count_watch_failure
            for follower in follow_children(cluster, self._intake, self._resync.note_listing, failed):
                followers.create_task(follower.run(chance))

    async def _watch(self, over: asyncio.Event, stop: Stop) -> None:
        """kopf, until the term is over. It takes the signals for itself as it begins, and they are taken back."""
        begun = asyncio.Event()
        watching = asyncio.create_task(
            kopf.operator(
                registry=self._registry,
                settings=build_settings(),
                memories=NoMemories(),
                namespaces=[self._settings.namespace],
                standalone=True,
                stop_flag=over,
                ready_flag=begun,
            )
        )
        beginning = asyncio.create_task(begun.wait())
        try:
            await asyncio.wait({watching, beginning}, return_when=asyncio.FIRST_COMPLETED)
            stop.listen()
            await watching
            stop.ask()  # it heard a signal before we did
        finally:
            await _end([beginning, watching])


async def _end(tasks: list[asyncio.Task[None]] | list[asyncio.Task[object]]) -> None:
    """End tasks, however they take it."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
