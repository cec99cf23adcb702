"""kopf's watch of the ClimateJobs, kept going: what ends it is no reason for the process to end.

An error in a watch other than "gone" (a 500 while etcd changes its leader, say) ends kopf, and so does a list that
fails for a minute. It is begun anew; the comparison that follows each of its lists puts right what was missed.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from climatejobs_operator.logs import fields
from climatejobs_operator.workqueue import Backoff

STEADY_SECONDS = 60.0
"""Watches that lasted so long had begun well: the next end counts as the first."""

logger = logging.getLogger(__name__)


async def keep_watching(
    watch: Callable[[], Awaitable[None]],
    chance: Callable[[], float],
    backoff: Backoff = Backoff(first_seconds=1, max_seconds=30),  # noqa: B008 - frozen
    failed: Callable[[], None] = lambda: None,
) -> None:
    """Watch until that ends in peace; where it ends in an error, which `failed` is told of, again after a pause."""
    failures = 0
    while True:
        begun = time.monotonic()
        try:
            await watch()
        except Exception as error:  # of many kinds, of kopf and of the network, and all of them pass
            failures = 1 if time.monotonic() - begun > STEADY_SECONDS else failures + 1
            failed()
            pause = backoff.delay(failures, chance())
            reason = str(error) or type(error).__name__
            logger.warning(
                "The watch of climatejobs broke off: %s; beginning anew in %.1f s",
                reason,
                pause,
                extra=fields(n=failures),
            )
            await asyncio.sleep(pause)
        else:
            return
