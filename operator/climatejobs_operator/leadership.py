"""The right to act, which runs out by itself: what every write to the cluster is checked against."""

import time
from collections.abc import Callable


def elapsed_seconds() -> float:
    """Seconds by a clock that never jumps and, where there is such a one, goes on while the machine sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Leadership:
    """Held until a moment that renewals push ahead.

    A process that was stopped and goes on an hour later finds its right expired before it finds out anything else.
    """

    def __init__(self, clock: Callable[[], float] = elapsed_seconds) -> None:
        self._clock = clock
        self._until = float("-inf")

    def extend(self, until: float) -> None:
        """Act until then, by the clock."""
        self._until = until

    def end(self) -> None:
        """Act no more."""
        self._until = float("-inf")

    def remaining_seconds(self) -> float:
        """How long one may still act; 0 where not at all."""
        return max(0.0, self._until - self._clock())
