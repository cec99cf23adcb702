"""A job's changes as server-sent events: one for every state that is seen, the last one at the end.

A listener that is slow misses states in between and never the latest: nothing is queued for it.
"""

from collections.abc import AsyncGenerator, Callable

from climatejobs.model import ClimateJob
from climatejobs.ogc.documents import render
from climatejobs.ogc.links import Links
from climatejobs.ogc.statusinfo import describe_job, describe_removed
from climatejobs_api.store import JobStore

MEDIA_TYPE = "text/event-stream"
KEEP_ALIVE_SECONDS = 15.0
RETRY_MILLISECONDS = 2000
KEEP_ALIVE = b": keep-alive\n\n"
HEADERS = {
    "Cache-Control": "no-cache",
    # Proxies of nginx's kind would hold events back until a buffer is full.
    "X-Accel-Buffering": "no",
}


def encode_event(data: str, *, version: str) -> bytes:
    """One event; `data` is JSON without line breaks."""
    return f"id: {version}\nevent: status\ndata: {data}\n\n".encode()


async def stream_events(
    job: ClimateJob,
    store: JobStore,
    links: Links,
    *,
    last_id: str | None,
    seconds: float,
    clock: Callable[[], float],
    keep_alive: float = KEEP_ALIVE_SECONDS,
) -> AsyncGenerator[bytes]:
    """Events of a job until it has ended or is gone, for so many seconds, or until the program stops.

    `last_id` is the id of the event that the listener has seen last: what it knows is not said again.
    """
    yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
    end = clock() + seconds
    version, said = last_id, ""
    while True:
        if job.metadata.resource_version != version:
            version = job.metadata.resource_version
            data = render(describe_job(job, links, store.place_in_line(job)))
            if data != said:
                said = data
                yield encode_event(data, version=version)
        left = end - clock()
        if job.phase.terminal or store.stopping or left <= 0:
            return
        latest = await store.wait_for_change(job, min(keep_alive, left))
        if latest is None:
            yield encode_event(render(describe_removed(job, links)), version=job.metadata.resource_version)
            return
        if latest.metadata.resource_version == job.metadata.resource_version and not store.stopping:
            yield KEEP_ALIVE
        job = latest
