"""How often one submitter may submit, at this replica: others keep counts of their own."""

import math
from collections.abc import Callable

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from climatejobs.errors import TYPE_PREFIX
from climatejobs_api.problems import Problem


class SubmissionRate:
    """Counts submissions over the last minute."""

    def __init__(self, per_minute: int, *, refused: Callable[[], None]) -> None:
        """0 is no limit. `refused` is called for every submission that is turned away."""
        self._limit = RateLimitItemPerMinute(per_minute) if per_minute else None
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._refused = refused

    def take(self, submitter: str, now: float) -> None:
        """Count one submission; raises `Problem` 429 where it is one too many. `now` is the time since 1970."""
        if self._limit is None or self._limiter.hit(self._limit, submitter):
            return
        self._refused()
        free_at = self._limiter.get_window_stats(self._limit, submitter).reset_time
        seconds = max(1, math.ceil(free_at - now))
        raise Problem(
            429,
            type=f"{TYPE_PREFIX}too-many-submissions",
            title="Too many submissions",
            detail=f"{submitter} has sent {self._limit.amount} submissions within a minute, which is the limit here",
            hint=f"Send it again in {seconds} seconds. Jobs that were accepted are not affected.",
            headers={"Retry-After": str(seconds)},
        )
