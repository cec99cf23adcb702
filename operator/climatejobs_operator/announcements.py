"""Posts the events, beside the work that they tell of: news for people never keeps a job waiting.

Each is on its way within milliseconds where the API server has time. Where it has none, a few are posted at a time, and
the others stand in line, with the time at which what they tell of happened. Those that are left when the operator ends
are posted before it does, if that takes but a moment: the next operator knows nothing of them.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from datetime import datetime

from climatejobs.model import ObjectMeta
from climatejobs_operator.cluster import EVENTS, Cluster, ClusterError, Conflict, Manifest
from climatejobs_operator.events import Event, build_event
from climatejobs_operator.logs import fields

POSTERS = 8
"""Events that are posted at the same time."""
MAX_WAITING = 1000
"""Events in line. Where the API server is away for long, those that come then are not posted."""

LAST_SECONDS = 2.0
"""For what is left in line at the end."""

logger = logging.getLogger(__name__)


class Announcements:
    """Events, in a line of their own. For use within one event loop."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        instance: str,
        now: Callable[[], datetime],
        count_unposted: Callable[[], None] = lambda: None,
    ) -> None:
        """`count_unposted` is called for every event that is not posted."""
        self._count_unposted = count_unposted
        self._cluster = cluster
        self._instance = instance
        self._now = now
        self._line = asyncio.Queue[tuple[Event, ObjectMeta, Manifest]]()
        self._posting = 0

    def announce(self, event: Event, subject: ObjectMeta) -> None:
        """Have an event posted that tells what has just happened, when `subject` was as it is."""
        if len(self) >= MAX_WAITING:
            self._give_up(event, subject, f"{len(self)} others stand in line")
            return
        self._line.put_nowait((event, subject, build_event(event, subject, self._now(), self._instance)))

    def parts(self) -> list[Coroutine[None, None, None]]:
        """What runs for as long as events are posted."""
        return [self.work() for _ in range(POSTERS)]

    async def work(self) -> None:
        """Post for ever."""
        while True:
            await self._post_in_any_case()

    async def finish(self, seconds: float = LAST_SECONDS) -> None:
        """Once nobody posts any more: post what is left, for so many seconds; count and tell of the rest."""

        async def post() -> None:
            while not self._line.empty():
                await self._post_in_any_case()

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(post() for _ in range(POSTERS)))
        while not self._line.empty():
            event, subject, _ = self._line.get_nowait()
            self._give_up(event, subject, "the operator ends")

    async def post_next(self) -> None:
        """Post the next event. One that cannot be posted is counted and told of, and never worth more than that."""
        entry = event, subject, manifest = await self._line.get()
        self._posting += 1
        try:
            await self._cluster.create(EVENTS, manifest)
        except Conflict:
            pass  # posted before
        except ClusterError as error:
            self._give_up(event, subject, str(error))
        except asyncio.CancelledError:
            self._line.put_nowait(entry)  # for `finish`
            raise
        finally:
            self._posting -= 1

    def __len__(self) -> int:
        """Events that are not posted yet."""
        return self._line.qsize() + self._posting

    async def _post_in_any_case(self) -> None:
        try:
            await self.post_next()
        except Exception:
            self._count_unposted()
            logger.exception("Unexpected failure; an event is not posted")

    def _give_up(self, event: Event, subject: ObjectMeta, why: str) -> None:
        self._count_unposted()
        logger.warning("Event %s not posted: %s", event.reason, why, extra=fields(job=subject.name))
