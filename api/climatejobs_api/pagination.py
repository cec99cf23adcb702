"""Cursors: opaque words that say after which item the next page begins.

A cursor names an item's place in the order, not a count, so pages neither skip nor repeat an item while others
come and go.
"""

import base64
import binascii
import re
from enum import StrEnum
from typing import NamedTuple

from climatejobs_api.problems import Problem
from climatejobs_api.store import Position

DEFAULT_LIMIT = 50
MAX_LIMIT = 10000


class Direction(StrEnum):
    """Which way a page of jobs lies from the place that its cursor names."""

    OLDER = "older"
    NEWER = "newer"


class Place(NamedTuple):
    """What the cursor of a page of jobs says."""

    direction: Direction
    position: Position


def encode_cursor(text: str) -> str:
    """Wrap the key of the last item of a page."""
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> str:
    """The key that was wrapped; raises `Problem` where the cursor is not one of ours."""
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise _bad_cursor() from None


def encode_place(direction: Direction, position: Position) -> str:
    """The cursor of a page of jobs."""
    return encode_cursor(f"{direction}.{position.microseconds}.{position.name}")


def decode_place(cursor: str) -> Place:
    """The job beside which the page lies; raises `Problem` where the cursor is not one of ours."""
    match = re.fullmatch(r"(older|newer)\.(-?[0-9]{1,17})\.([a-z0-9.-]{1,253})", decode_cursor(cursor))
    if match is None:
        raise _bad_cursor()
    return Place(Direction(match[1]), Position(int(match[2]), match[3]))


def _bad_cursor() -> Problem:
    return Problem(
        400,
        type="urn:climatejobs:error:invalid-parameter",
        title="Invalid parameter",
        detail="the cursor is not one that this server has given",
        hint="Follow the next link of a page as it is, or leave the cursor out to begin at the first page.",
        errors=({"parameter": "cursor", "detail": "not a cursor of this server"},),
    )
