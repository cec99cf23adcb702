"""Who gets in, and what is remembered of it."""

import asyncio

import pytest

from climatejobs_api.auth.callers import BadToken, Caller, NoVerdict, Permission
from climatejobs_api.auth.gate import MAX_NAME_LENGTH, GuardedGate
from climatejobs_api.problems import Problem

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
        await gate.admit(header)
    assert refused.value.status == 401
    assert refused.value.headers == {"WWW-Authenticate": challenge}


@pytest.mark.parametrize("header", ["Bearer t", "bearer  t ", "BEARER t"])
async def test_whoever_is_known_gets_in(gate: GuardedGate, header: str) -> None:
    assert await gate.admit(header) == ALICE


async def test_a_verdict_is_remembered_for_a_while(gate: GuardedGate, authority: Authority, clock: Clock) -> None:
    await asyncio.gather(*(gate.admit("Bearer t") for _ in range(5)))
    assert authority.asked == ["t"]
    clock.now += 29
    await gate.admit("Bearer t")
    assert authority.asked == ["t"]
    clock.now += 2
    del authority.tokens["t"]
    with pytest.raises(Problem):
        await gate.admit("Bearer t")


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
    for question in (gate.admit("Bearer t"), gate.require(ALICE, CREATE)):
        with pytest.raises(Problem) as refused:
            await question
        assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "7"})
    authority.away = False
    assert await gate.admit("Bearer t") == ALICE


async def test_a_question_outlives_the_one_who_asked_first(gate: GuardedGate) -> None:
    first, second = (asyncio.create_task(gate.admit("Bearer t")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == ALICE


async def test_a_name_that_cannot_be_recorded_does_not_get_in(gate: GuardedGate, authority: Authority) -> None:
    authority.tokens["long"] = Caller("x" * (MAX_NAME_LENGTH + 1))
    with pytest.raises(Problem) as refused:
        await gate.admit("Bearer long")
    assert refused.value.status == 401
