"""What a flood of made-up tokens can cost: so many questions of one address a minute, and so many at a time in all.

A token that has been good before is nobody's flood: whoever shares an address with one that sends bad ones gets on.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from climatejobs.errors import TYPE_PREFIX
from climatejobs_api.auth.callers import NoVerdict
from climatejobs_api.problems import Problem
from climatejobs_api.rates import Rate

PER_MINUTE = 120
"""Tokens that one address may have looked at for the first time."""
AT_ONCE = 8
"""Questions about such tokens that are on their way at a time."""
WAITING = 200
"""Requests that wait for their question to be asked."""
KNOWN = 4096
"""Tokens that are remembered for having been good."""


class Strangers:
    """Tokens that have never been good here, and how many of them are looked at."""

    def __init__(
        self,
        *,
        per_minute: int = PER_MINUTE,
        at_once: int = AT_ONCE,
        waiting: int = WAITING,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`now` gives the time since 1970."""
        self._per_minute = per_minute
        self._rate = Rate(per_minute)
        self._turns = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._present = 0
        self._now = now
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def knows(self, digest: bytes) -> bool:
        """Whether the token of that digest has been good, as far as that is remembered."""
        return digest in self._known

    def note(self, digest: bytes, *, good: bool) -> None:
        """Take in what has been said of a token."""
        if not good:
            self._known.pop(digest, None)
            return
        self._known[digest] = None
        self._known.move_to_end(digest)
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)

    @asynccontextmanager
    async def question(self, address: str) -> AsyncGenerator[None]:
        """Have a turn to ask about a token from that address; raises `Problem` 429 or `NoVerdict`."""
        seconds = self._rate.take(address, self._now())
        if seconds:
            raise Problem(
                429,
                type=f"{TYPE_PREFIX}too-many-tokens",
                title="Too many unknown tokens",
                detail=f"{address} has sent {self._per_minute} tokens within a minute that were not known here before",
                hint=f"Send one that is valid, in {seconds} seconds.",
                headers={"Retry-After": str(seconds)},
            )
        if self._present >= self._most:
            raise NoVerdict("too many unknown tokens are being looked at", retry_after=1)
        self._present += 1
        try:
            async with self._turns:
                yield
        finally:
            self._present -= 1
