import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from climatejobs_api.payloads import MAX_DEPTH, parse_object
from climatejobs_api.problems import Problem


def refusal(body: bytes) -> str:
    with pytest.raises(Problem) as caught:
        parse_object(body)
    assert caught.value.status == 400
    assert caught.value.hint
    return caught.value.detail or ""


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "line 1, column 1"),
        (b"{", "line 1, column 2"),
        (b"[]", "not an object"),
        (b"null", "not an object"),
        (b'{"a": 1, "a": 2}', "'a' is given more than once"),
        (b'{"x": {"b": 1, "b": 1}}', "'b' is given more than once"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": 9223372036854775808}', "too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "too large"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair"),
        (b'{"\\ud800": 1}', "half of a surrogate pair"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, f"more than {MAX_DEPTH} levels"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", f"more than {MAX_DEPTH} levels"),
    ],
)
def test_what_cannot_be_kept_is_refused(body: bytes, reason: str) -> None:
    assert reason in refusal(body)


def test_what_can_be_kept_is_unchanged() -> None:
    body = '{"b": [1, 2.5, null, true], "a": {"é": "x"}, "n": -9223372036854775807}'
    assert parse_object(body.encode()) == json.loads(body)


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert parse_object(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@given(st.binary(max_size=60))
def test_no_bytes_break_it(body: bytes) -> None:
    with suppress(Problem):
        parse_object(body)
