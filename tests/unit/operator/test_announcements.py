"""Events are posted beside the work, whatever comes of one of them."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from climatejobs.names import Reason
from climatejobs_operator import cluster as real
from climatejobs_operator.announcements import MAX_WAITING, POSTERS, Announcements
from climatejobs_operator.cluster import EVENTS, Conflict, NotLeading, Refused, Resource
from climatejobs_operator.events import Event
from tests.unit.operator.builders import NOW, make_climatejob

SUBJECT = make_climatejob().metadata


class Board(real.Cluster):
    """An API server that takes events, but for the first ones: as many as it has troubles."""

    def __init__(self, *troubles: Exception) -> None:
        self.posted: list[dict[str, Any]] = []
        self.unposted = 0
        self.at_once = 0
        self.most_at_once = 0
        self._troubles = list(troubles)
        self._changed = asyncio.Condition()

    async def create(self, resource: Resource, manifest: real.Manifest) -> real.Manifest:
        assert resource is EVENTS
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            await asyncio.sleep(0)
            if self._troubles:
                raise self._troubles.pop(0)
        finally:
            self.at_once -= 1
        self.posted.append(dict(manifest))
        async with self._changed:
            self._changed.notify_all()
        return manifest

    async def wait_for(self, count: int) -> None:
        async with self._changed, asyncio.timeout(10):
            await self._changed.wait_for(lambda: len(self.posted) == count)


def make(board: Board) -> Announcements:
    def count() -> None:
        board.unposted += 1

    return Announcements(board, instance="operator-1", now=lambda: NOW, count_unposted=count)


def post_all(board: Board, announcements: Announcements, count: int) -> None:
    """Have everything posted, by as many at a time as in an operator, of which so many events are to arrive."""

    async def post() -> None:
        parts = [asyncio.create_task(part) for part in announcements.parts()]
        try:
            await board.wait_for(count)
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    asyncio.run(post())


def test_an_event_tells_when_it_happened_not_when_it_was_posted() -> None:
    board, moments = Board(), iter([NOW, NOW + timedelta(seconds=60)])
    announcements = Announcements(board, instance="operator-1", now=lambda: next(moments))
    announcements.announce(Event(Reason.STARTED, "Attempt 1 runs"), SUBJECT)
    announcements.announce(Event(Reason.SUCCEEDED, "Done"), SUBJECT)
    assert board.posted == []
    post_all(board, announcements, 2)
    times = {event["reason"]: datetime.fromisoformat(event["eventTime"]) for event in board.posted}
    assert times == {"Started": NOW, "Succeeded": NOW + timedelta(seconds=60)}
    assert {event["reportingInstance"] for event in board.posted} == {"operator-1"}


def test_few_events_are_posted_at_a_time() -> None:
    board = Board()
    announcements = make(board)
    for number in range(5 * POSTERS):
        announcements.announce(Event(Reason.STARTED, f"Attempt {number} runs"), SUBJECT)
    post_all(board, announcements, 5 * POSTERS)
    assert board.most_at_once == POSTERS
    assert len(announcements) == 0


@pytest.mark.parametrize("trouble", [Refused("no events here", status=403), NotLeading("too late"), ValueError("odd")])
def test_an_event_that_cannot_be_posted_is_told_of_and_keeps_no_other(
    trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    board = Board(*[trouble] * POSTERS)
    announcements = make(board)
    for number in range(POSTERS + 1):
        announcements.announce(Event(Reason.STARTED, f"Attempt {number} runs"), SUBJECT)
    post_all(board, announcements, 1)
    assert len(caplog.records) == board.unposted == POSTERS
    assert all("not posted" in record.getMessage() for record in caplog.records)


def test_an_event_that_was_posted_before_is_no_trouble(caplog: pytest.LogCaptureFixture) -> None:
    board = Board(Conflict("exists", status=409))
    announcements = make(board)
    announcements.announce(Event(Reason.STARTED, "Attempt 1 runs"), SUBJECT)
    asyncio.run(announcements.post_next())
    assert not caplog.records
    assert board.unposted == 0


def test_events_that_find_too_many_before_them_are_not_posted(caplog: pytest.LogCaptureFixture) -> None:
    board = Board()
    announcements = make(board)
    for number in range(MAX_WAITING + 2):
        announcements.announce(Event(Reason.STARTED, f"Attempt {number} runs"), SUBJECT)
    assert len(announcements) == MAX_WAITING
    assert [record.getMessage() for record in caplog.records] == [
        f"Event Started not posted: {MAX_WAITING} others stand in line"
    ] * 2
    assert board.unposted == 2
    asyncio.run(announcements.post_next())
    announcements.announce(Event(Reason.SUCCEEDED, "Done"), SUBJECT)
    assert len(announcements) == MAX_WAITING


class TestWhatIsLeftAtTheEnd:
    async def test_is_posted_with_what_was_on_its_way(self) -> None:
        board = Board()
        announcements = make(board)
        for number in range(3 * POSTERS):
            announcements.announce(Event(Reason.STARTED, f"Attempt {number} runs"), SUBJECT)
        parts = [asyncio.create_task(part) for part in announcements.parts()]
        await asyncio.sleep(0)
        assert board.at_once == POSTERS
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        assert board.posted == []
        await announcements.finish()
        assert len({event["note"] for event in board.posted}) == len(board.posted) == 3 * POSTERS
        assert (len(announcements), board.unposted) == (0, 0)

    async def test_is_counted_and_told_of_where_it_takes_too_long(self, caplog: pytest.LogCaptureFixture) -> None:
        board = Board()
        announcements = make(board)
        for number in range(POSTERS + 3):
            announcements.announce(Event(Reason.STARTED, f"Attempt {number} runs"), SUBJECT)
        await announcements.finish(seconds=0)
        assert (len(announcements), board.unposted, board.posted) == (0, POSTERS + 3, [])
        assert {record.getMessage() for record in caplog.records} == {"Event Started not posted: the operator ends"}

    async def test_is_not_posted_by_one_that_leads_no_more(self) -> None:
        board = Board(*[NotLeading("too late")] * 3)
        announcements = make(board)
        for number in range(3):
            announcements.announce(Event(Reason.STARTED, f"Attempt {number} runs"), SUBJECT)
        await announcements.finish()
        assert (len(announcements), board.unposted) == (0, 3)
