from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from climatejobs_api.pagination import Direction, decode_cursor, decode_place, encode_cursor, encode_place
from climatejobs_api.problems import Problem
from climatejobs_api.store import Position


@given(st.sampled_from(Direction), st.integers(0, 10**16), st.from_regex(r"[a-z0-9][a-z0-9-]{0,50}", fullmatch=True))
def test_a_place_survives_its_cursor(direction: Direction, microseconds: int, name: str) -> None:
    position = Position(microseconds, name)
    assert decode_place(encode_place(direction, position)) == (direction, position)


@pytest.mark.parametrize("cursor", ["", "x", "!!!!", "Zm9v", encode_cursor("12"), encode_cursor("a.b"), "é", "/+=="])
def test_other_words_are_refused(cursor: str) -> None:
    with pytest.raises(Problem) as caught:
        decode_place(cursor)
    assert caught.value.status == 400


@given(st.text(max_size=60))
def test_no_text_breaks_it(cursor: str) -> None:
    with suppress(Problem):
        decode_cursor(cursor)
