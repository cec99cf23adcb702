"""How the work is going: counted here, told to whoever listens, at most once a second.

A sink is anything that takes a `Progress`; the terminal is one.
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from climatejobs.model import Progress

INTERVAL_SECONDS = 1.0


class Sink(Protocol):
    """Takes reports of progress."""

    def report(self, progress: Progress) -> None:
        """Pass a report on, or drop it; must not take long."""
        ...


class Lines:
    """Writes one line a report to standard error."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()

    def report(self, progress: Progress) -> None:
        """Write the report as a line with the time since the start."""
        elapsed = self._clock() - self._started
        counted = (
            f" ({progress.percent} %, {progress.done} of {progress.total} {progress.unit})" if progress.total else ""
        )
        sys.stderr.write(f"[{elapsed:6.1f} s] {progress.message}{counted}\n")
        sys.stderr.flush()


@dataclass
class Tracker:
    """Counts units of work and reports them."""

    sinks: Sequence[Sink]
    clock: Callable[[], float] = time.monotonic
    _message: str = field(default="", init=False)
    _unit: str = field(default="", init=False)
    _done: int = field(default=0, init=False)
    _given: int = field(default=0, init=False)
    """Units that somebody else had done at the beginning, so they tell nothing of the rate."""
    _total: int = field(default=0, init=False)
    _began: float = field(default=0.0, init=False)
    _reported: float = field(default=float("-inf"), init=False)

    def note(self, message: str) -> None:
        """Report something worth knowing, once."""
        self._message = message
        self._report()

    @property
    def total(self) -> int:
        """Units of work in all; 0 where nothing is counted."""
        return self._total

    @property
    def unit(self) -> str:
        """What is counted."""
        return self._unit

    def begin(self, message: str, *, total: int, unit: str, done: int = 0) -> None:
        """Start counting towards a total, and say what is being done; `done` is what an attempt before has done."""
        self._message, self._total, self._unit, self._done, self._given = message, total, unit, done, done
        self._began = self.clock()
        self._report()

    def advance(self, count: int) -> None:
        """Count units as done; reported if the last report is long enough ago, and at the end."""
        self._done += count
        if self._done >= self._total or self.clock() - self._reported >= INTERVAL_SECONDS:
            self._report()

    def _report(self) -> None:
        self._reported = self.clock()
        percent = min(100, self._done * 100 // self._total) if self._total else 0
        elapsed = self._reported - self._began
        progress = Progress(
            percent=percent,
            done=self._done,
            total=self._total,
            unit=self._unit,
            rate=round((self._done - self._given) / elapsed, 3) if self._total and elapsed > 0 else None,
            message=self._message,
        )
        for sink in self.sinks:
            sink.report(progress)
