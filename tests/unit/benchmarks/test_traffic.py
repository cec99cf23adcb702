import asyncio

import pytest

from traffic import Sample, join, measure


def test_quantiles_are_latencies_that_were_seen() -> None:
    sample = Sample(2.0, tuple(milliseconds / 1000 for milliseconds in range(1, 101)))
    assert sample.rate == 50
    assert [round(sample.quantile(share)) for share in (0, 0.5, 0.99, 1)] == [1, 51, 100, 100]


def test_rounds_are_joined_by_their_requests_and_their_time() -> None:
    joined = join([Sample(1.0, (0.1, 0.3)), Sample(3.0, (0.2,))])
    assert (joined.seconds, joined.latencies, joined.rate) == (4.0, (0.1, 0.2, 0.3), 0.75)


@pytest.mark.parametrize("concurrency", [1, 3, 20])
async def test_no_more_requests_than_said_are_under_way(concurrency: int) -> None:
    under_way = most = 0

    async def send() -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1

    sample = await measure((send for _ in range(10)), concurrency)
    assert len(sample.latencies) == 10
    assert most == min(concurrency, 10)
