"""What /metrics says, and that its labels stay few."""

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from climatejobs_operator.cache import Cache
from climatejobs_operator.cluster import CLIMATEJOBS, JOBS, LEASES, PODS, TOKEN_REVIEWS, Cluster, ClusterError
from climatejobs_operator.entries import read_entry
from climatejobs_operator.metrics import Metrics, Work, name_call
from climatejobs_operator.workqueue import WorkQueue
from tests.unit.operator.builders import climatejob_manifest
from tests.unit.operator.timetable import ManualTimetable


def lines(metrics: Metrics, name: str) -> list[str]:
    text = metrics.render().decode()
    return sorted(line.removeprefix(name) for line in text.splitlines() if line.startswith(name))


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", JOBS.path("climate"), ("list", "jobs")),
        ("GET", JOBS.path("climate", "a"), ("get", "jobs")),
        ("POST", PODS.path("climate"), ("create", "pods")),
        ("PATCH", CLIMATEJOBS.path("climate", "a", "status"), ("patch", "climatejobs/status")),
        ("PUT", CLIMATEJOBS.path("climate", "a", "status"), ("update", "climatejobs/status")),
        ("PUT", LEASES.path("climate", "a"), ("update", "leases")),
        ("POST", TOKEN_REVIEWS.path("climate"), ("create", "tokenreviews")),
        ("DELETE", JOBS.path("climate", "a"), ("delete", "jobs")),
        ("GET", "/apis/climatejobs.io/v1alpha1", ("list", "other")),
        ("GET", "/version", ("list", "other")),
    ],
)
def test_calls_are_named_as_rbac_names_them(method: str, path: str, expected: tuple[str, str]) -> None:
    assert name_call(method, path, watch=False) == expected


def test_a_watch_is_no_list() -> None:
    assert name_call("GET", PODS.path("climate"), watch=True) == ("watch", "pods")


def test_jobs_are_counted_by_process_and_phase_and_an_unknown_process_is_another() -> None:
    cache, metrics = Cache(), Metrics()
    for name, process, phase in (
        ("a", "echo", None),
        ("b", "echo", "Running"),
        ("c", "echo", "Running"),
        ("d", "x", None),
    ):
        status = None if phase is None else {"phase": phase}
        cache.climatejobs.put(read_entry(climatejob_manifest(name, status=status, process=process)))
    queue = WorkQueue(ManualTimetable(), lambda: 0)
    queue.add("a")
    metrics.show_work(Work(cache, queue))
    assert lines(metrics, "climatejobs_operator_climatejobs{") == [
        'phase="Pending",process="echo"} 1.0',
        'phase="Pending",process="other"} 1.0',
        'phase="Running",process="echo"} 2.0',
    ]
    assert lines(metrics, "climatejobs_operator_queue_length") == [" 1.0"]
    metrics.show_work(None)
    assert lines(metrics, "climatejobs_operator_climatejobs{") == []


def test_who_leads_is_said() -> None:
    assert lines(Metrics(lambda: True), "climatejobs_operator_leading") == [" 1.0"]
    assert lines(Metrics(lambda: False), "climatejobs_operator_leading") == [" 0.0"]


def test_no_name_of_a_job_becomes_a_label() -> None:
    metrics = Metrics()
    metrics.count_end("made-up-by-somebody", "Failed")
    metrics.count_report("result")
    metrics.count_put_right("pods", 3)
    metrics.count_watch_failure()
    metrics.count_unposted_event()
    metrics.observe_reconciliation("done", 0.01)
    text = metrics.render().decode()
    assert "made-up-by-somebody" not in text
    assert 'climatejobs_operator_ended_total{phase="Failed",process="other"} 1.0' in text
    assert 'climatejobs_operator_put_right_total{kind="pods"} 3.0' in text
    assert "climatejobs_operator_events_unposted_total 1.0" in text


async def test_calls_are_counted_with_their_status_also_those_without_an_answer() -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.json_response({"message": "too many"}, status=429)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", refuse)
    metrics = Metrics()
    async with TestServer(app) as server, aiohttp.ClientSession(middlewares=(metrics.measure_call,)) as session:
        for address in (str(server.make_url("")).rstrip("/"), "http://127.0.0.1:9"):
            with pytest.raises(ClusterError):
                await Cluster(session, address, "climate").get(JOBS, "a")
    counts = lines(metrics, "climatejobs_operator_api_call_seconds_count")
    assert counts == ['{kind="jobs",status="0",verb="get"} 1.0', '{kind="jobs",status="429",verb="get"} 1.0']
