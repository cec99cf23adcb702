"""How often somebody may do something within a minute, at this replica: others keep counts of their own."""

import math
from collections.abc import Callable

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from climatejobs.errors import TYPE_PREFIX
from climatejobs_api.problems import Problem


class Rate:
    """Counts over the last minute, by whatever word."""

    def __init__(self, per_minute: int) -> None:
        """0 is no limit."""
        self._limit = RateLimitItemPerMinute(per_minute) if per_minute else None
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def take(self, who: str, now: float) -> int:
        """Count one; 0, or where it is one too many the seconds to wait. `now` is the time since 1970."""
        if self._limit is None or self._limiter.hit(self._limit, who):
            return 0
        free_at = self._limiter.get_window_stats(self._limit, who).reset_time
        return max(1, math.ceil(free_at - now))


class SubmissionRate:
    """How often one submitter may submit."""

    def __init__(self, per_minute: int, *, refused: Callable[[], None]) -> None:
        """0 is no limit. `refused` is called for every submission that is turned away."""
        self._per_minute = per_minute
        self._rate = Rate(per_minute)
        self._refused = refused

    def take(self, submitter: str, now: float) -> None:
        """Count one submission; raises `Problem` 429 where it is one too many. `now` is the time since 1970."""
        seconds = self._rate.take(submitter, now)
        if not seconds:
            return
        self._refused()
        raise Problem(
            429,
            type=f"{TYPE_PREFIX}too-many-submissions",
            title="Too many submissions",
            detail=f"{submitter} has sent {self._per_minute} submissions within a minute, which is the limit here",
            hint=f"Send it again in {seconds} seconds. Jobs that were accepted are not affected.",
            headers={"Retry-After": str(seconds)},
        )
