"""Time that moves when a test says so."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(order=True)
class ManualTimer:
    due: float
    order: int
    callback: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def when(self) -> float:
        return self.due

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class ManualTimetable:
    """A clock with callbacks, as the work queue needs it."""

    now: float = 0.0
    timers: list[ManualTimer] = field(default_factory=list[ManualTimer])

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None], /) -> ManualTimer:
        timer = ManualTimer(when, len(self.timers), callback)
        heapq.heappush(self.timers, timer)
        return timer

    def advance(self, seconds: float) -> None:
        """Let time pass, and call what falls due."""
        until = self.now + seconds
        while self.timers and self.timers[0].due <= until:
            timer = heapq.heappop(self.timers)
            self.now = max(self.now, timer.due)
            if not timer.cancelled:
                timer.callback()
        self.now = until
