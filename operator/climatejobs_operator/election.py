"""Taking the Lease, keeping it, and laying it down."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from climatejobs_operator import lease as leases
from climatejobs_operator.cluster import LEASES, Cluster, ClusterError, Conflict, NotFound
from climatejobs_operator.leadership import Leadership
from climatejobs_operator.lease import RENEW_DEADLINE_SECONDS, RETRY_SECONDS, Lease
from climatejobs_operator.logs import fields

CALL_SECONDS = 5.0
"""For one look or one renewal: a second one must fit into the deadline."""

logger = logging.getLogger(__name__)


class Election:
    """One candidate. Whoever gets the Lease leads, and stops before anybody else can get it."""

    def __init__(
        self,
        cluster: Cluster,
        leadership: Leadership,
        *,
        name: str,
        identity: str,
        address: str | None,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        chance: Callable[[], float],
    ) -> None:
        self._cluster = cluster
        self._leadership = leadership
        self._name = name
        self._identity = identity
        self._address = address
        self._clock = clock
        self._now = now
        self._chance = chance
        self._lease: Lease | None = None
        self._unchanged_since = clock()
        self._active_at: float | None = None

    @property
    def leading(self) -> bool:
        """Whether this candidate leads now."""
        return self._leadership.remaining_seconds() > 0

    @property
    def leader_address(self) -> str | None:
        """Where the leader takes reports, as far as is known."""
        return self._lease.address if self._lease is not None else None

    @property
    def idle_seconds(self) -> float:
        """How long ago this candidate last did its part in a running election; more than a few seconds are a fault."""
        return self._clock() - self._active_at if self._active_at is not None else 0.0

    async def win(self) -> None:
        """Wait until the Lease is ours."""
        logger.info("Waiting for the Lease", extra=fields(lease=self._name, identity=self._identity))
        try:
            while not await self.take():
                await self._pause()
        finally:
            self._active_at = None
        logger.info("Leading", extra=fields(lease=self._name, identity=self._identity))

    async def hold(self) -> None:
        """Renew the Lease; returns when it is lost, after which nothing may be done any more."""
        try:
            while await self.renew() or self.leading:
                await self._pause()
        finally:
            self._active_at = None
        self._leadership.end()
        logger.error("The Lease is lost", extra=fields(lease=self._name, identity=self._identity))

    async def take(self) -> bool:
        """One attempt to get the Lease; whether it is ours."""
        return await self._try(self._take)

    async def renew(self) -> bool:
        """One attempt to renew the Lease; where it fails, one leads on until the last renewal is too old."""
        return await self._try(self._write)

    async def release(self) -> None:
        """Lay the Lease down, if it is ours; nothing may be done any more."""
        ours = self.leading and self._lease is not None
        self._leadership.end()
        if not ours or self._lease is None:
            return
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await self._lay_down(self._lease)
        except (ClusterError, TimeoutError) as error:
            logger.warning("The Lease could not be laid down, and will run out: %s", error)
        else:
            logger.info("Laid the Lease down", extra=fields(lease=self._name, identity=self._identity))

    async def _lay_down(self, lease: Lease) -> None:
        try:
            await self._cluster.replace(LEASES, leases.released(self._name, self._now(), lease))
        except Conflict:
            # A renewal that was under way when we were told to end may have come through without our hearing of it.
            lease = Lease.from_manifest(await self._cluster.get(LEASES, self._name))
            if lease.spec.holder_identity != self._identity:
                raise
            await self._cluster.replace(LEASES, leases.released(self._name, self._now(), lease))

    async def _try(self, step: Callable[[], Awaitable[bool]]) -> bool:
        """One attempt; whether it left us with the Lease."""
        self._active_at = self._clock()
        seconds = CALL_SECONDS
        if self.leading:
            seconds = min(seconds, self._leadership.remaining_seconds())
        try:
            async with asyncio.timeout(seconds):
                return await step()
        except (ClusterError, TimeoutError) as error:
            reason = str(error) or f"no answer in {seconds:.0f} s"
            logger.warning("The Lease could not be reached: %s", reason, extra=fields(lease=self._name))
            return False

    async def _take(self) -> bool:
        gone = False
        try:
            self._see(Lease.from_manifest(await self._cluster.get(LEASES, self._name)))
        except NotFound:
            gone = True
        # Somebody may delete the Lease under its holder, who goes on until it finds out.
        unchanged = self._clock() - self._unchanged_since
        if self._lease is not None and not leases.may_take(self._lease, self._identity, unchanged):
            return False
        if gone:
            self._lease = None
        return await self._write()

    async def _write(self) -> bool:
        begun = self._clock()
        manifest = leases.held(self._name, self._identity, self._address, self._now(), self._lease)
        write = self._cluster.create if self._lease is None else self._cluster.replace
        try:
            written = await write(LEASES, manifest)
        except (Conflict, NotFound):
            await self._look_again()
            return False
        self._see(Lease.from_manifest(written))
        # Counted from before the write: others count from when they saw it, which cannot have been earlier.
        self._leadership.extend(begun + RENEW_DEADLINE_SECONDS)
        return True

    async def _look_again(self) -> None:
        """Somebody else has written it: taken it, or deleted it."""
        try:
            self._see(Lease.from_manifest(await self._cluster.get(LEASES, self._name)))
        except NotFound:
            self._lease = None
            return
        if self._lease is not None and self._lease.spec.holder_identity != self._identity:
            self._leadership.end()

    def _see(self, lease: Lease) -> None:
        known = self._lease.metadata.resource_version if self._lease is not None else None
        if lease.metadata.resource_version != known:
            self._unchanged_since = self._clock()
        self._lease = lease

    async def _pause(self) -> None:
        await asyncio.sleep(RETRY_SECONDS * (0.9 + self._chance() / 5))
