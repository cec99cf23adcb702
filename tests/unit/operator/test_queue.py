"""Who gets a slot, in which order, and that there are never more than there are."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from climatejobs_operator.cache import Cache
from climatejobs_operator.entries import Entry
from climatejobs_operator.jobs import Job
from climatejobs_operator.observation import Place
from climatejobs_operator.queue import Limits, Line, Ticket, admit
from tests.unit.operator.builders import NOW, make_climatejob, make_job, running_pod


@dataclass
class Installation:
    """A line on a cache, and whom it has called."""

    limits: Limits
    cache: Cache = field(default_factory=Cache)
    called: list[str] = field(default_factory=list[str])
    version: int = 1

    def __post_init__(self) -> None:
        self.line = Line(self.cache, self.limits, self.called.append)

    def submit(self, name: str, **spec: Any) -> None:
        """A ClimateJob is there, or is there with another spec."""
        climatejob = make_climatejob(name, **spec)
        metadata = climatejob.metadata.model_copy(update={"resource_version": self._next()})
        self.cache.climatejobs.put(Entry(climatejob.model_copy(update={"metadata": metadata})))

    def start(self, name: str) -> None:
        self.cache.jobs.put(self.job(name))

    def start_if_admitted(self, name: str) -> None:
        """What a reconciliation does."""
        entry = self.cache.climatejobs.get(name)
        if entry is not None and not entry.climatejob.spec.cancel and self.place(name) is None:
            self.start(name)

    def job(self, name: str) -> Job:
        return make_job(name, owner=f"uid-of-{name}", version=int(self._next()))

    def place(self, name: str) -> int | None:
        place = self.line.secure(name, NOW)
        return None if place is None else place.number

    def _next(self) -> str:
        self.version += 1
        return str(self.version)

    def end(self, name: str) -> None:
        self.cache.end(name, int(self._next()))


def test_a_slot_is_promised_once_even_before_its_job_is_there() -> None:
    here = Installation(Limits(running=1))
    here.submit("a")
    here.submit("b")
    assert here.place("a") is None
    assert here.place("b") == 1
    here.start("a")
    assert here.place("b") == 1
    assert here.place("a") is None


def test_the_next_is_called_when_a_job_ends() -> None:
    here = Installation(Limits(running=1))
    for name in ("a", "b", "c"):
        here.submit(name)
    here.place("a")
    here.start("a")
    assert here.called == []
    here.end("a")
    assert here.called == ["b"]
    assert (here.place("b"), here.place("c")) == (None, 1)


def test_a_slot_that_was_promised_and_not_used_is_free_again() -> None:
    here = Installation(Limits(running=1))
    here.submit("a")
    here.submit("b")
    here.place("a")
    here.submit("a", cancel=True)
    assert here.called == ["b"]


def test_a_free_slot_whose_next_leaves_the_line_goes_to_the_one_behind() -> None:
    """The next was called when the slot became free, and is cancelled before it comes."""
    here = Installation(Limits(running=1))
    for name in ("a", "b", "c"):
        here.submit(name)
    here.place("a")
    here.start("a")
    here.end("a")
    here.submit("b", cancel=True)
    assert here.called == ["b", "c"]
    assert here.place("c") is None


def test_a_job_that_cannot_start_for_now_does_not_keep_others_from_it() -> None:
    here = Installation(Limits(running=1))
    here.submit("a")
    here.submit("b")
    here.place("a")
    here.line.step_aside("a")
    assert here.called == ["b"]
    assert here.place("b") is None
    assert here.place("a") == 1, "it is in line again when it is looked at again"


def test_priority_goes_before_order_and_may_change() -> None:
    here = Installation(Limits(running=1))
    for name, priority in {"a": 0, "b": 0, "c": 5}.items():
        here.submit(name, priority=priority)
    assert here.place("b") == 2, "the slot is for c, and a was there first"
    assert here.called == ["c"]
    here.submit("b", priority=9)
    assert (here.place("c"), here.place("b"), here.place("a")) == (None, 1, 2)


def test_submitters_are_limited_each_for_itself_and_the_nameless_are_one() -> None:
    here = Installation(Limits(per_submitter=1))
    here.submit("a", submittedBy="ann")
    here.submit("b", submittedBy="ann")
    here.submit("c")
    here.submit("d")
    here.submit("e", submittedBy="")
    assert [name for name in "abcde" if here.place(name) is None] == ["a", "c"]


def test_of_each_submitter_the_first_is_called_and_the_most_urgent_before_all_others() -> None:
    here = Installation(Limits(running=2, per_submitter=1))
    for name, submitter, priority in (("a", "ann", 0), ("b", "bob", 1), ("c", "cat", 2), ("d", "ann", 9)):
        here.submit(name, submittedBy=submitter, priority=priority)
    assert [here.place(name) for name in "abcd"] == [2, 1, None, None]
    assert set(here.called) == {"c", "d"}


def test_a_job_holds_its_slot_while_a_pod_of_it_lives() -> None:
    here = Installation(Limits(running=1))
    here.submit("a")
    here.submit("b")
    here.start("a")
    here.cache.pods.put(running_pod(job="a", job_uid="uid-of-a"))
    here.cache.jobs.remove(here.job("a"))
    assert here.called == []
    assert here.place("b") == 1


def test_without_limits_nobody_waits() -> None:
    here = Installation(Limits())
    for number in range(50):
        here.submit(f"job-{number}")
    assert all(here.place(f"job-{number}") is None for number in range(50))


def test_whoever_comes_among_the_first_hundred_is_called_to_hear_of_it() -> None:
    here = Installation(Limits(running=1))
    here.submit("a")
    here.place("a")
    for number in range(102):
        here.submit(f"b-{number:03}")
    assert here.line.secure("b-101", NOW) == Place(102)
    assert here.line.secure("b-100", NOW) == Place(101)
    here.submit("b-000", cancel=True)
    assert here.called == ["b-100"]
    assert len(here.line) == 101
    assert here.line.secure("b-100", NOW) == Place(100, near_since=NOW)


def test_whoever_is_among_the_first_is_told_again_a_minute_after_the_last_word_or_after_coming_there() -> None:
    here, soon, later = Installation(Limits(running=1)), NOW + timedelta(seconds=30), NOW + timedelta(seconds=60)
    for name in "abc":
        here.submit(name)
    here.place("a")
    assert here.line.secure("c", NOW) == Place(2, near_since=NOW)
    here.submit("b", priority=-1)
    here.submit("c", priority=3)
    assert here.line.secure("c", soon) == Place(1, near_since=NOW)
    here.line.note_announced("c", later)
    assert here.line.secure("c", later) == Place(1, near_since=later)
    for number in range(100):
        here.submit(f"urgent-{number}", priority=9)
    assert here.line.secure("c", later) == Place(101)
    here.line.note_announced("c", later)
    assert here.line.secure("c", later) == Place(101), "it is none of the first, whatever it was told"
    for number in range(100):
        here.submit(f"urgent-{number}", priority=9, cancel=True)
    much_later = later + timedelta(hours=1)
    assert here.line.secure("c", much_later) == Place(1, near_since=much_later)


tickets = st.lists(
    st.builds(
        Ticket,
        precedence=st.integers(-2, 2),
        submitted_at=st.just(NOW),
        name=st.text("abcdefgh", min_size=3, max_size=3),
        submitter=st.sampled_from(["", "ann", "bob"]),
    ),
    unique_by=lambda ticket: ticket.name,
).map(sorted)


@given(
    tickets,
    st.dictionaries(st.sampled_from(["", "ann", "bob"]), st.integers(0, 3)).map(Counter),
    st.integers(0, 6),
    st.integers(0, 3),
)
def test_admission_fills_the_slots_in_order_and_never_more(
    waiting: Sequence[Ticket], held: Counter[str], running: int, per_submitter: int
) -> None:
    admitted = admit(waiting, held, Limits(running, per_submitter))
    after = held + Counter(ticket.submitter for ticket in waiting if ticket.name in admitted)
    if running:
        assert len(admitted) <= max(0, running - held.total())
    for submitter, count in after.items():
        assert not per_submitter or count <= max(per_submitter, held[submitter])
    full = running and after.total() >= running
    for index, ticket in enumerate(waiting):
        if ticket.name in admitted:
            continue
        stuck = per_submitter and after[ticket.submitter] >= per_submitter
        assert full or stuck, "a slot stays empty although somebody could take it"
        for later in waiting[index + 1 :]:
            if later.name in admitted:
                assert stuck, "somebody was passed over"


SUBMITTERS = {name: "ann" if name < "d" else "bob" for name in "abcdef"}
SPECS = {"submit": {}, "raise": {"priority": 9}, "cancel": {"cancel": True}}


@pytest.mark.parametrize("limits", [Limits(2), Limits(3, 1), Limits(0, 1)])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["submit", "start", "end", "cancel", "raise", "aside"]), st.sampled_from(list("abcdef"))
        )
    )
)
def test_no_more_run_than_may_whatever_happens(limits: Limits, steps: list[tuple[str, str]]) -> None:
    here = Installation(limits)
    for step, name in steps:
        submitter = SUBMITTERS[name]
        if step == "start":
            here.start_if_admitted(name)
        elif step == "end":
            here.end(name)
            here.cache.jobs.discard(list(here.cache.jobs.of_job(name)))
        elif step == "aside":
            here.line.step_aside(name)
        else:
            here.submit(name, submittedBy=submitter, **SPECS[step])
        running = [SUBMITTERS[name] for name in here.cache.jobs.names()]
        assert not limits.running or len(running) <= limits.running
        assert not limits.per_submitter or max(Counter(running).values(), default=0) <= limits.per_submitter
