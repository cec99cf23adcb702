"""Who gets in, and what is remembered of it."""

import asyncio

import pytest

from climatejobs_api.auth.callers import BadToken, Caller, NoVerdict, Permission
from climatejobs_api.auth.gate import MAX_NAME_LENGTH, GuardedGate
from climatejobs_api.auth.strangers import KNOWN, Strangers
from climatejobs_api.problems import Problem
from tests.unit.api.conftest import until

ALICE = Caller("alice", groups=("science",))
CREATE, GET = Permission("create"), Permission("get")


class Authority:
    """Knows some tokens and rights, and counts how often it is asked."""

    def __init__(self) -> None:
        self.tokens = {"t": ALICE}
        self.rights: set[tuple[str | None, Permission, str | None]] = set()
        self.asked: list[object] = []
        self.away = False

    async def identify(self, token: str) -> Caller:
        self.asked.append(token)
        await asyncio.sleep(0)
        if self.away:
            raise NoVerdict("the cluster is away", retry_after=7)
        if token not in self.tokens:
            raise BadToken("nobody knows it")
        return self.tokens[token]

    async def allows(self, caller: Caller, permission: Permission, name: str | None) -> bool:
        self.asked.append((permission.verb, name))
        if self.away:
            raise NoVerdict("the cluster is away", retry_after=7)
        return (caller.name, permission, name) in self.rights


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(authority: Authority, clock: Clock) -> GuardedGate:
    return GuardedGate(authority, authority, namespace="science", keep_seconds=30, clock=clock)


async def admit(gate: GuardedGate, header: str | None, *, address: str = "192.0.2.1") -> Caller:
    return await gate.admit(header, lambda: address)


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        (None, 'Bearer realm="climatejobs"'),
        ("", 'Bearer realm="climatejobs"'),
        ("Basic YTpi", 'Bearer realm="climatejobs", error="invalid_request"'),
        ("Bearer", 'Bearer realm="climatejobs", error="invalid_request"'),
        ("Bearer x", 'Bearer realm="climatejobs", error="invalid_token"'),
        ("Bearer " + "x" * 20000, 'Bearer realm="climatejobs", error="invalid_token"'),
        ("Bearer é", 'Bearer realm="climatejobs", error="invalid_token"'),
    ],
)
async def test_whoever_is_not_known_is_told_how_to_sign_in(
    gate: GuardedGate, header: str | None, challenge: str
) -> None:
    with pytest.raises(Problem) as refused:
        await admit(gate, header)
    assert refused.value.status == 401
    assert refused.value.headers == {"WWW-Authenticate": challenge}


@pytest.mark.parametrize("header", ["Bearer t", "bearer  t ", "BEARER t"])
async def test_whoever_is_known_gets_in(gate: GuardedGate, header: str) -> None:
    assert await admit(gate, header) == ALICE


async def test_a_verdict_is_remembered_for_a_while(gate: GuardedGate, authority: Authority, clock: Clock) -> None:
    await asyncio.gather(*(admit(gate, "Bearer t") for _ in range(5)))
    assert authority.asked == ["t"]
    clock.now += 29
    await admit(gate, "Bearer t")
    assert authority.asked == ["t"]
    clock.now += 2
    del authority.tokens["t"]
    with pytest.raises(Problem):
        await admit(gate, "Bearer t")


async def test_a_refusal_is_remembered_for_a_shorter_while(
    gate: GuardedGate, authority: Authority, clock: Clock
) -> None:
    for _ in range(3):
        with pytest.raises(Problem, match=r"alice may not create climatejobs\.climatejobs\.io in"):
            await gate.require(ALICE, CREATE)
    assert authority.asked == [("create", None)]
    authority.rights.add(("alice", CREATE, None))
    clock.now += 6
    await gate.require(ALICE, CREATE)


async def test_a_right_to_one_object_is_found_after_that_to_all(gate: GuardedGate, authority: Authority) -> None:
    authority.rights.add(("alice", GET, "mine"))
    await gate.require(ALICE, GET, "mine")
    with pytest.raises(Problem):
        await gate.require(ALICE, GET, "other")
    authority.asked.clear()
    authority.rights.add(("alice", Permission("delete"), None))
    for name in ("a", "b", "c"):
        await gate.require(ALICE, Permission("delete"), name)
    assert authority.asked == [("delete", None)]


async def test_failures_are_no_verdicts(gate: GuardedGate, authority: Authority) -> None:
    authority.away = True
    for question in (admit(gate, "Bearer t"), gate.require(ALICE, CREATE)):
        with pytest.raises(Problem) as refused:
            await question
        assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "7"})
    authority.away = False
    assert await admit(gate, "Bearer t") == ALICE


async def test_a_question_outlives_the_one_who_asked_first(gate: GuardedGate) -> None:
    first, second = (asyncio.create_task(admit(gate, "Bearer t")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == ALICE


async def test_a_name_that_cannot_be_recorded_does_not_get_in(gate: GuardedGate, authority: Authority) -> None:
    authority.tokens["long"] = Caller("x" * (MAX_NAME_LENGTH + 1))
    with pytest.raises(Problem) as refused:
        await admit(gate, "Bearer long")
    assert refused.value.status == 401


async def refuse(gate: GuardedGate, token: str, *, address: str = "192.0.2.1") -> Problem:
    """What a token is answered that does not get in."""
    with pytest.raises(Problem) as refused:
        await admit(gate, f"Bearer {token}", address=address)
    return refused.value


def guard(authority: Authority, clock: Clock, strangers: Strangers) -> GuardedGate:
    return GuardedGate(authority, authority, namespace="science", keep_seconds=30, strangers=strangers, clock=clock)


async def test_a_flood_of_made_up_tokens_is_asked_about_only_so_often(authority: Authority, clock: Clock) -> None:
    gate = guard(authority, clock, Strangers(per_minute=3))
    assert [(await refuse(gate, f"bad-{number}")).status for number in range(5)] == [401, 401, 401, 429, 429]
    assert authority.asked == ["bad-0", "bad-1", "bad-2"]
    braked = await refuse(gate, "bad-9")
    assert 1 <= int(braked.headers["Retry-After"]) <= 60
    assert (await refuse(gate, "bad-9", address="192.0.2.2")).status == 401, "another address has a count of its own"


async def test_the_same_bad_token_is_asked_about_once(authority: Authority, clock: Clock) -> None:
    gate = guard(authority, clock, Strangers(per_minute=1))
    assert [(await refuse(gate, "bad")).status for _ in range(5)] == [401] * 5
    assert authority.asked == ["bad"]


async def test_who_shares_an_address_with_a_flood_gets_on(authority: Authority, clock: Clock) -> None:
    gate = guard(authority, clock, Strangers(per_minute=2))
    assert await admit(gate, "Bearer t") == ALICE
    await refuse(gate, "bad-1")
    assert (await refuse(gate, "bad-2")).status == 429
    clock.now += 31
    assert await admit(gate, "Bearer t") == ALICE, "though it has to be asked about again"
    assert authority.asked == ["t", "bad-1", "t"]
    clock.now += 31
    del authority.tokens["t"]
    assert (await refuse(gate, "t")).status == 401
    assert (await refuse(gate, "t")).status == 429, "it is a stranger's now"


async def test_a_flood_does_not_push_callers_out_of_memory(authority: Authority, clock: Clock) -> None:
    gate = guard(authority, clock, Strangers(per_minute=0))
    await admit(gate, "Bearer t")
    for number in range(KNOWN + 1):
        await refuse(gate, f"bad-{number}")
    authority.asked.clear()
    assert await admit(gate, "Bearer t") == ALICE
    assert authority.asked == []


async def test_only_so_many_unknown_tokens_are_asked_about_at_a_time(authority: Authority, clock: Clock) -> None:
    gate = guard(authority, clock, Strangers(per_minute=0, at_once=2, waiting=3))
    answering, asking = asyncio.Event(), list[str]()

    async def identify(token: str) -> Caller:
        asking.append(token)
        await answering.wait()
        raise BadToken("nobody knows it")

    authority.identify = identify
    flood = [asyncio.create_task(refuse(gate, f"bad-{number}", address=f"192.0.2.{number}")) for number in range(8)]
    await until(lambda: sum(task.done() for task in flood) == 3)
    assert asking == ["bad-0", "bad-1"]
    turned_away = [task.result() for task in flood if task.done()]
    assert [(each.status, each.headers) for each in turned_away] == [(503, {"Retry-After": "1"})] * 3
    answering.set()
    assert [each.status for each in await asyncio.gather(*flood)] == [401] * 5 + [503] * 3
