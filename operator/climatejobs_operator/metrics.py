"""What can be measured from outside, in the format of Prometheus. Labels are kinds and outcomes, never names."""

import re
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import aiohttp
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    Metric,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from climatejobs.processes import PROCESSES
from climatejobs_operator import cluster
from climatejobs_operator.cache import Cache
from climatejobs_operator.workqueue import WorkQueue

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OTHER = "other"
"""Stands for every process and every kind of object that is not one of ours: labels stay few."""
KINDS = frozenset(
    resource.plural
    for resource in (
        cluster.CLIMATEJOBS,
        cluster.JOBS,
        cluster.PODS,
        cluster.EVENTS,
        cluster.LEASES,
        cluster.TOKEN_REVIEWS,
    )
)
_PATH = re.compile(
    r"/(?:api|apis/[^/]+)/[^/]+(?:/namespaces/[^/]+)?/(?P<kind>[a-z]+)(?:/(?P<name>[^/]+)(?:/(?P<part>[a-z]+))?)?$"
)
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True)
class Work:
    """What a leading operator has before it."""

    cache: Cache
    queue: WorkQueue


class Metrics:
    """All measurements of one operator, leading or not."""

    def __init__(self, leading: Callable[[], bool] = lambda: False) -> None:
        # A second series for each of them, of which this format makes no use.
        disable_created_metrics()
        self._registry = CollectorRegistry()
        self._calls = Histogram(
            "climatejobs_operator_api_call_seconds",
            "Time until the API server answered a call, or began to stream; status 0 is no answer.",
            ("verb", "kind", "status"),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._reconciliations = Histogram(
            "climatejobs_operator_reconcile_seconds",
            "Time that one look at a ClimateJob took.",
            ("outcome",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._ended = Counter(
            "climatejobs_operator_ended", "ClimateJobs that have ended.", ("process", "phase"), registry=self._registry
        )
        self._watch_failures = Counter(
            "climatejobs_operator_watch_failures",
            "How often the watches broke off and were begun anew.",
            registry=self._registry,
        )
        self._put_right = Counter(
            "climatejobs_operator_put_right",
            "Objects that a comparison with the cluster knew better than the watches.",
            ("kind",),
            registry=self._registry,
        )
        self._reports = Counter(
            "climatejobs_operator_reports",
            "Reports of runners: progress or result where they were taken, else why they were not.",
            ("outcome",),
            registry=self._registry,
        )
        self._unposted = Counter(
            "climatejobs_operator_events_unposted",
            "Events that were not posted: the API server did not take them, or too many stood in line.",
            registry=self._registry,
        )
        self._state = _State(leading)
        self._registry.register(self._state)

    def observe_call(self, verb: str, kind: str, status: int, seconds: float) -> None:
        """Note a call to the API server."""
        self._calls.labels(verb, kind, str(status)).observe(seconds)

    def observe_reconciliation(self, outcome: str, seconds: float) -> None:
        """Note a look at a ClimateJob."""
        self._reconciliations.labels(outcome).observe(seconds)

    def count_end(self, process: str, phase: str) -> None:
        """Note that a ClimateJob has ended."""
        self._ended.labels(_known(process), phase).inc()

    def count_watch_failure(self) -> None:
        """Note that the watches broke off."""
        self._watch_failures.inc()

    def count_put_right(self, kind: str, number: int) -> None:
        """Note what a comparison has found."""
        self._put_right.labels(kind).inc(number)

    def count_report(self, outcome: str) -> None:
        """Note a report."""
        self._reports.labels(outcome).inc()

    def count_unposted_event(self) -> None:
        """Note that an event was not posted."""
        self._unposted.inc()

    def show_work(self, work: Work | None) -> None:
        """Show, from now on, what is to be done; nothing where another operator leads."""
        self._state.work = work

    def render(self) -> bytes:
        """All of it as text."""
        return generate_latest(self._registry)

    async def measure_call(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Middleware of a session with the API server."""
        verb, kind = name_call(request.method, request.url.path, watch="watch" in request.url.query)
        begun, status = time.perf_counter(), 0
        try:
            response = await handler(request)
            status = response.status
            return response
        finally:
            self.observe_call(verb, kind, status, time.perf_counter() - begun)


def name_call(method: str, path: str, *, watch: bool) -> tuple[str, str]:
    """Verb and kind of a call, in the words that RBAC uses."""
    match = _PATH.search(path)
    kind = match["kind"] if match is not None and match["kind"] in KINDS else OTHER
    if match is not None and match["part"] and kind != OTHER:
        kind = f"{kind}/{match['part']}" if match["part"] == "status" else kind
    if method == "GET":
        return ("watch" if watch else "list" if match is None or match["name"] is None else "get"), kind
    return {"POST": "create", "PUT": "update"}.get(method, method.lower()), kind


class _State(Collector):
    """Reads how things stand at the moment of asking."""

    def __init__(self, leading: Callable[[], bool]) -> None:
        self._leading = leading
        self.work: Work | None = None

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily(
            "climatejobs_operator_leading", "Whether this is the one operator that acts.", float(self._leading())
        )
        work = self.work
        jobs = GaugeMetricFamily(
            "climatejobs_operator_climatejobs", "ClimateJobs that have not ended.", labels=("process", "phase")
        )
        if work is not None:
            entries = work.cache.climatejobs.values()
            tally = Tally((_known(process), phase) for process, phase in (entry.standing for entry in entries))
            for labels, number in tally.items():
                jobs.add_metric(labels, number)
            yield GaugeMetricFamily(
                "climatejobs_operator_queue_length", "ClimateJobs that are to be looked at.", len(work.queue)
            )
            yield GaugeMetricFamily(
                "climatejobs_operator_queue_age_seconds",
                "How long the one that waits longest has waited.",
                work.queue.oldest_seconds(),
            )
        yield jobs


def _known(process: str) -> str:
    return process if process in PROCESSES else OTHER
