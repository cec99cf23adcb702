"""What can be measured from outside, in the format of Prometheus. Labels are names of operations, never addresses."""

from collections.abc import Iterable
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OTHER = "other"
"""Stands for every address that is not one of an operation."""
_REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_CALL_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0)


class Copy(Protocol):
    """The copy of the jobs that reads are answered from."""

    @property
    def age(self) -> float: ...

    @property
    def lists(self) -> int: ...

    def __len__(self) -> int: ...


class Metrics:
    """All measurements of one replica."""

    def __init__(self) -> None:
        # A second series for each of them, of which this format makes no use.
        disable_created_metrics()
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "climatejobs_api_request_seconds",
            "Time from a request's arrival until its answer was sent.",
            ("operation", "status"),
            buckets=_REQUEST_BUCKETS,
            registry=self._registry,
        )
        self.in_flight = Gauge(
            "climatejobs_api_requests_in_flight", "Requests that are being answered.", registry=self._registry
        )
        self._rate_limited = Counter(
            "climatejobs_api_rate_limited", "Submissions turned away by the rate limit.", registry=self._registry
        )
        self._calls = Histogram(
            "climatejobs_api_cluster_call_seconds",
            "Time until the API server answered a call; status 0 is no answer.",
            ("verb", "status"),
            buckets=_CALL_BUCKETS,
            registry=self._registry,
        )

    def observe_request(self, operation: str | None, status: int, seconds: float) -> None:
        """Note a request that has been answered."""
        self._requests.labels(operation or OTHER, str(status)).observe(seconds)

    def observe_call(self, verb: str, status: int, seconds: float) -> None:
        """Note a call to the API server."""
        self._calls.labels(verb, str(status)).observe(seconds)

    def count_rate_limited(self) -> None:
        """Note a submission that was turned away."""
        self._rate_limited.inc()

    def watch_copy(self, copy: Copy) -> None:
        """Show how the copy of the jobs stands, whenever that is asked for."""
        self._registry.register(_CopyState(copy))

    def render(self) -> bytes:
        """All of it as text."""
        return generate_latest(self._registry)


class _CopyState(Collector):
    """Reads how the copy stands at the moment of asking."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy

    def collect(self) -> Iterable[Metric]:
        copy = self._copy
        yield GaugeMetricFamily(
            "climatejobs_api_cached_jobs", "Jobs in the copy that reads are answered from.", len(copy)
        )
        yield GaugeMetricFamily(
            "climatejobs_api_cache_age_seconds",
            "By how much that copy may be behind.",
            copy.age,
        )
        yield CounterMetricFamily(
            "climatejobs_api_cache_lists",
            "How often all jobs have been listed.",
            copy.lists,
        )
