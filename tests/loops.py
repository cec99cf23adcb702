"""An event loop for tests: what it opened is closed before it is."""

import asyncio
import selectors


class TidyLoop(asyncio.SelectorEventLoop):
    """A loop that closes only once its connections have come to their end.

    aiohttp ends TLS connections in the background and does not wait for that. A connection whose loop is gone is never
    closed, and fails whichever test runs when it is collected.
    """

    def __init__(self) -> None:
        self._registered = selectors.DefaultSelector()
        super().__init__(self._registered)
        self._own = len(self._registered.get_map())
        """What the loop itself reads from."""

    def close(self) -> None:
        """Close the loop; raises `TimeoutError` where a connection stays open."""
        if not self.is_closed():
            self.run_until_complete(self._wait_for_connections())
        super().close()

    async def _wait_for_connections(self) -> None:
        patience_ends = self.time() + 40  # asyncio gives TLS connections up after 30 s
        while len(self._registered.get_map()) > self._own:
            if self.time() > patience_ends:
                left = [key.data for key in self._registered.get_map().values()][self._own :]
                raise TimeoutError(f"connections were left open: {left}")
            await asyncio.sleep(0.005)  # nothing tells when a connection goes
        await asyncio.sleep(0)  # those that were broken off are closed in the loop's next turn
