"""The streams of the watches: whether anybody still reads them, and whether they still bring anything.

Where nothing happens, the API server sends a bookmark about once a minute, and a stream that has been still for 70 s is
opened anew. What is left to be noticed is a watch that nobody opens any more, and one that is opened again and again
and stays still, as behind a proxy that has lost its way.

Neither is to be taken for an API server that is away: a process that is started anew finds it away as well, and would
be ended for ever. So each request that fails begins the waiting afresh. And a stream that has never brought anything
is not waited for, since there may be servers and proxies that keep bookmarks back.
"""

from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from climatejobs_operator.cluster import CLIMATEJOBS, JOBS, PODS

SILENT_SECONDS = 300.0
MUTE_STREAMS = 4
"""So many in a row bring nothing before that is anything but chance: a server that restarts ends some at once."""
_KINDS = frozenset(resource.plural for resource in (CLIMATEJOBS, JOBS, PODS))


@dataclass
class _Watch:
    """What is known of the watch of one kind."""

    tried_at: float
    """When it was last asked for, or has last brought anything."""
    heard_at: float
    """When it has last brought anything, or could not have."""
    count_bytes: Callable[[], int] = int
    """How much the stream that is open now has brought."""
    counted: int = 0
    has_spoken: bool = False
    """Whether any of its streams has ever brought anything."""
    mute: int = 0
    """How many streams before this one have brought nothing, in a row."""


class Streams:
    """What a session sees of the watches."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._watches: dict[str, _Watch] = {}

    async def follow(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Middleware of the sessions in which is watched."""
        try:
            response = await handler(request)
        except (aiohttp.ClientError, TimeoutError):
            self.note_failure()
            raise
        if not response.ok:
            self.note_failure()
        elif request.url.name in _KINDS:
            content = response.content if "watch" in request.url.query else None
            self.note_answer(request.url.name, (lambda: content.total_bytes) if content is not None else None)
        return response

    def note_answer(self, kind: str, count_bytes: Callable[[], int] | None) -> None:
        """A list was answered, or a stream opened that has brought so many bytes."""
        now = self._clock()
        watch = self._watches.setdefault(kind, _Watch(now, now))
        self._listen(watch)
        watch.tried_at = now
        if count_bytes is not None:
            watch.mute = 0 if watch.counted else watch.mute + 1
            watch.count_bytes, watch.counted = count_bytes, 0

    def note_failure(self) -> None:
        """A request failed: as far as one can know, no watch could have brought anything."""
        now = self._clock()
        for watch in self._watches.values():
            watch.tried_at = watch.heard_at = now

    def find_trouble(self) -> str | None:
        """What is wrong, in a sentence; None where nothing is."""
        now = self._clock()
        for kind, watch in self._watches.items():
            self._listen(watch)
            if now - watch.tried_at > SILENT_SECONDS:
                return f"the watch of {kind} is dead: nobody has asked for it for {now - watch.tried_at:.0f} s"
            still = now - watch.heard_at
            if watch.has_spoken and watch.mute >= MUTE_STREAMS and still > SILENT_SECONDS:
                return f"the watch of {kind} is silent: no event and no bookmark for {still:.0f} s"
        return None

    def silent_seconds(self) -> int:
        """For how long the watch has been still that has been so longest."""
        for watch in self._watches.values():
            self._listen(watch)
        return int(max((self._clock() - watch.heard_at for watch in self._watches.values()), default=0))

    def _listen(self, watch: _Watch) -> None:
        count = watch.count_bytes()
        if count > watch.counted:
            watch.counted, watch.has_spoken = count, True
            watch.tried_at = watch.heard_at = self._clock()
