"""What was measured of late, in one number."""

from math import inf


class MovingAverage:
    """Of what was measured of late; what is older than some seconds counts no more."""

    def __init__(self, weight: float = 0.1, keep_seconds: float = 5) -> None:
        """`weight` is that of the newest value."""
        self._weight = weight
        self._keep_seconds = keep_seconds
        self._average = 0.0
        self._taken_at = -inf

    def take(self, value: float, now: float) -> None:
        """Take in a value, measured at a time of any clock."""
        before = self.read(now)
        self._average = before + self._weight * (value - before)
        self._taken_at = now

    def read(self, now: float) -> float:
        """The average; 0 where nothing was measured of late."""
        return self._average if now - self._taken_at <= self._keep_seconds else 0.0
