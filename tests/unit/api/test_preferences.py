import pytest
from hypothesis import given
from hypothesis import strategies as st

from climatejobs_api.preferences import Preferences, choose_wait, name_applied, parse_preferences

BOTH = ("sync-execute", "async-execute", "dismiss")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], Preferences()),
        (["respond-async"], Preferences(respond_async=True)),
        (["Respond-ASYNC  "], Preferences(respond_async=True)),
        (["respond-async, wait=10"], Preferences(respond_async=True, wait=10)),
        (["wait=10", "respond-async"], Preferences(respond_async=True, wait=10)),
        (['return=minimal; foo="a,b", WAIT = 7 ; x=y'], Preferences(wait=7)),
        (['wait="12"'], Preferences(wait=12)),
        (["wait=5, wait=9"], Preferences(wait=5)),
        (["wait=soon, wait=9"], Preferences()),
        (["wait"], Preferences()),
        (["wait=-1"], Preferences()),
        (["wait=1.5"], Preferences()),
        (["respond-sync"], Preferences()),
        (["respond-async=no"], Preferences()),
        (['respond-async=""'], Preferences(respond_async=True)),
        (['x="respond-async, wait=3"'], Preferences()),
        ([",, ,respond-async,"], Preferences(respond_async=True)),
        (["handling lenient, respond-async"], Preferences(respond_async=True)),
    ],
)
def test_the_header_is_read_as_one_list(lines: list[str], expected: Preferences) -> None:
    assert parse_preferences(lines) == expected


def test_a_wait_of_any_length_is_a_number() -> None:
    assert (parse_preferences(["wait=" + "9" * 5000]).wait or 0) > 86400


@given(st.lists(st.text(max_size=40), max_size=3))
def test_no_header_breaks_it(lines: list[str]) -> None:
    parse_preferences(lines)


@pytest.mark.parametrize(
    ("preferences", "options", "seconds"),
    [
        (Preferences(), BOTH, 25),
        (Preferences(respond_async=True), BOTH, 0),
        (Preferences(wait=3), BOTH, 3),
        (Preferences(respond_async=True, wait=3), BOTH, 3),
        (Preferences(wait=100), BOTH, 25),
        (Preferences(wait=0), BOTH, 0),
        (Preferences(), ("async-execute",), 0),
        (Preferences(wait=3), ("async-execute",), 0),
        (Preferences(respond_async=True), ("sync-execute",), 25),
    ],
)
def test_how_long_a_request_waits(preferences: Preferences, options: tuple[str, ...], seconds: float) -> None:
    assert choose_wait(preferences, options, longest=25) == seconds


@pytest.mark.parametrize(
    ("preferences", "finished", "applied"),
    [
        (Preferences(), True, None),
        (Preferences(), False, None),
        (Preferences(respond_async=True), False, "respond-async"),
        (Preferences(respond_async=True, wait=3), False, "respond-async"),
        (Preferences(respond_async=True, wait=3), True, "wait=3"),
        (Preferences(wait=3), False, "wait=3"),
        (Preferences(wait=100), False, None),
        (Preferences(wait=100), True, "wait=100"),
    ],
)
def test_only_what_was_honoured_is_named(preferences: Preferences, finished: bool, applied: str | None) -> None:
    assert name_applied(preferences, finished=finished, longest=25) == applied
