"""Shards divide the work without rest, and what they record is taken for the whole only if it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from climatejobs.errors import DataError, InvalidInput
from climatejobs_runner.shards import PartDone, Shard, check_parts


@given(st.integers(0, 500), st.integers(1, 60))
def test_parts_follow_each_other_and_differ_by_one_chunk_at_most(chunks: int, shards: int) -> None:
    parts = [Shard(index, shards).part(chunks) for index in range(shards)]
    assert [chunk for part in parts for chunk in part] == list(range(chunks))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(("index", "of"), [(3, 3), (-1, 3), (0, 0)])
def test_a_shard_is_one_of_those_there_are(index: int, of: int) -> None:
    with pytest.raises(InvalidInput, match="there is no shard"):
        Shard(index, of)


def done(shard: int, start: int, stop: int) -> PartDone:
    return PartDone(shard=shard, chunks=(start, stop), files={f"t2m/c/{chunk}/0/0": 7 for chunk in range(start, stop)})


def test_records_in_any_order_name_every_file() -> None:
    files = check_parts([done(2, 3, 5), done(0, 0, 0), done(1, 0, 3)], 5)
    assert sorted(files) == [f"t2m/c/{chunk}/0/0" for chunk in range(5)]


@pytest.mark.parametrize(
    "parts",
    [
        [done(0, 0, 2), done(1, 3, 5)],
        [done(0, 0, 3), done(1, 2, 5)],
        [done(0, 0, 2), done(1, 2, 4)],
        [],
    ],
)
def test_records_that_do_not_make_the_whole_are_refused(parts: list[PartDone]) -> None:
    with pytest.raises(DataError, match="chunk"):
        check_parts(parts, 5)
