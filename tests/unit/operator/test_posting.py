"""The guarded poster against a real receiver on this machine, which is private and so allowed only by name."""

from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_network

import pytest

from climatejobs.outbound import Allowance
from climatejobs_operator.posting import Poster
from tests.receiver import Receiver, receive

LOCAL = Allowance(networks=[ip_network("127.0.0.1/32")])
HEADERS = {"Content-Type": "application/json", "Idempotency-Key": '"a"'}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receive() as opened:
        yield opened


def poster(*answers: Sequence[str], allowance: Allowance = LOCAL, seconds: float = 5) -> Poster:
    """A poster whose names mean the given addresses, one answer after the other."""
    remaining = list(answers or [["127.0.0.1"]])

    async def look_up(_host: str, _port: int) -> Sequence[str]:
        return remaining.pop(0) if len(remaining) > 1 else remaining[0]

    return Poster(allowance, lookup=look_up, seconds=seconds)


async def test_a_body_is_delivered_as_it_is(receiver: Receiver) -> None:
    outcome = await poster().post(receiver.url("/hook", "hook.test"), '{"a": "ä"}', HEADERS)
    assert (outcome.failure, outcome.final) == (None, False)
    (posted,) = receiver.posted
    assert (posted.path, posted.body) == ("/hook", {"a": "ä"})
    assert posted.headers["content-type"] == "application/json"
    assert posted.headers["idempotency-key"] == '"a"'


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "64:ff9b::a00:1"])
async def test_private_addresses_are_refused_for_good(receiver: Receiver, address: str) -> None:
    by_name = await poster([address], allowance=Allowance()).post(receiver.url("/", "hook.test"), "{}", HEADERS)
    host = f"[{address}]" if ":" in address else address
    as_it_is = await poster(allowance=Allowance()).post(f"http://{host}:{receiver.port}/", "{}", HEADERS)
    for outcome in (by_name, as_it_is):
        assert "not public" in (outcome.failure or "")
        assert outcome.final
    assert receiver.posted == []


async def test_a_name_is_looked_up_once_and_the_address_kept(receiver: Receiver) -> None:
    """Rebinding: were the name looked up again to connect, the second answer would lead elsewhere."""
    outcome = await poster(["127.0.0.1"], ["127.0.0.2"]).post(receiver.url("/", "hook.test"), "{}", HEADERS)
    assert outcome.failure is None


async def test_redirects_keep_the_body_and_are_checked_anew(receiver: Receiver) -> None:
    receiver.answers = {
        "/moved": "307 Moved\r\nLocation: /new",
        "/inside": "308 Moved\r\nLocation: http://inner.test/",
        "/metadata": "307 Moved\r\nLocation: http://169.254.169.254/latest",
        "/round": "307 Moved\r\nLocation: /round",
        "/elsewhere": "302 Found\r\nLocation: /new",
    }
    assert (await poster().post(receiver.url("/moved"), '{"a": 1}', HEADERS)).failure is None
    assert [(posted.path, posted.body) for posted in receiver.posted] == [("/moved", {"a": 1}), ("/new", {"a": 1})]
    inside = await poster(["10.0.0.1"]).post(receiver.url("/inside"), "{}", HEADERS)
    assert "not public" in (inside.failure or "")
    assert "not public" in ((await poster().post(receiver.url("/metadata"), "{}", HEADERS)).failure or "")
    assert "redirects" in ((await poster().post(receiver.url("/round"), "{}", HEADERS)).failure or "")
    # Other redirects turn a POST into a GET, which nobody means who gave the address of a receiver.
    elsewhere = await poster().post(receiver.url("/elsewhere"), "{}", HEADERS)
    assert (elsewhere.failure, elsewhere.final) == ("the receiver answers 302", False)


@pytest.mark.parametrize(("answer", "final"), [("500 Oops", False), ("404 Not Found", False), ("410 Gone", True)])
async def test_a_receiver_that_does_not_take_it(receiver: Receiver, answer: str, final: bool) -> None:
    receiver.answers = {"/": answer}
    outcome = await poster().post(receiver.url("/"), "{}", HEADERS)
    assert (outcome.failure, outcome.final) == (f"the receiver answers {answer[:3]}", final)


async def test_a_receiver_that_is_silent_or_away(receiver: Receiver) -> None:
    slow = await poster(seconds=0.1).post(receiver.url("/silent"), "{}", HEADERS)
    assert (slow.failure, slow.final) == ("the receiver takes longer than 0.1 s", False)
    away = await poster().post("http://127.0.0.1:1/", "{}", HEADERS)
    assert away.failure is not None
    assert not away.final


async def test_an_endless_head_is_not_read(receiver: Receiver) -> None:
    receiver.answers = {"/": "200 OK\r\nX-Long: " + "x" * 100_000}
    assert (await poster().post(receiver.url("/"), "{}", HEADERS)).failure is not None
