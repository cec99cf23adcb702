"""Signals that end a command become an exception, so that one way of cleaning up serves them and failures alike."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

from climatejobs_cluster.errors import Interrupted

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def raise_on_signals() -> None:
    """From now on a signal that asks this command to end raises `Interrupted`."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        raise Interrupted(signal.Signals(number))

    for number in ENDING:
        # `nohup` had this signal ignored on purpose.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, interrupt)


@contextmanager
def without_interruption() -> Generator[None]:
    """Cleaning up is finished even if the person loses patience; it takes seconds."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def restore_signals() -> None:
    """Signals end this process at once again: for a child that is forked to do one small thing."""
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
