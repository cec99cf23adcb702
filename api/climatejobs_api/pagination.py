"""Cursors: opaque words that say after which item the next page begins.

A cursor names an item's place in the order, not a count, so pages neither skip nor repeat an item while others
come and go.
"""

import base64
import binascii
import re

from climatejobs_api.problems import Problem
from climatejobs_api.store import Position

DEFAULT_LIMIT = 50
MAX_LIMIT = 1000


def encode_cursor(text: str) -> str:
    """Wrap the key of the last item of a page."""
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> str:
    """The key that was wrapped; raises `Problem` where the cursor is not one of ours."""
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise _bad_cursor() from None


def encode_position(position: Position) -> str:
    """The cursor of a job."""
    return encode_cursor(f"{position.microseconds}.{position.name}")


def decode_position(cursor: str) -> Position:
    """The job after which the next page begins; raises `Problem` where the cursor is not one of ours."""
    match = re.fullmatch(r"(-?[0-9]{1,17})\.([a-z0-9.-]{1,253})", decode_cursor(cursor))
    if match is None:
        raise _bad_cursor()
    return Position(int(match[1]), match[2])


def _bad_cursor() -> Problem:
    return Problem(
        400,
        type="urn:climatejobs:error:invalid-parameter",
        title="Invalid parameter",
        detail="the cursor is not one that this server has given",
        hint="Follow the next link of a page as it is, or leave the cursor out to begin at the first page.",
        errors=({"parameter": "cursor", "detail": "not a cursor of this server"},),
    )
