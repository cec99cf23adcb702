import asyncio

import pytest

from climatejobs_api.answers import Answers


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_those_who_ask_at_the_same_time_and_soon_after_share_an_answer() -> None:
    clock, asked = Clock(), list[str]()
    answers = Answers[str, int](keep=float, clock=clock)

    async def ask() -> int:
        asked.append("what")
        await asyncio.sleep(0)
        return 3

    assert await asyncio.gather(*(answers.find("what", ask) for _ in range(3))) == [3, 3, 3]
    clock.now = 2.9
    await answers.find("what", ask)
    assert len(asked) == 1
    clock.now = 3
    await answers.find("what", ask)
    assert len(asked) == 2


async def test_a_failure_is_told_and_not_kept() -> None:
    answers = Answers[str, int](keep=float, clock=Clock())

    async def fail() -> int:
        raise ValueError("no answer")

    async def ask() -> int:
        return 1

    with pytest.raises(ValueError, match="no answer"):
        await answers.find("what", fail)
    assert await answers.find("what", ask) == 1


async def test_only_so_many_are_kept_and_the_oldest_go_first() -> None:
    answers = Answers[str, int](keep=float, clock=Clock(), size=2)

    async def ask() -> int:
        return 1

    async def never() -> int:
        raise AssertionError

    for question in ("a", "b"):
        await answers.find(question, ask)
    answers.note("c", 5)
    assert await answers.find("b", never) == 1
    assert await answers.find("c", never) == 5
    with pytest.raises(AssertionError):
        await answers.find("a", never)
