"""The election: never two leaders, and never long without one."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from climatejobs_operator import lease as leases
from climatejobs_operator.cluster import LEASES
from climatejobs_operator.health import Health
from climatejobs_operator.lease import DURATION_SECONDS, RENEW_DEADLINE_SECONDS
from tests.unit.operator.candidates import NOW, Candidates


@pytest.fixture
def candidates() -> Candidates:
    return Candidates()


async def test_the_first_candidate_leads_and_says_where_it_is(candidates: Candidates) -> None:
    first, second = candidates.join("a"), candidates.join("b")
    assert await first.take()
    assert not await second.take()
    assert candidates.leaders == ["a"]
    assert second.leader_address == "a:8081"


async def test_a_leader_that_is_killed_is_followed_within_twenty_seconds(candidates: Candidates) -> None:
    first, second = candidates.join("a"), candidates.join("b")
    await first.take()
    died_at = candidates.now
    while not await second.take():
        candidates.now += leases.RETRY_SECONDS
    assert DURATION_SECONDS <= candidates.now - died_at < 20
    assert candidates.store.stored is not None
    assert candidates.store.stored["spec"]["leaseTransitions"] == 1


async def test_a_leader_that_ends_in_order_is_followed_at_once(candidates: Candidates) -> None:
    first, second = candidates.join("a"), candidates.join("b")
    await first.take()
    await first.release()
    assert candidates.leaders == []
    assert second.leader_address is None
    assert await second.take()


async def test_a_leader_that_ends_during_a_renewal_is_followed_at_once(candidates: Candidates) -> None:
    """The renewal has come through, but its answer was not waited for."""
    first, second = candidates.join("a"), candidates.join("b")
    await first.take()
    assert candidates.store.stored is not None
    await candidates.store.replace(LEASES, candidates.store.stored)
    await first.release()
    assert await second.take()


async def test_a_container_that_starts_again_in_the_same_pod_does_not_wait_for_itself(candidates: Candidates) -> None:
    await candidates.join("a").take()
    assert await candidates.join("a").take()


async def test_a_leader_without_a_cluster_stops_before_anybody_may_start(candidates: Candidates) -> None:
    leader = candidates.join("a")
    await leader.take()
    candidates.store.away = True
    candidates.now += RENEW_DEADLINE_SECONDS - 0.1
    assert not await leader.renew()
    assert leader.leading
    candidates.now += 0.2
    assert not leader.leading


async def test_a_leader_that_finds_another_in_its_place_stops_at_once(candidates: Candidates) -> None:
    first, second = candidates.join("a"), candidates.join("b")
    await first.take()
    await second.take()
    candidates.now += DURATION_SECONDS
    assert await second.take()
    assert not await first.renew()
    assert candidates.leaders == ["b"]


async def test_a_lease_that_somebody_deletes_is_made_again_by_its_holder(candidates: Candidates) -> None:
    first, second = candidates.join("a"), candidates.join("b")
    await first.take()
    await second.take()
    candidates.store.stored = None
    assert not await second.take(), "its holder still acts"
    assert not await first.renew()
    assert await first.renew()
    assert candidates.leaders == ["a"]


async def test_standing_by_is_no_trouble_and_a_stuck_election_is(candidates: Candidates) -> None:
    leader, standby = candidates.join("a"), candidates.join("b")
    await leader.take()
    await standby.take()
    health = Health(standby)
    assert health.find_trouble() is None
    candidates.now += 61
    assert "the election is stuck" in (health.find_trouble() or "")


MOVES = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(["move", "move", "move", "pause", "release", "restart", "cut", "mend"]),
        st.floats(min_value=0, max_value=20),
    ),
    max_size=60,
)


@given(MOVES)
def test_there_are_never_two_leaders(moves: list[tuple[str, str, float]]) -> None:
    async def play() -> None:
        candidates = Candidates()
        for identity in "abc":
            candidates.join(identity)
        for identity, move, seconds in moves:
            candidates.now += seconds
            election = candidates.members[identity]
            match move:
                case "release":
                    await election.release()
                case "restart":
                    candidates.join(identity)
                case "cut" | "mend":
                    candidates.store.away = move == "cut"
                case "move":
                    await (election.renew() if election.leading else election.take())
                case _:
                    pass
            assert len(candidates.leaders) <= 1

    asyncio.run(play())


def test_what_a_holder_writes_is_a_lease() -> None:
    manifest = leases.held("operator", "a", None, NOW, None)
    assert manifest["spec"] == {
        "holderIdentity": "a",
        "leaseDurationSeconds": 15,
        "acquireTime": "2026-02-01T12:00:00.000000Z",
        "renewTime": "2026-02-01T12:00:00.000000Z",
        "leaseTransitions": 0,
    }
