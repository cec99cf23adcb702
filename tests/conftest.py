"""Settings for all tests."""

import asyncio
import signal
from collections.abc import Callable, Mapping

from hypothesis import settings

from tests.loops import TidyLoop

# How long one example takes says more about what else the machine does than about the code.
settings.register_profile("climatejobs", deadline=None)
settings.load_profile("climatejobs")


def pytest_configure() -> None:
    """End as by an interrupt where a run is told to end: fixtures then take down the clusters they brought up."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """What every asynchronous test runs in."""
    return {"tidy": TidyLoop}
