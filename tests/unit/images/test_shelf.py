"""Built images in the cache: found again by name, and not kept for ever."""

import os
from pathlib import Path

import pytest

from climatejobs_images.parts import Part
from climatejobs_images.shelf import Shelf


def part(digest: str, name: str = "api") -> Part:
    return Part(name, "0.1.0", f"localhost/climatejobs/{name}:0.1.0-{digest}")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def build(shelf: Shelf, built: Part, seconds: int) -> None:
    """Put an image on the shelf that was built `seconds` after the first."""
    shelf.archive(built).write_bytes(b"layers")
    shelf.add(built)
    os.utime(shelf.archive(built).with_suffix(".json"), (seconds, seconds))


def test_an_image_is_found_by_exactly_its_name(shelf: Shelf) -> None:
    assert shelf.find(part("aaa")) is None
    build(shelf, part("aaa"), 0)
    image = shelf.find(part("aaa"))
    assert image is not None
    assert (image.reference, image.bytes) == ("localhost/climatejobs/api:0.1.0-aaa", 6)
    assert Path(image.archive).read_bytes() == b"layers"
    assert shelf.find(part("bbb")) is None


def test_an_unfinished_archive_is_no_image(shelf: Shelf) -> None:
    shelf.archive(part("aaa")).write_bytes(b"half")
    assert shelf.find(part("aaa")) is None


def test_an_image_whose_archive_is_gone_is_no_image(shelf: Shelf) -> None:
    build(shelf, part("aaa"), 0)
    shelf.archive(part("aaa")).unlink()
    assert shelf.find(part("aaa")) is None


def test_the_latest_two_of_a_part_stay(shelf: Shelf) -> None:
    for number, digest in enumerate(("ccc", "aaa", "bbb")):
        build(shelf, part(digest), number)
        build(shelf, part(digest, "runner"), number)
    assert shelf.forget_old(part("bbb")) == ["localhost/climatejobs/api:0.1.0-ccc"]
    assert [digest for digest in ("aaa", "bbb", "ccc") if shelf.find(part(digest))] == ["aaa", "bbb"]
    assert shelf.find(part("ccc", "runner")) is not None
    assert not shelf.archive(part("ccc")).exists()


def test_leftovers_of_interrupted_builds_go(shelf: Shelf) -> None:
    build(shelf, part("aaa"), 0)
    shelf.archive(part("bbb")).write_bytes(b"half")
    assert shelf.forget_old(part("aaa")) == []
    assert not shelf.archive(part("bbb")).exists()
    assert shelf.find(part("aaa")) is not None
