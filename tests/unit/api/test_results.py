import json
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from climatejobs.ogc.links import ZARR, Links
from climatejobs_api.problems import EXCEPTIONS, Problem
from climatejobs_api.results import answer_output, answer_results, check_results
from tests.unit.api.manifests import OUTPUT, job

LINKS = Links("http://api.test")
VERSION = "http://api.test/datasets/era5_1d_mean/versions/0123456789abcdef/zarr"
ECHOED = {"message": "hello", "numbers": [1, 2], "document": {"value": "<a/>", "mediaType": "application/xml"}}


async def results(data: Path, *, process: str = "echo", results: dict[str, Any] | None = None, **spec: Any) -> Response:
    found = ECHOED if results is None else results
    done = job(spec={"process": process, **spec}, phase="Succeeded", results=found)
    return await answer_results(done, LINKS, data)


def content(response: Response) -> Any:
    return json.loads(bytes(response.body))


async def test_several_outputs_are_one_document_in_declared_order(data: Path) -> None:
    shuffled = {name: ECHOED[name] for name in sorted(ECHOED)}
    response = await results(data, results=shuffled)
    assert content(response) == ECHOED
    assert list(content(response)) == ["message", "numbers", "document"]


async def test_one_output_is_bare_unless_a_document_is_asked_for(data: Path) -> None:
    bare = await results(data, outputs={"numbers": {}})
    assert content(bare) == [1, 2]
    document = await results(data, outputs={"numbers": {}}, response="document")
    assert content(document) == {"numbers": [1, 2]}


@pytest.mark.parametrize(
    ("output", "media_type", "body"),
    [
        ("message", "text/plain; charset=utf-8", b"hello"),
        ("document", "application/xml", b"<a/>"),
        ("numbers", "application/json", b"[1,2]"),
    ],
)
async def test_a_bare_output_has_its_own_media_type(data: Path, output: str, media_type: str, body: bytes) -> None:
    response = await results(data, outputs={output: {}})
    assert (response.headers["content-type"], response.body) == (media_type, body)


async def test_how_many_outputs_were_asked_for_counts_and_not_how_many_have_a_value(data: Path) -> None:
    response = await results(data, results={"message": "hello"}, outputs={"message": {}, "area": {}})
    assert content(response) == {"message": "hello"}


async def test_a_data_set_says_where_it_is(data: Path) -> None:
    value = content(await results(data, process="resample", results={"dataset": OUTPUT}))
    assert value["href"] == VERSION
    assert value | OUTPUT == value
    assert {link["rel"]: link["href"] for link in value["links"]} == {
        "describedby": "http://api.test/datasets/era5_1d_mean",
        "enclosure": VERSION,
        "latest-version": "http://api.test/datasets/era5_1d_mean/zarr",
    }


async def test_a_data_set_by_reference_is_a_link_to_its_version(data: Path) -> None:
    wanted = {"dataset": {"transmissionMode": "reference"}}
    bare = await results(data, process="resample", results={"dataset": OUTPUT}, outputs=wanted)
    assert bare.status_code == 204
    assert bare.body == b""
    assert bare.headers["link"].startswith(f"<{VERSION}>; ")
    document = await results(data, process="resample", results={"dataset": OUTPUT}, outputs=wanted, response="document")
    assert content(document)["dataset"]["href"] == VERSION
    assert content(document)["dataset"]["type"] == ZARR


async def test_any_output_can_be_had_by_reference(data: Path) -> None:
    response = await results(data, outputs={"message": {"transmissionMode": "reference"}, "numbers": {}})
    assert content(response)["message"]["href"] == "http://api.test/jobs/echo-1/results/message"
    done = job(phase="Succeeded", results=ECHOED)
    assert (await answer_output(done, "message", LINKS, data)).body == b"hello"
    with pytest.raises(Problem) as caught:
        await answer_output(done, "nothing", LINKS, data)
    assert caught.value.status == 404


def store_value(data: Path, text: bytes, *, uid: str = "uid-echo-1", size: int | None = None) -> dict[str, Any]:
    folder = data / "results" / uid
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "message").write_bytes(text)
    return {
        "kind": "stored-value",
        "file": f"results/{uid}/message",
        "media_type": "application/json",
        "size": len(text) if size is None else size,
    }


async def test_a_stored_value_is_served_as_if_it_had_never_left(data: Path) -> None:
    stored = store_value(data, b'"long text"')
    assert content(await results(data, results={"message": stored})) == {"message": "long text"}
    assert content(await results(data, results={"message": stored}, outputs={"message": {}})) == "long text"


@pytest.mark.parametrize("harm", ["missing", "cut short", "a link"])
async def test_a_stored_value_that_is_not_there_is_told(data: Path, harm: str) -> None:
    stored = store_value(data, b'"long text"', size=99 if harm == "cut short" else None)
    path = data / stored["file"]
    if harm == "missing":
        path.unlink()
    if harm == "a link":
        path.rename(path.with_name("moved"))
        path.symlink_to("moved")
    with pytest.raises(Exception, match="message") as caught:
        await results(data, results={"message": stored})
    assert type(caught.value).__name__ == "DataError"


async def test_a_stored_value_is_looked_for_only_in_the_jobs_own_folder(data: Path) -> None:
    (data / "secret").write_text('"secret"')
    stored = store_value(data, b'"mine"') | {"file": "secret"}
    assert content(await results(data, results={"message": stored})) == {"message": "mine"}


@pytest.mark.parametrize(
    ("members", "status", "type_"),
    [
        ({}, 404, f"{EXCEPTIONS}result-not-ready"),
        ({"phase": "Running"}, 404, f"{EXCEPTIONS}result-not-ready"),
        ({"phase": "Cancelled"}, 404, f"{EXCEPTIONS}no-such-job"),
        ({"phase": "Running", "spec": {"cancel": True}}, 404, f"{EXCEPTIONS}no-such-job"),
        ({"phase": "Failed"}, 500, "urn:climatejobs:error:failed"),
    ],
)
def test_jobs_without_results_say_why(members: dict[str, Any], status: int, type_: str) -> None:
    with pytest.raises(Problem) as caught:
        check_results(job(**members))
    assert (caught.value.status, caught.value.type) == (status, type_)


@pytest.mark.parametrize(
    ("slug", "status"),
    [
        ("invalid-input", 400),
        ("no-such-dataset", 400),
        ("no-data", 400),
        ("too-large", 400),
        ("unusable-data", 500),
        ("out-of-memory", 500),
        ("internal", 500),
    ],
)
def test_a_failure_blames_the_request_only_where_it_is_to_blame(slug: str, status: int) -> None:
    error = {"type": f"urn:climatejobs:error:{slug}", "title": "T", "detail": "D", "hint": "H"}
    with pytest.raises(Problem) as caught:
        check_results(job(phase="Failed", error=error))
    problem = caught.value
    assert (problem.status, problem.type, problem.detail, problem.hint) == (status, error["type"], "D", "H")
