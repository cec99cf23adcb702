"""Answers that are kept for a short time, so that not every request asks again."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

SIZE = 4096


@dataclass(frozen=True)
class _Kept[V]:
    answer: asyncio.Future[V]
    until: float


class Answers[K: Hashable, V]:
    """The latest answers by question; those who ask the same at the same time share one."""

    def __init__(self, *, keep: Callable[[V], float], clock: Callable[[], float], size: int = SIZE) -> None:
        """`keep` gives the seconds for which an answer holds, `clock` seconds that never go back."""
        self._keep = keep
        self._clock = clock
        self._size = size
        self._kept: OrderedDict[K, _Kept[V]] = OrderedDict()

    async def find(self, question: K, ask: Callable[[], Awaitable[V]]) -> V:
        """The answer that is kept, or else the one that `ask` gives; failures are not kept."""
        known = self._kept.get(question)
        if known is not None and self._clock() < known.until:
            # A question whose asker has gone is still answered to the others.
            return await asyncio.shield(known.answer)
        task = asyncio.create_task(_as_coroutine(ask))
        self._put(question, _Kept(task, float("inf")))
        task.add_done_callback(lambda done: self._settle(question, done))
        return await asyncio.shield(task)

    def note(self, question: K, answer: V) -> None:
        """Keep an answer that was had in another way."""
        known: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        known.set_result(answer)
        self._put(question, _Kept(known, self._clock() + self._keep(answer)))

    def _settle(self, question: K, task: asyncio.Task[V]) -> None:
        known = self._kept.get(question)
        failed = task.cancelled() or task.exception() is not None
        if known is None or known.answer is not task:
            return
        if failed:
            del self._kept[question]
        else:
            self._put(question, _Kept(task, self._clock() + self._keep(task.result())))

    def _put(self, question: K, kept: _Kept[V]) -> None:
        self._kept[question] = kept
        self._kept.move_to_end(question)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)


async def _as_coroutine[V](ask: Callable[[], Awaitable[V]]) -> V:
    return await ask()
