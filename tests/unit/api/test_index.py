from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from climatejobs_api.cluster.cache import JobCache
from climatejobs_api.cluster.records import Record
from climatejobs_api.filters import Interval, JobFilter
from climatejobs_api.store import Position, Selection
from tests.unit.api.manifests import record

START = datetime(2025, 1, 1, tzinfo=UTC)
SECONDS = st.integers(0, 20)
STATUSES = ("accepted", "running", "successful", "failed", "dismissed")


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


@st.composite
def records(draw: st.DrawFn) -> Record:
    number = draw(st.integers(0, 12))
    spec: dict[str, Any] = {"process": draw(st.sampled_from(["echo", "resample"])), "cancel": draw(st.booleans())}
    return record(
        f"job-{number}",
        version=draw(st.integers(1, 50)),
        submitted=at(draw(SECONDS)).isoformat(),
        spec=spec,
        phase=draw(st.sampled_from(["Pending", "Running", "Retrying", "Succeeded", "Failed", "Cancelled"])),
    )


filters = st.builds(
    JobFilter,
    now=st.just(at(60)),
    processes=st.lists(st.sampled_from(["echo", "resample", "subset"]), max_size=2),
    statuses=st.lists(st.sampled_from(STATUSES), max_size=3, unique=True),
    created=st.none() | st.builds(Interval, start=st.none() | SECONDS.map(at), end=st.none() | SECONDS.map(at)),
)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.tuples(records(), st.booleans()), max_size=40), st.booleans(), filters, records())
def test_a_list_holds_what_matches_in_order(
    news: list[tuple[Record, bool]], listed: bool, conditions: JobFilter, beside: Record
) -> None:
    cache = JobCache()
    for each, gone in news:
        cache.put(each)
        if gone:
            cache.drop(each.name, each.uid)
    every = list(cache.newest_first())
    if listed:
        cache.replace(every, 99, removed_before=())
    assert every == sorted(every, key=lambda each: each.position, reverse=True)
    assert {each.name: each for each in every} == {
        each.name: found for each, _ in news if (found := cache.find(each.name)) is not None
    }
    matching = [each for each in every if conditions.matches(each)]
    selection, place = conditions.select(), beside.position
    assert list(cache.newest_first(selection)) == matching
    assert list(cache.newest_first(selection, before=place)) == [each for each in matching if each.position < place]
    newer = [each for each in matching if each.position > place]
    assert list(cache.oldest_first(selection, after=place)) == newer[::-1]


def looked_at(cache: JobCache, **members: Any) -> int:
    """How many jobs are looked at for the whole of a filtered list."""
    seen: list[Position] = []

    def note(job: Any) -> bool:
        seen.append(job.position)
        return True

    list(cache.newest_first(Selection(**members, matches=note)))
    return len(seen)


def test_a_filtered_list_looks_at_no_job_of_another_status_process_or_time() -> None:
    cache = JobCache()
    for number in range(100):
        phase = "Failed" if number % 20 == 0 else "Succeeded"
        spec = {"process": "echo" if number % 2 else "resample"}
        cache.put(record(f"job-{number}", submitted=at(number % 50).isoformat(), phase=phase, spec=spec))
    assert looked_at(cache) == 100
    assert looked_at(cache, statuses=["failed"]) == 5
    assert looked_at(cache, statuses=["failed"], processes=["echo"]) == 0
    assert looked_at(cache, processes=["echo"]) == 50
    second = int(at(10).timestamp() * 1e6)
    assert looked_at(cache, earliest=second, latest=second) == 2
