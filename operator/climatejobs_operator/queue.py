"""Who may run and who waits: the one place where slots are given away.

A slot is held from the moment a Job is to be made until nothing of the job runs any more. `admit` decides, purely;
`Line` keeps what it decides from in step with the cache and remembers what has been promised, because between a
decision and the Job in the cache another worker may ask. A new operator promises nothing before its cache is complete.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from typing import NamedTuple

from climatejobs_operator.cache import Cache
from climatejobs_operator.observation import Observation, Place

ANNOUNCED_PLACES = 100
"""Only so many are told of their progress in line; the others are told once that they wait."""


@dataclass(frozen=True)
class Limits:
    """How many ClimateJobs may run at a time; 0 is no limit."""

    running: int = 0
    per_submitter: int = 0


class Ticket(NamedTuple):
    """A waiting job, sorted by its turn: higher priority first, then the order of submission."""

    precedence: int
    submitted_at: datetime
    name: str
    submitter: str


def admit(waiting: Iterable[Ticket], held: Counter[str], limits: Limits) -> list[str]:
    """The waiting jobs that get a slot now, when the submitters hold `held` slots. `waiting` is in order."""
    free = limits.running - held.total() if limits.running else None
    if free is not None and free <= 0:
        return []
    taken = Counter(held)
    admitted: list[str] = []
    for ticket in waiting:
        if limits.per_submitter and taken[ticket.submitter] >= limits.per_submitter:
            continue
        taken[ticket.submitter] += 1
        admitted.append(ticket.name)
        if len(admitted) == free:
            break
    return admitted


def holds_slot(seen: Observation) -> bool:
    """Whether something of the job runs or may start at any moment."""
    job = seen.own_job
    return bool(seen.live_pods) or (job is not None and not job.held)


def asks_for_slot(seen: Observation) -> bool:
    """Whether the job would start if it had a slot."""
    climatejob = seen.climatejob
    return not (
        holds_slot(seen)
        or (seen.job is not None and (seen.own_job is None or seen.job.ended))
        or climatejob.spec.suspend
        or seen.unreadable is not None
        or climatejob.spec.cancel
        or climatejob.phase.terminal
        or climatejob.metadata.deletion_timestamp is not None
    )


class Line:
    """The waiting jobs and the slots. Follows the cache by itself; for use within one event loop."""

    def __init__(self, cache: Cache, limits: Limits, call: Callable[[str], None]) -> None:
        self._cache = cache
        self._limits = limits
        self._call = call
        self._waiting: list[Ticket] = []
        self._by_submitter: dict[str, list[Ticket]] = {}
        """The same tickets, a line for each submitter."""
        self._tickets: dict[str, Ticket] = {}
        self._held: dict[str, str] = {}
        """Submitters of the jobs that hold a slot or were promised one."""
        self._counts: Counter[str] = Counter()
        """Slots held, by submitter."""
        self._promised: set[str] = set()
        self._aside: set[str] = set()
        """Jobs that cannot use a slot for now, whatever their turn."""
        self._near_since: dict[str, datetime] = {}
        """Of those among the first: since when they have not been told that they move on."""
        cache.subscribe(self.follow)

    def follow(self, name: str) -> None:
        """Something about a job has changed; those whose turn it has become are called."""
        seen = self._cache.observe(name)
        if seen is not None and holds_slot(seen):
            self._leave(name)
            self._promised.discard(name)
            self._hold(name, seen)
        elif seen is not None and asks_for_slot(seen) and name not in self._aside:
            if name not in self._promised:
                self._enter(_ticket(seen))
                self._release(name)
        else:
            waited = name in self._tickets
            self._leave(name)
            self._release(name)
            if waited:
                self._call_admitted()  # it may have been called, and not have come yet
            if seen is None:
                self._aside.discard(name)

    def secure(self, name: str, now: datetime) -> Place | None:
        """Tell a job its place; None where it need not wait. Free slots are promised first, to all whose turn it is."""
        if name in self._aside:
            self._aside.remove(name)
            self.follow(name)
        if name not in self._tickets:
            return None
        for admitted in self._find_admitted(name):
            self._promise(admitted)
            if admitted != name:
                self._call(admitted)
        ticket = self._tickets.get(name)
        if ticket is None:
            return None
        number = bisect_left(self._waiting, ticket) + 1
        if number > ANNOUNCED_PLACES:
            self._near_since.pop(name, None)
            return Place(number)
        return Place(number, self._near_since.setdefault(name, now))

    def step_aside(self, name: str) -> None:
        """A job cannot use the slot it was promised before it is looked at again: the next one may."""
        self._aside.add(name)
        self.follow(name)

    def note_announced(self, name: str, now: datetime) -> None:
        """A waiting job has been told its place."""
        if name in self._near_since:
            self._near_since[name] = now

    def __len__(self) -> int:
        return len(self._waiting)

    def _find_admitted(self, name: str) -> list[str]:
        submitter = self._tickets[name].submitter
        if self._limits.per_submitter and self._counts[submitter] >= self._limits.per_submitter:
            return []  # spares a look along the line to each of a submitter's many jobs
        return self._admit()

    def _admit(self) -> list[str]:
        return admit(self._candidates(), self._counts, self._limits)

    def _candidates(self) -> Iterable[Ticket]:
        """In order, all whose turn it may be: of thousands of one submitter, no more than may run beside each other."""
        most = self._limits.per_submitter
        if not most:
            return self._waiting
        return merge(
            *(
                tickets[: most - self._counts[submitter]]
                for submitter, tickets in self._by_submitter.items()
                if self._counts[submitter] < most
            )
        )

    def _promise(self, name: str) -> None:
        submitter = self._tickets[name].submitter
        self._leave(name)
        self._promised.add(name)
        self._held[name] = submitter
        self._counts[submitter] += 1

    def _enter(self, ticket: Ticket) -> None:
        if self._tickets.get(ticket.name) != ticket:
            near_since = self._near_since.get(ticket.name)
            self._leave(ticket.name)
            insort(self._waiting, ticket)
            insort(self._by_submitter.setdefault(ticket.submitter, []), ticket)
            self._tickets[ticket.name] = ticket
            if near_since is not None:
                self._near_since[ticket.name] = near_since

    def _leave(self, name: str) -> None:
        self._near_since.pop(name, None)
        ticket = self._tickets.pop(name, None)
        if ticket is None:
            return
        index = _take_out(self._waiting, ticket)
        siblings = self._by_submitter[ticket.submitter]
        _take_out(siblings, ticket)
        if not siblings:
            del self._by_submitter[ticket.submitter]
        if index < ANNOUNCED_PLACES <= len(self._waiting):
            self._call(self._waiting[ANNOUNCED_PLACES - 1].name)

    def _hold(self, name: str, seen: Observation) -> None:
        if name not in self._held:
            submitter = submitter_of(seen)
            self._held[name] = submitter
            self._counts[submitter] += 1

    def _release(self, name: str) -> None:
        self._promised.discard(name)
        submitter = self._held.pop(name, None)
        if submitter is None:
            return
        self._counts[submitter] -= 1
        if not self._counts[submitter]:
            del self._counts[submitter]
        self._call_admitted()

    def _call_admitted(self) -> None:
        for admitted in self._admit():
            self._call(admitted)


def submitter_of(seen: Observation) -> str:
    """Whose slots count together; all who do not say who they are, are one."""
    return seen.climatejob.spec.submitted_by or ""


def _take_out(tickets: list[Ticket], ticket: Ticket) -> int:
    """Remove a ticket from a sorted line; the index it had."""
    index = bisect_left(tickets, ticket)
    del tickets[index]
    return index


def _ticket(seen: Observation) -> Ticket:
    submitted_at, name = seen.climatejob.order_key
    return Ticket(-seen.climatejob.spec.priority, submitted_at, name, submitter_of(seen))
