"""What every route can ask for: settings, the store, the clock, chance, and the links of its request."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, cast

from fastapi import Depends, Query, Request

from climatejobs.datasets import Dataset
from climatejobs.ogc.links import Links
from climatejobs_api.answers import Answers
from climatejobs_api.auth.gate import Gate
from climatejobs_api.fetching import Fetcher
from climatejobs_api.links import Arrival, find_base
from climatejobs_api.metrics import Metrics
from climatejobs_api.pagination import MAX_LIMIT
from climatejobs_api.rates import SubmissionRate
from climatejobs_api.settings import Settings
from climatejobs_api.store import JobStore
from climatejobs_api.streaming import Seats


@dataclass(frozen=True)
class Context:
    """What the application was made with."""

    settings: Settings
    store: JobStore
    gate: Gate
    rate: SubmissionRate
    metrics: Metrics
    fetcher: Fetcher
    sources: Answers[str, Dataset | None]
    """Data sets that submissions are sized by, by their ids; None is one that cannot be read."""
    followers: Seats
    """Of those who follow logs."""
    now: Callable[[], datetime]
    """The time in UTC."""
    choose: Callable[[str], str]
    """Picks one character of a text at random."""


async def get_context(request: Request) -> Context:
    """The context of the application that answers."""
    return cast(Context, request.app.state.context)


def read_arrival(request: Request) -> Arrival:
    """What a request says of the way it came."""
    server = cast(tuple[str, int | None] | None, request.scope.get("server")) or ("localhost", None)
    host = f"[{server[0]}]" if ":" in server[0] else server[0]
    return Arrival(
        scheme=request.url.scheme,
        client=request.client.host if request.client else None,
        server=f"{host}:{server[1]}" if server[1] else host,
        headers=request.headers,
    )


async def get_links(request: Request) -> Links:
    """Links as the sender of this request can follow them."""
    settings = (await get_context(request)).settings
    return Links(
        find_base(
            read_arrival(request),
            public_url=settings.public_url,
            trusted_proxies=settings.trusted_proxies,
            root_path=settings.root_path,
        )
    )


Current = Annotated[Context, Depends(get_context)]
RequestLinks = Annotated[Links, Depends(get_links)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="The most items that a page may hold.")]
Cursor = Annotated[str | None, Query(max_length=512, description="Where the page begins: from a `next` link.")]
