"""Spellings of frequencies: one canonical form, or a refusal that says what is possible."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from climatejobs.errors import InvalidInput
from climatejobs.frequencies import PATTERN, parse_frequency


@pytest.mark.parametrize(
    ("spelling", "canonical", "slug"),
    [
        ("h", "1h", "1h"),
        ("6h", "6h", "6h"),
        ("D", "1D", "1d"),
        ("1D", "1D", "1d"),
        ("d", "1D", "1d"),
        ("24h", "1D", "1d"),
        ("48h", "2D", "2d"),
        ("W", "W-MON", "w_mon"),
        ("W-SUN", "W-SUN", "w_sun"),
        ("w", "W-MON", "w_mon"),
        ("w-mon", "W-MON", "w_mon"),
        ("7d", "7D", "7d"),
        ("2W-WED", "2W-WED", "2w_wed"),
        ("MS", "MS", "ms"),
        ("1MS", "MS", "ms"),
        ("M", "MS", "ms"),
        ("ME", "MS", "ms"),
        ("3MS", "3MS", "3ms"),
        ("QS", "QS", "qs"),
        ("QS-JAN", "QS", "qs"),
        ("QS-NOV", "QS-FEB", "qs_feb"),
        ("QE", "QS", "qs"),
        ("Q-JAN", "QS-FEB", "qs_feb"),
        ("YS", "YS", "ys"),
        ("YE", "YS", "ys"),
        ("A", "YS", "ys"),
        ("YE-JUN", "YS-JUL", "ys_jul"),
        ("5YS", "5YS", "5ys"),
        ("dekad", "dekad", "dekad"),
    ],
)
def test_spellings_have_one_canonical_form(spelling: str, canonical: str, slug: str) -> None:
    frequency = parse_frequency(spelling)
    assert (str(frequency), frequency.slug) == (canonical, slug)
    assert parse_frequency(canonical) == frequency


@pytest.mark.parametrize(
    "spelling",
    [
        "",
        "0D",
        "-1D",
        "B",
        "2B",
        "ms",
        "qs",
        "y",
        "BMS",
        "90min",
        "+-1D",
        "0h",
        "-3MS",
        "H",
        "T",
        "min",
        "W-ABC",
        "QS-XYZ",
        "D-MON",
        "1.5D",
        "1D12h",
        "3dekad",
        "fortnight",
        " D ",
        "D\n",
        "+1D",
        "01D",
        "10000D",
        "W-Mon",
        "w-MON",
    ],
)
def test_anything_else_is_refused_with_what_is_possible(spelling: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_frequency(spelling)
    assert "W-MON" in (refusal.value.hint or "")


@pytest.mark.parametrize(
    ("spelling", "meant"), [("ms", "'MS'"), ("2qs", "'2QS'"), ("6H", "'6h'"), (" D ", "'1D'"), ("+06h", "'6h'")]
)
def test_a_spelling_that_is_nearly_right_is_told_the_right_one(spelling: str, meant: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_frequency(spelling)
    assert f"Write {meant}" in (refusal.value.hint or "")


def test_one_that_is_refused_is_not_proposed() -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_frequency("0D")
    assert "'0D'" not in (refusal.value.hint or "")


@given(st.from_regex(PATTERN, fullmatch=True))
def test_what_fits_the_schema_is_read(spelling: str) -> None:
    assert re.fullmatch(r"[a-z0-9_]+", parse_frequency(spelling).slug)


@given(
    st.text("0123456789+- \n", max_size=3),
    st.sampled_from(["h", "D", "d", "W", "w", "M", "MS", "ME", "QS", "Q", "YE", "A", "dekad", "H", "ms", "B"]),
    st.sampled_from(["", "-MON", "-mon", "-Mon", "-JAN", "-feb", "-XYZ", " ", "\n"]),
)
def test_what_does_not_fit_the_schema_is_refused(count: str, alias: str, anchor: str) -> None:
    spelling = count + alias + anchor
    if re.fullmatch(PATTERN, spelling) is None:
        with pytest.raises(InvalidInput) as refusal:
            parse_frequency(spelling)
        assert "W-MON" in (refusal.value.hint or "")
