import os
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from climatejobs_api.files import (
    Span,
    UnsatisfiableRange,
    choose_span,
    exists_below,
    list_below,
    matches_etag,
    open_below,
    read_below,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    inner = tmp_path / "root"
    (inner / "a" / "b").mkdir(parents=True)
    (inner / "a" / "b" / "file").write_bytes(b"inside")
    (tmp_path / "secret").write_bytes(b"outside")
    return inner


def test_plain_files_are_read(root: Path) -> None:
    assert read_below(root, PurePosixPath("a/b/file")) == b"inside"
    assert exists_below(root, PurePosixPath("a/b"))


def test_the_root_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert read_below(tmp_path / "link", PurePosixPath("a/b/file")) == b"inside"


@pytest.mark.parametrize(
    "path", ["../secret", "a/../../secret", "/etc/passwd", "a/b/none", "a/b/file/deeper", "", "a/\0", "x" * 5000]
)
def test_nothing_else_is_there(root: Path, path: str) -> None:
    with pytest.raises(FileNotFoundError):
        open_below(root, PurePosixPath(path))


def test_no_link_is_followed(root: Path, tmp_path: Path) -> None:
    (root / "a" / "to_file").symlink_to(tmp_path / "secret")
    (root / "a" / "to_folder").symlink_to(tmp_path)
    (root / "a" / "inward").symlink_to("b")
    for path in ("a/to_file", "a/to_folder", "a/to_folder/secret", "a/inward/file"):
        with pytest.raises(FileNotFoundError):
            open_below(root, PurePosixPath(path))
    assert list_below(root, PurePosixPath("a")) == ["b/"]


def test_pipes_are_no_files(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(FileNotFoundError):
        open_below(root, PurePosixPath("pipe"))


def test_folders_are_no_files(root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_below(root, PurePosixPath("a"))
    with pytest.raises(FileNotFoundError):
        list_below(root, PurePosixPath("a/b/file"))


def test_no_descriptor_is_left_open(root: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for path in ("a/b/file", "a/b/none", "a", "../secret"):
        exists_below(root, PurePosixPath(path))
        list_below(root, PurePosixPath("a"))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, None),
        ("bytes=0-3", Span(0, 4)),
        ("bytes=4-", Span(4, 10)),
        ("bytes=-4", Span(6, 10)),
        ("bytes=-40", Span(0, 10)),
        ("bytes=8-99", Span(8, 10)),
        ("Bytes = 0 - 3", None),
        ("bytes=3-2", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
    ],
)
def test_ranges(header: str | None, span: Span | None) -> None:
    assert choose_span(header, 10) == span


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=10-12", 10), ("bytes=-0", 10), ("bytes=-1", 0)]
)
def test_ranges_beyond_the_end(header: str, size: int) -> None:
    with pytest.raises(UnsatisfiableRange):
        choose_span(header, size)


@given(st.integers(0, 50), st.integers(0, 60), st.integers(0, 60))
def test_a_span_lies_within_the_file(size: int, first: int, last: int) -> None:
    try:
        span = choose_span(f"bytes={first}-{last}", size)
    except UnsatisfiableRange:
        span = Span(0, 0)
    assert span is None or 0 <= span.start <= span.stop <= size


def test_entity_tags() -> None:
    assert matches_etag('"a", W/"b"', '"b"')
    assert matches_etag("*", '"b"')
    assert not matches_etag('"a"', '"b"')
    assert not matches_etag(None, '"b"')
