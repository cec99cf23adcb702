"""The client against a small HTTP server that answers as an API server does."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from climatejobs_operator.cluster import (
    CLIMATEJOBS,
    EVENTS,
    JOBS,
    PODS,
    Cluster,
    ClusterError,
    Conflict,
    NotFound,
    NotLeading,
    Refused,
)
from tests.unit.operator.serving import serve


class Server:
    """Answers what a test sets, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[web.Response] = []
        self.requests: list[tuple[str, str, dict[str, str], str]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append((request.method, request.path, dict(request.query), await request.text()))
        return self.answers.pop(0)

    def fail(self, status: int, **headers: str) -> None:
        body = {"kind": "Status", "message": f"refused with {status}"}
        self.answers.append(web.json_response(body, status=status, headers=headers))


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def cluster(server: Server) -> AsyncIterator[Cluster]:
    async with serve(server.handle) as connected:
        yield connected


def test_paths_follow_the_group() -> None:
    assert PODS.path("climate") == "/api/v1/namespaces/climate/pods"
    assert JOBS.path("climate", "a") == "/apis/batch/v1/namespaces/climate/jobs/a"
    assert EVENTS.path("climate") == "/apis/events.k8s.io/v1/namespaces/climate/events"


async def test_a_list_is_read_page_by_page(server: Server, cluster: Cluster) -> None:
    for token, name in (("more", "a"), ("", "b")):
        body = {"metadata": {"resourceVersion": "7", "continue": token}, "items": [{"name": name}]}
        server.answers.append(web.json_response(body))
    pages = [page async for page in cluster.list_pages(JOBS, labels="a=b", limit=1)]
    assert [page.items for page in pages] == [({"name": "a"},), ({"name": "b"},)]
    assert [query.get("continue") for _, _, query, _ in server.requests] == [None, "more"]
    assert all(query["labelSelector"] == "a=b" for _, _, query, _ in server.requests)


async def test_large_objects_are_read_in_smaller_pages(server: Server, cluster: Cluster) -> None:
    for resource in (CLIMATEJOBS, JOBS, PODS):
        server.answers.append(web.json_response({"metadata": {"resourceVersion": "7"}, "items": []}))
        assert [page.items async for page in cluster.list_pages(resource)] == [()]
    limits = [int(query["limit"]) for _, _, query, _ in server.requests]
    assert limits == [resource.page_size for resource in (CLIMATEJOBS, JOBS, PODS)]
    assert limits[0] > limits[1] == limits[2]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Refused),
        (403, Refused),
        (404, NotFound),
        (409, Conflict),
        (422, Refused),
        (429, ClusterError),
        (500, ClusterError),
    ],
)
async def test_a_failure_has_its_kind_and_the_servers_words(
    server: Server, cluster: Cluster, status: int, kind: type[ClusterError]
) -> None:
    server.fail(status, **{"Retry-After": "3"})
    with pytest.raises(ClusterError, match=f"refused with {status}") as caught:
        await cluster.get(JOBS, "a")
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.retry_after) == (status, 3)


async def test_a_server_that_asks_to_be_left_alone_is_left_alone_by_all(server: Server, cluster: Cluster) -> None:
    server.fail(429, **{"Retry-After": "3"})
    with pytest.raises(ClusterError):
        await cluster.get(JOBS, "a")
    with pytest.raises(ClusterError, match="left alone") as caught:
        await cluster.get(PODS, "b")
    assert caught.value.status == 429
    assert 2 < (caught.value.retry_after or 0) <= 3
    assert len(server.requests) == 1, "the second call was not sent"


async def test_who_may_not_write_sends_nothing(server: Server) -> None:
    async with aiohttp.ClientSession() as session:
        idle = Cluster(session, "http://127.0.0.1:9", "climate", seconds_to_write=lambda: 0.0)
        for write in (idle.create(JOBS, {}), idle.delete(JOBS, "a", "uid"), idle.write_status(JOBS, "a", "1", {})):
            with pytest.raises(NotLeading):
                await write


async def test_a_server_that_is_away_is_an_error_of_the_cluster() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ClusterError, match="cannot be reached"):
            await Cluster(session, "http://127.0.0.1:9", "climate").get(JOBS, "a")


async def test_a_status_is_written_only_at_the_version_it_was_decided_from(server: Server, cluster: Cluster) -> None:
    server.answers.append(web.json_response({}))
    await cluster.write_status(CLIMATEJOBS, "a", "41", {"results": {"gap": None}})
    method, path, _, body = server.requests[0]
    assert (method, path.rsplit("/", 2)[1:]) == ("PUT", ["a", "status"])
    assert '"metadata": {"name": "a", "resourceVersion": "41"}' in body
    assert '"status": {"results": {"gap": null}}' in body


@pytest.mark.parametrize("status", [404, 409])
async def test_what_is_gone_needs_no_deletion(server: Server, cluster: Cluster, status: int) -> None:
    server.fail(status)
    await cluster.delete(JOBS, "a", "uid-1")
    body = server.requests[0][3]
    assert '"propagationPolicy": "Background"' in body
    assert '"preconditions": {"uid": "uid-1"}' in body


async def test_how_long_writes_take_is_known(server: Server, cluster: Cluster) -> None:
    assert cluster.write_seconds == 0
    server.answers += [web.json_response({"metadata": {}}), web.json_response({})]
    await cluster.get(JOBS, "a")
    assert cluster.write_seconds == 0, "that was none"
    await cluster.write_status(CLIMATEJOBS, "a", "41", {})
    assert 0 < cluster.write_seconds < 30
