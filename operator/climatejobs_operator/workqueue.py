"""Which jobs to look at next: each at most once in line and once at work, failures after a growing pause.

The queue knows keys and times, nothing of jobs. A key that is added while it is worked on comes round again
afterwards, so no change is overlooked. A patient key waits until no other is left: a look at thousands of jobs that
have nothing to do must not keep one from starting. And where writes take long, jobs that are to start do not stand
behind all of which something is to be said: every other key that is taken is one that starts something, if there is
any, and no more than every other one, so that neither waits for the other to come to an end.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


class Timer(Protocol):
    """Something that will happen at a time, unless it is called off."""

    def when(self) -> float:
        """The time, by the queue's clock."""
        ...

    def cancel(self) -> None:
        """Call it off."""
        ...


class Timetable(Protocol):
    """A clock that calls back; an event loop is one."""

    def time(self) -> float:
        """Seconds, from an arbitrary origin."""
        ...

    def call_at(self, when: float, callback: Callable[[], None], /) -> Timer:
        """Have `callback` called at that time."""
        ...


@dataclass(frozen=True)
class Backoff:
    """How long a key that failed has to wait: doubled each time, with jitter so that many do not come at once."""

    first_seconds: float = 0.5
    max_seconds: float = 60.0

    def delay(self, failures: int, chance: float) -> float:
        """Seconds to wait after that many failures in a row; `chance` lies in [0, 1)."""
        full = min(self.first_seconds * 2 ** min(failures - 1, 32), self.max_seconds)
        return full * (0.5 + chance / 2)


@dataclass
class WorkQueue:
    """The queue. For use within one event loop."""

    timetable: Timetable
    chance: Callable[[], float]
    backoff: Backoff = field(default_factory=Backoff)
    starts: Callable[[str], bool] = lambda _key: False
    """Whether a look at this key may start something."""
    _starting: OrderedDict[str, float] = field(default_factory=OrderedDict[str, float], init=False)
    """Keys in line of which a look may start something, and since when."""
    _going_on: OrderedDict[str, float] = field(default_factory=OrderedDict[str, float], init=False)
    """All others in line, and since when."""
    _patient: OrderedDict[str, float] = field(default_factory=OrderedDict[str, float], init=False)
    """Keys that come when no other is left."""
    _in_line: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0), init=False)
    """As many as there are keys in line."""
    _started_last: bool = field(default=False, init=False)
    """Whether the key that was taken last was one of those that start something."""
    _working: dict[str, float] = field(default_factory=dict[str, float], init=False)
    """Keys at work, and since when."""
    _again: dict[str, bool] = field(default_factory=dict[str, bool], init=False)
    """Keys at work that are to come round again, and whether they are patient."""
    _timers: dict[str, Timer] = field(default_factory=dict[str, Timer], init=False)
    _failures: dict[str, int] = field(default_factory=dict[str, int], init=False)

    def add(self, key: str, *, patient: bool = False) -> None:
        """Look at this key as soon as possible; a patient one once no other is in line."""
        self._drop_timer(key)
        stands = key in self._starting or key in self._going_on or (patient and key in self._patient)
        if key in self._working:
            self._again[key] = patient and self._again.get(key, True)
        elif not stands:
            if self._patient.pop(key, None) is None:
                self._in_line.release()
            line = self._patient if patient else self._starting if self.starts(key) else self._going_on
            line[key] = self.timetable.time()

    def add_after(self, key: str, seconds: float) -> None:
        """Look at this key after a time, or earlier if it was to be looked at earlier anyway."""
        when = self.timetable.time() + seconds
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= when:
                return
            timer.cancel()
        self._timers[key] = self.timetable.call_at(when, lambda: self.add(key))

    def retry(self, key: str, at_least: float | None = None) -> float:
        """Look at this key after the pause its failures in a row have earned; returns that pause in seconds."""
        self._failures[key] = self._failures.get(key, 0) + 1
        # With jitter too: what was turned away together must not come back together.
        seconds = max(
            self.backoff.delay(self._failures[key], self.chance()), (at_least or 0.0) * (1 + self.chance() / 4)
        )
        self.add_after(key, seconds)
        return seconds

    def forget(self, key: str) -> None:
        """This key has succeeded: its next failure counts as the first."""
        self._failures.pop(key, None)

    async def take(self) -> str:
        """Wait for the next key; `finish` must follow."""
        await self._in_line.acquire()
        first, second = self._starting, self._going_on
        if self._started_last:
            first, second = second, first
        line = first or second or self._patient
        self._started_last = line is self._starting
        key, _ = line.popitem(last=False)
        self._working[key] = self.timetable.time()
        return key

    def finish(self, key: str) -> None:
        """The work on this key is over, well or not."""
        del self._working[key]
        patient = self._again.pop(key, None)
        if patient is not None:
            self.add(key, patient=patient)

    @property
    def pressed(self) -> bool:
        """Whether a key is in line that is not patient."""
        return bool(self._starting or self._going_on)

    def oldest_seconds(self) -> float:
        """How long the key that waits or is worked on longest has been so; patient ones may wait for long."""
        now = self.timetable.time()
        since = [*self._starting.values(), *self._going_on.values(), *self._working.values()]
        return now - min(since, default=now)

    def __len__(self) -> int:
        return len(self._starting) + len(self._going_on) + len(self._patient)

    def _drop_timer(self, key: str) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
