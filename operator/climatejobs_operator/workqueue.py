"""Which jobs to look at next: each at most once in line and once at work, failures after a growing pause.

The queue knows keys and times, nothing of jobs. A key that is added while it is worked on comes round again
afterwards, so no change is overlooked. A patient key waits until no other is left: a look at thousands of jobs that
have nothing to do must not keep one from starting.
"""

import asyncio
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
    _line: asyncio.PriorityQueue[tuple[bool, int, str]] = field(
        default_factory=asyncio.PriorityQueue[tuple[bool, int, str]], init=False
    )
    """Whether the key is patient, its number, and the key; an entry whose key has come by another is void."""
    _entries: int = field(default=0, init=False)
    _urgent: dict[str, float] = field(default_factory=dict[str, float], init=False)
    """Keys in line, and since when."""
    _patient: set[str] = field(default_factory=set[str], init=False)
    """Keys that come when no other is left."""
    _working: dict[str, float] = field(default_factory=dict[str, float], init=False)
    """Keys at work, and since when."""
    _again: dict[str, bool] = field(default_factory=dict[str, bool], init=False)
    """Keys at work that are to come round again, and whether they are patient."""
    _timers: dict[str, Timer] = field(default_factory=dict[str, Timer], init=False)
    _failures: dict[str, int] = field(default_factory=dict[str, int], init=False)

    def add(self, key: str, *, patient: bool = False) -> None:
        """Look at this key as soon as possible; a patient one once no other is in line."""
        self._drop_timer(key)
        if key in self._working:
            self._again[key] = patient and self._again.get(key, True)
        elif key not in self._urgent and not (patient and key in self._patient):
            if patient:
                self._patient.add(key)
            else:
                self._patient.discard(key)
                self._urgent[key] = self.timetable.time()
            self._entries += 1
            self._line.put_nowait((patient, self._entries, key))

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
        while True:
            patient, _, key = await self._line.get()
            if (key in self._patient) if patient else (self._urgent.pop(key, None) is not None):
                self._patient.discard(key)
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
        return bool(self._urgent)

    def oldest_seconds(self) -> float:
        """How long the key that waits or is worked on longest has been so; patient ones may wait for long."""
        now = self.timetable.time()
        since = [*self._urgent.values(), *self._working.values()]
        return now - min(since, default=now)

    def __len__(self) -> int:
        return len(self._urgent) + len(self._patient)

    def _drop_timer(self, key: str) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
