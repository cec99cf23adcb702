"""Being asked to stop, by SIGTERM or Ctrl-C.

As long as there is nothing to clean up the program ends at once, even in the middle of a slow import. From then
on the request is a question that the work asks between its steps: nothing is interrupted half-way, and nothing
is left behind. This module itself loads in no time, so that the handler stands before anything slow begins.
"""

import os
import select
import signal
from types import FrameType

STOPPED_STATUS = 143
"""`names.ExitCode.STOPPED`, which is not imported here because that takes time."""


class Stopped(Exception):
    """Raised at the next checkpoint after a request to stop."""


class Stop:
    """Whether the program was asked to stop."""

    def __init__(self) -> None:
        self.deferred = False
        self._requested = False
        self._reader, self._writer = os.pipe()

    def defer(self) -> None:
        """From now on there is something to clean up: stop at a checkpoint, not at once."""
        self.deferred = True

    def request(self) -> None:
        """Ask to stop; may be called from a signal handler."""
        if not self._requested:
            self._requested = True
            os.write(self._writer, b"x")

    def checkpoint(self) -> None:
        """Raise `Stopped` if a stop was requested."""
        if self._requested:
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Wait that long; raises `Stopped` as soon as a stop is requested."""
        # A pipe, because waiting on a lock and releasing it from a signal handler can block for ever.
        select.select([self._reader], [], [], seconds)
        self.checkpoint()


def stop_on_signals() -> Stop:
    """Turn SIGTERM and SIGINT into a request to stop."""
    stop = Stop()

    def handle(_number: int, _frame: FrameType | None) -> None:
        if not stop.deferred:
            # Not sys.exit: the exception could come up inside an import, which would take it for its own.
            os._exit(STOPPED_STATUS)
        stop.request()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    return stop
