"""Answers that go on: closed as soon as they are over, the client hangs up, or the program stops."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing

from starlette.responses import StreamingResponse
from starlette.types import Send

from climatejobs_api.store import JobStore, NoLog, Run, StoreAway

TEXT = "text/plain; charset=utf-8"


class Stream(StreamingResponse):
    """Like its base, and what is read from is closed at once, not when it is collected some time."""

    def __init__(self, content: AsyncGenerator[bytes], *, media_type: str, headers: dict[str, str]) -> None:
        super().__init__(content, headers={**headers, "Content-Type": media_type})
        self._content = content

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
