"""Being told to end, by SIGTERM or SIGINT."""

import asyncio
import signal
from collections.abc import Coroutine


class Stop:
    """Whether this process was told to end. For use within one event loop, in the main thread."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()

    def listen(self) -> None:
        """Take the signals, from now on or again after somebody else has taken them."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked.set)

    def ask(self) -> None:
        """End the process."""
        self._asked.set()

    @property
    def asked(self) -> bool:
        """Whether it is to end."""
        return self._asked.is_set()

    async def wait(self) -> None:
        """Wait until it is to end."""
        await self._asked.wait()

    async def before(self, work: Coroutine[None, None, None]) -> bool:
        """Do some work, but not after having been told to end; whether it was done."""
        task, asked = asyncio.create_task(work), asyncio.create_task(self.wait())
        try:
            await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            if not task.done():
                task.cancel()
        if task.cancelled() or not task.done():
            return False
        task.result()
        return True
