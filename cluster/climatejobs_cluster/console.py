"""What a person sees while a command works: each step with the time since the start, and signs of life."""

import os
import sys
import time
from collections.abc import Callable
from typing import TextIO

from climatejobs_cluster.errors import ClusterError

HEARTBEAT_SECONDS = 15.0


class Console:
    """Prints steps as `[  12.3 s] words`."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._start = clock()

    def say(self, words: str) -> None:
        # Looked up late, because the standard output may be replaced after this object was made.
        stream = self._stream or sys.stdout
        try:
            print(f"[{self._clock() - self._start:6.1f} s] {words}", file=stream, flush=True)
        except BrokenPipeError:
            # Whoever read along has left (`up | head`): that is no reason to leave a cluster half done.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)

    def heartbeat(self, what: str) -> Callable[[], None]:
        """Returns what to call again and again during a long step: it prints a line every 15 seconds."""
        begun = last = self._clock()

        def beat() -> None:
            nonlocal last
            now = self._clock()
            if now - last >= HEARTBEAT_SECONDS:
                last = now
                self.say(f"  still {what} ({now - begun:.0f} s)")

        return beat


def wait_until(
    reason: Callable[[], str | None], *, seconds: float, what: str, console: Console, interval: float = 0.05
) -> None:
    """Waits until `reason` no longer gives one; what it says last is the explanation when time runs out."""
    deadline = time.monotonic() + seconds
    beat = console.heartbeat(f"waiting for {what}")
    while (why := reason()) is not None:
        if time.monotonic() > deadline:
            raise ClusterError(f"Waited {seconds:.0f} s for {what}: {why}")
        beat()
        time.sleep(interval)
