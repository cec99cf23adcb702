"""When a watch is taken for dead, and when it is not: a probe that fails ends the process."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientConnectionError, ClientSession, web
from aiohttp.test_utils import TestServer

from climatejobs_operator.cluster import PODS
from climatejobs_operator.streams import MUTE_STREAMS, SILENT_SECONDS, Streams
from tests.unit.operator.timetable import ManualTimetable

REOPENING_SECONDS = 70.0
"""After so many, a stream that is still is opened anew."""


@pytest.fixture
def timetable() -> ManualTimetable:
    return ManualTimetable()


@pytest.fixture
def streams(timetable: ManualTimetable) -> Streams:
    return Streams(timetable.time)


def reopen(streams: Streams, timetable: ManualTimetable, times: int, *, brings: int = 0) -> None:
    """Open one stream after the other, each of which brings so much."""
    for _ in range(times):
        streams.note_answer("pods", lambda: brings)
        timetable.advance(REOPENING_SECONDS)


def test_a_watch_that_is_opened_again_and_again_and_stays_still_is_silent(
    streams: Streams, timetable: ManualTimetable
) -> None:
    reopen(streams, timetable, 1, brings=100)
    assert streams.find_trouble() is None
    reopen(streams, timetable, MUTE_STREAMS)
    assert streams.find_trouble() is None
    reopen(streams, timetable, 1)
    assert "the watch of pods is silent: no event and no bookmark" in (streams.find_trouble() or "")
    reopen(streams, timetable, 1, brings=100)
    assert streams.find_trouble() is None


def test_bookmarks_keep_a_watch_alive_on_which_nothing_happens(streams: Streams, timetable: ManualTimetable) -> None:
    brought = 0
    streams.note_answer("pods", lambda: brought)
    for _ in range(10):
        timetable.advance(SILENT_SECONDS - 1)
        brought += 100
        assert streams.find_trouble() is None
    assert streams.silent_seconds() == 0


def test_a_watch_that_has_never_brought_anything_is_not_waited_for(
    streams: Streams, timetable: ManualTimetable
) -> None:
    """Where something keeps bookmarks back, a process that is started anew hears no more."""
    reopen(streams, timetable, 100)
    assert streams.find_trouble() is None


def test_streams_that_end_at_once_are_not_silent(streams: Streams, timetable: ManualTimetable) -> None:
    """As while an API server restarts."""
    reopen(streams, timetable, 1, brings=100)
    for _ in range(100):
        streams.note_answer("pods", int)
    timetable.advance(REOPENING_SECONDS)
    assert streams.find_trouble() is None


def test_a_process_that_was_asleep_is_given_the_time_to_hear_again(
    streams: Streams, timetable: ManualTimetable
) -> None:
    reopen(streams, timetable, 1, brings=100)
    assert streams.find_trouble() is None
    timetable.advance(10 * SILENT_SECONDS)
    reopen(streams, timetable, 2)
    assert streams.find_trouble() is None


def test_a_watch_that_nobody_asks_for_any_more_is_dead(streams: Streams, timetable: ManualTimetable) -> None:
    streams.note_answer("jobs", int)
    streams.note_answer("pods", int)
    timetable.advance(SILENT_SECONDS)
    streams.note_answer("jobs", None)
    assert streams.find_trouble() is None
    timetable.advance(1)
    assert "the watch of pods is dead: nobody has asked for it" in (streams.find_trouble() or "")


def test_an_api_server_that_is_away_is_no_trouble_of_ours(streams: Streams, timetable: ManualTimetable) -> None:
    """The process would be ended, begun anew and ended for as long as that lasts."""
    reopen(streams, timetable, 1, brings=100)
    reopen(streams, timetable, MUTE_STREAMS + 1)
    for _ in range(100):
        streams.note_failure()
        timetable.advance(SILENT_SECONDS)
        assert streams.find_trouble() is None


class TestASession:
    @pytest.fixture
    async def server(self) -> AsyncIterator[TestServer]:
        """Sends a bookmark over the watch of pods, refuses that of Jobs, and hangs up on everyone else."""

        async def answer(request: web.Request) -> web.StreamResponse:
            if request.path.endswith("/jobs"):
                return web.Response(status=503)
            response = web.StreamResponse()
            await response.prepare(request)
            if request.path.endswith("/pods"):
                await response.write(b'{"type": "BOOKMARK"}\n')
            return response

        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        server = TestServer(app)
        async with server:
            yield server

    async def test_tells_of_what_is_read_of_a_watch(
        self, server: TestServer, streams: Streams, timetable: ManualTimetable
    ) -> None:
        async with ClientSession(middlewares=(streams.follow,)) as session:
            url = server.make_url(PODS.path("climate"))
            async with session.get(url, params={"watch": "true"}) as response:
                assert await response.content.readline()
                assert streams.find_trouble() is None
            reopen(streams, timetable, MUTE_STREAMS + 1)
            assert streams.find_trouble() is not None
            async with session.get(url):
                assert streams.find_trouble() is not None, "a list is no news of the watch"

    async def test_tells_of_failures(self, server: TestServer, streams: Streams, timetable: ManualTimetable) -> None:
        async with ClientSession(middlewares=(streams.follow,)) as session:
            streams.note_answer("pods", int)
            timetable.advance(SILENT_SECONDS + 1)
            assert streams.find_trouble() is not None
            async with session.get(server.make_url("/apis/batch/v1/namespaces/climate/jobs")):
                assert streams.find_trouble() is None
            timetable.advance(SILENT_SECONDS + 1)
            assert streams.find_trouble() is not None
            nowhere = server.make_url("/api")
            await server.close()
            with pytest.raises(ClientConnectionError):
                await session.get(nowhere)
            assert streams.find_trouble() is None
