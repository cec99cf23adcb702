"""What networks and busy API servers do to an operator: nothing is lost or done twice, and its process goes on.

A real API server and the real Job controller; a proxy between them and the operator brings the faults.
"""

import json
from collections.abc import Iterator
from itertools import cycle

import pytest

from climatejobs.names import ExitCode, Reason
from tests.cluster_objects import ClimateJobs, Manifest, wait_until
from tests.integration.conftest import ControlPlane, cluster_tool
from tests.integration.operator.conftest import OperatorProcess, proxy_before
from tests.integration.operator.kubelet import Kubelet, success_message
from tests.integration.operator.proxy import Delay, Proxy
from tests.integration.operator.reporter import free_port, measure, read_page

pytestmark = pytest.mark.integration


@pytest.fixture
def proxy(control_plane: ControlPlane, stopped_operator: OperatorProcess) -> Iterator[Proxy]:
    """The proxy, in the way of the operator, which has not been started."""
    with proxy_before(stopped_operator, control_plane) as proxy:
        yield proxy


@pytest.fixture
def probe_port() -> int:
    """Where an operator that is started with it shows its metrics."""
    return free_port()


def run(climate_jobs: ClimateJobs, kubelet: Kubelet, name: str) -> None:
    """A whole life, with one attempt and one pod."""
    climate_jobs.create(name)
    pod = kubelet.await_pod(name, seconds=60)
    kubelet.run(pod)
    climate_jobs.wait_for(name, "Running")
    kubelet.finish(pod, ExitCode.DONE, success_message())
    assert climate_jobs.wait_for(name, "Succeeded")["status"]["attempts"] == 1
    assert len(kubelet.pods(name)) == 1


def await_measurement(port: int, name: str, at_least: int = 1, **labels: str) -> None:
    """What an operator's /metrics says follows what it does, by a moment."""
    wait_until(
        lambda: measure(port, name, **labels) >= at_least,
        f"{name} of {labels} to be {at_least}",
        60,
        lambda: str(measure(port, name, **labels)),
    )


def read_health(port: int) -> Manifest:
    """What an operator's /healthz says."""
    return json.loads(read_page(port, "/healthz"))


class TestAWatch:
    def test_that_begins_again_after_a_410_misses_no_deletion(
        self,
        proxy: Proxy,
        stopped_operator: OperatorProcess,
        control_plane: ControlPlane,
        climate_jobs: ClimateJobs,
        kubelet: Kubelet,
        probe_port: int,
    ) -> None:
        objects, namespace = control_plane.objects, climate_jobs.namespace

        def batch_job() -> Manifest | None:
            return objects.find("Job", "robbed", namespace, version="batch/v1")

        stopped_operator.start(probe_port=probe_port)
        climate_jobs.create("robbed")
        kubelet.run(kubelet.await_pod("robbed"))
        climate_jobs.wait_for("robbed", "Running")
        proxy.filter = lambda _event: 0
        first = batch_job()
        assert first is not None
        objects.delete("Job", "robbed", namespace, version="batch/v1")
        wait_until(lambda: not kubelet.pods("robbed"), "the pods to be collected")
        assert proxy.say_in_watches(410) >= 3  # those of ClimateJobs, Jobs and pods
        proxy.filter = lambda _event: 1
        wait_until(lambda: (job := batch_job()) and job["metadata"]["uid"] != first["metadata"]["uid"], "a second Job")
        wait_until(lambda: climate_jobs.get("robbed")["status"]["attempts"] == 2, "the second attempt")
        assert stopped_operator.running
        for kind in ("jobs", "pods"):
            await_measurement(probe_port, "climatejobs_operator_put_right_total", kind=kind)

    @pytest.mark.parametrize("code", [500, 504])
    def test_that_fails_is_begun_again_by_the_same_process(
        self,
        code: int,
        proxy: Proxy,
        stopped_operator: OperatorProcess,
        climate_jobs: ClimateJobs,
        kubelet: Kubelet,
        probe_port: int,
    ) -> None:
        stopped_operator.start(probe_port=probe_port)
        run(climate_jobs, kubelet, "before")
        assert measure(probe_port, "climatejobs_operator_watch_failures_total") == 0
        proxy.say_in_watches(code)
        run(climate_jobs, kubelet, "after")
        assert stopped_operator.running
        failures = stopped_operator.log.count(" broke off: ")
        assert failures >= 1
        assert measure(probe_port, "climatejobs_operator_watch_failures_total") == failures

    def test_that_is_silent_is_made_up_for(
        self,
        proxy: Proxy,
        stopped_operator: OperatorProcess,
        climate_jobs: ClimateJobs,
        kubelet: Kubelet,
        probe_port: int,
    ) -> None:
        stopped_operator.start(resync_seconds=1, probe_port=probe_port)
        run(climate_jobs, kubelet, "heard")
        wait_until(lambda: proxy.watches >= 4, "all watches to be open")  # no list is going to tell of the next
        proxy.filter = lambda _event: 0
        run(climate_jobs, kubelet, "unheard")
        for kind in ("climatejobs", "jobs", "pods"):
            await_measurement(probe_port, "climatejobs_operator_put_right_total", kind=kind)

    def test_that_is_silent_shows_at_the_probe_and_is_not_given_up_at_once(
        self,
        proxy: Proxy,
        stopped_operator: OperatorProcess,
        climate_jobs: ClimateJobs,
        kubelet: Kubelet,
        probe_port: int,
    ) -> None:
        stopped_operator.start(probe_port=probe_port)
        run(climate_jobs, kubelet, "heard")
        proxy.filter = lambda _event: 0
        wait_until(lambda: read_health(probe_port).get("silentSeconds", 0) >= 2, "the silence to be told of", 60)
        assert read_health(probe_port)["status"] == "ok"

    def test_that_loses_and_repeats_events_does_no_harm(
        self, proxy: Proxy, stopped_operator: OperatorProcess, climate_jobs: ClimateJobs, kubelet: Kubelet
    ) -> None:
        times = cycle([0, 2, 1, 0, 3])
        proxy.filter = lambda _event: next(times)
        stopped_operator.start(resync_seconds=1)
        for name in ("a", "b", "c"):
            climate_jobs.create(name)
        for name in ("a", "b", "c"):
            kubelet.finish(kubelet.await_pod(name), ExitCode.DONE, success_message())
        for name in ("a", "b", "c"):
            assert climate_jobs.wait_for(name, "Succeeded")["status"]["attempts"] == 1
            assert len(kubelet.pods(name)) == 1


class TestARequest:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("POST", "/jobs", 409),
            ("POST", "/jobs", 422),
            ("POST", "/jobs", 429),
            ("POST", "/jobs", 500),
            ("PUT", "/status", 409),
            ("PUT", "/status", 422),
            ("PUT", "/status", 503),
            ("POST", "/events", 500),
        ],
    )
    def test_that_is_refused_twice_is_made_again(
        self,
        method: str,
        path: str,
        status: int,
        proxy: Proxy,
        stopped_operator: OperatorProcess,
        climate_jobs: ClimateJobs,
        kubelet: Kubelet,
        probe_port: int,
    ) -> None:
        refusal = proxy.refuse(method, path, status, times=2)
        stopped_operator.start(probe_port=probe_port)
        run(climate_jobs, kubelet, "stubborn")
        wait_until(lambda: len(refusal.at) == 2, "both refusals")
        labels = {"verb": {"POST": "create", "PUT": "update"}[method], "status": str(status)}
        await_measurement(probe_port, "climatejobs_operator_api_call_seconds_count", 2, **labels)

    def test_that_tells_of_an_event_is_made_again_by_an_operator_that_is_to_end(
        self, proxy: Proxy, stopped_operator: OperatorProcess, climate_jobs: ClimateJobs, kubelet: Kubelet
    ) -> None:
        proxy.delays.append(Delay("POST", "/events", 600))
        stopped_operator.start()
        run(climate_jobs, kubelet, "told")
        assert not climate_jobs.event_reasons(), "they are on their way"
        proxy.delays.clear()  # for those to come
        assert stopped_operator.stop() == 0
        assert Reason.SUCCEEDED in climate_jobs.event_reasons()

    def test_that_tells_of_an_event_and_is_refused_is_counted(
        self,
        proxy: Proxy,
        stopped_operator: OperatorProcess,
        climate_jobs: ClimateJobs,
        kubelet: Kubelet,
        probe_port: int,
    ) -> None:
        proxy.refuse("POST", "/events", 403)
        stopped_operator.start(probe_port=probe_port)
        run(climate_jobs, kubelet, "untold")
        await_measurement(probe_port, "climatejobs_operator_events_unposted_total")

    def test_whose_answer_comes_after_its_echo_is_not_waited_for(
        self,
        proxy: Proxy,
        stopped_operator: OperatorProcess,
        climate_jobs: ClimateJobs,
        kubelet: Kubelet,
        probe_port: int,
    ) -> None:
        def read_messages() -> list[str]:
            return [line["message"] for line in stopped_operator.log_lines]

        proxy.delays.append(Delay("PUT", "/status", 0.5, of_answer=True))
        stopped_operator.start(probe_port=probe_port, log_format="json")
        run(climate_jobs, kubelet, "echoed")
        wait_until(lambda: "Done." in read_messages(), "the answer to the last write", 60)
        assert read_health(probe_port)["unheardWrites"] == 0

    def test_waits_for_as_long_as_it_is_asked_to(
        self,
        proxy: Proxy,
        stopped_operator: OperatorProcess,
        climate_jobs: ClimateJobs,
        kubelet: Kubelet,
        probe_port: int,
    ) -> None:
        refusal = proxy.refuse("POST", "/jobs", 429, retry_after=3)
        stopped_operator.start(probe_port=probe_port)
        climate_jobs.create("patient")
        kubelet.await_pod("patient")
        later = [time for time, method, path in proxy.arrivals if method == "POST" and path.endswith("/jobs")]
        assert later[1] - refusal.at[0] >= 3
        assert measure(probe_port, "climatejobs_operator_api_call_seconds_count", kind="jobs", status="429") == 1
        await_measurement(probe_port, "climatejobs_operator_reconcile_seconds_count", outcome="cluster-error")

    def test_that_the_cluster_will_not_have_is_said(
        self, proxy: Proxy, stopped_operator: OperatorProcess, climate_jobs: ClimateJobs, probe_port: int
    ) -> None:
        proxy.refuse("POST", "/jobs", 403, times=1000)
        stopped_operator.start(probe_port=probe_port)
        climate_jobs.create("unwelcome")
        status = climate_jobs.wait_for("unwelcome", "Pending")["status"]
        assert status["message"].startswith("The cluster refuses to make the Job: a fault was injected")
        await_measurement(probe_port, "climatejobs_operator_reconcile_seconds_count", outcome="hindered")


def test_an_api_server_that_restarts_costs_nothing(
    control_plane: ControlPlane, operator: OperatorProcess, climate_jobs: ClimateJobs, kubelet: Kubelet
) -> None:
    climate_jobs.create("survivor")
    pod = kubelet.await_pod("survivor")
    kubelet.run(pod)
    climate_jobs.wait_for("survivor", "Running")
    cluster_tool(control_plane.name, "restart", "kube-apiserver")
    kubelet.finish(pod, ExitCode.DONE, success_message())
    assert climate_jobs.wait_for("survivor", "Succeeded")["status"]["attempts"] == 1
    run(climate_jobs, kubelet, "later")
    assert operator.running
