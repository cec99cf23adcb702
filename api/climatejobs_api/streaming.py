"""Answers that go on: closed as soon as they are over, the client hangs up, or the program stops."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from climatejobs.errors import TYPE_PREFIX
from climatejobs_api.problems import Problem
from climatejobs_api.store import JobStore, NoLog, Run, StoreAway

TEXT = "text/plain; charset=utf-8"
MAX_FOLLOWERS = 50
"""Logs that are followed at a time: each holds a connection to the API server."""
_RETRY_SECONDS = 10


class Seats:
    """So many at a time."""

    def __init__(self, count: int = MAX_FOLLOWERS) -> None:
        self._count = count
        self._taken = 0

    def take(self) -> Callable[[], None]:
        """What gives the seat back, to be called once; raises `Problem` 503 where none is free."""
        if self._taken >= self._count:
            raise Problem(
                503,
                type=f"{TYPE_PREFIX}too-many-followers",
                title="Too many followers",
                detail=f"{self._count} logs are being followed already, which is the limit of one pod of the API",
                hint=f"Ask again in {_RETRY_SECONDS} seconds, or without follow.",
                headers={"Retry-After": str(_RETRY_SECONDS)},
            )
        self._taken += 1
        return self._give_back

    def _give_back(self) -> None:
        self._taken -= 1


class Stream(StreamingResponse):
    """Like its base, and what is read from is closed at once, not when it is collected some time."""

    def __init__(
        self,
        content: AsyncGenerator[bytes],
        *,
        media_type: str,
        headers: dict[str, str],
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """`ended` is called once, even if nothing of the content was ever asked for."""
        super().__init__(content, headers={**headers, "Content-Type": media_type})
        self._content = content
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._content):
            await super().stream_response(send)


async def read_log(stack: AsyncExitStack, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """A log that has been opened; `stack` closes it."""
    try:
        async with stack:
            async for piece in pieces:
                yield piece
    except StoreAway as error:
        yield _note(error.detail)


async def follow_log(store: JobStore, run: Run, tail: int | None) -> AsyncGenerator[bytes]:
    """A log for as long as it is written; nothing is asked of the cluster before the answer has begun.

    Until the first line is written the cluster says nothing at all, so that waiting for it would hide a client
    that hangs up.
    """
    try:
        async with store.open_log(run, follow=True, tail=tail) as pieces:
            async for piece in pieces:
                yield piece
    except NoLog:
        yield _note("the log is no longer there")
    except StoreAway as error:
        yield _note("the server is stopping" if store.stopping else error.detail)


def _note(reason: str) -> bytes:
    """The last line of a log that breaks off, so that nobody takes it for the end."""
    return f"\n[the log breaks off here: {reason}; ask for it again]\n".encode()
