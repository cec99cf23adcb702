"""Input forms: inline, qualified, by reference, bounding boxes, arrays, one of several types."""

from typing import Any

import pytest

from climatejobs.errors import InvalidInput
from climatejobs.processes import find_process
from climatejobs_api.execution import pointing_into, read_request
from climatejobs_api.fetching import Fetched, NotFetched
from climatejobs_api.inputs import fetch_references
from climatejobs_api.settings import Settings

ECHO = find_process("echo")
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"


def read(inputs: dict[str, Any], *, flat: bool = False) -> dict[str, Any]:
    body = inputs if flat else {"inputs": inputs}
    return dict(read_request(ECHO, {"message": "m", **body} if flat else body, Settings()).inputs)


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ({"message": {"value": "hello"}}, {"message": "hello"}),
        ({"message": {"value": "hello", "mediaType": "text/plain"}}, {"message": "hello"}),
        ({"numbers": {"value": [1, 2], "mediaType": "application/json"}}, {"numbers": [1, 2]}),
        ({"area": {"bbox": [0, 0, 1, 1], "crs": CRS84}}, {"area": {"bbox": [0, 0, 1, 1], "crs": CRS84}}),
        ({"area": {"value": {"bbox": [0, 0, 1, 1]}}}, {"area": {"bbox": [0, 0, 1, 1]}}),
        ({"document": "plain"}, {"document": "plain"}),
        (
            {"document": {"value": "<a/>", "mediaType": "application/xml"}},
            {"document": {"value": "<a/>", "mediaType": "application/xml"}},
        ),
    ],
)
def test_every_form_comes_down_to_the_plain_value(given: dict[str, Any], plain: dict[str, Any]) -> None:
    assert read({"message": "m", **given}) == {"message": "m", **plain}


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"message": {"value": 5}}, "/inputs/message/value"),
        ({"message": {"value": "x", "mediaType": "image/png"}}, "/inputs/message/mediaType"),
        ({"message": {"value": "x", "encoding": "base64"}}, "/inputs/message/encoding"),
        ({"numbers": {"value": [1, "b"]}}, "/inputs/numbers/value/1"),
        ({"area": {"value": {"bbox": [1]}}}, "/inputs/area/value/bbox"),
        ({"area": {"bbox": [0, 0, 1, 1], "crs": "EPSG:4326"}}, "/inputs/area/crs"),
        ({"document": {"value": "x", "mediaType": "image/png"}}, "/inputs/document/Document/mediaType"),
    ],
)
def test_pointers_lead_to_the_offending_member_as_it_was_sent(given: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read({"message": "m", **given})
    assert pointer in [fault.pointer for fault in caught.value.faults]


def test_pointers_into_a_flat_body_name_no_frame() -> None:
    with pytest.raises(InvalidInput) as caught:
        read({"numbers": {"value": [1, "b"]}}, flat=True)
    assert [fault.pointer for fault in caught.value.faults] == ["/numbers/value/1"]


def serving(content: bytes, media_type: str) -> Any:
    async def fetch(_url: str) -> Fetched:
        return Fetched(content, media_type)

    return fetch


@pytest.mark.parametrize(
    ("link", "content", "media_type", "value"),
    [
        ({}, b"[1, 2]", "application/json", {"value": [1, 2]}),
        ({}, b'{"a": 1}', "application/geo+json", {"value": {"a": 1}}),
        ({"type": "text/plain"}, b"[1]", "application/json", {"value": "[1]", "mediaType": "text/plain"}),
        ({}, b"<a/>", "application/xml", {"value": "<a/>", "mediaType": "application/xml"}),
    ],
)
async def test_a_reference_is_what_it_points_to(
    link: dict[str, Any], content: bytes, media_type: str, value: object
) -> None:
    inputs: dict[str, Any] = {"numbers": {"href": "http://x.test/a", **link}, "message": "m"}
    assert await fetch_references(inputs, serving(content, media_type)) == {"numbers": value, "message": "m"}


@pytest.mark.parametrize("content", [b"\xff", b"[1,", b"NaN"])
async def test_what_cannot_be_read_is_told_with_its_place(content: bytes) -> None:
    inputs: dict[str, Any] = {"a/b": {"href": "http://x.test"}}
    with pytest.raises(InvalidInput) as caught:
        await fetch_references(inputs, serving(content, "application/json"))
    assert caught.value.faults[0].pointer == "/inputs/a~1b/href"


async def test_what_cannot_be_fetched_is_told_with_its_place() -> None:
    async def fetch(_url: str) -> Fetched:
        raise NotFetched("no")

    body: dict[str, Any] = {"message": {"href": "http://x.test"}}
    with pytest.raises(InvalidInput) as caught, pointing_into(body):
        await fetch_references(body, fetch)
    assert caught.value.faults[0].pointer == "/message/href"


async def test_only_so_many_references_are_followed() -> None:
    inputs: dict[str, Any] = {str(number): {"href": "http://x.test"} for number in range(9)}
    with pytest.raises(InvalidInput, match="at most"):
        await fetch_references(inputs, serving(b"", "text/plain"))
