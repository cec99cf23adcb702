"""Reports over HTTP: real tokens, reviewed by a real API server; the test is kubelet and runner."""

import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from climatejobs.names import ExitCode
from climatejobs_operator.pods import COMPLETION_INDEX
from tests.cluster_objects import ClimateJobs, ClusterObjects, Manifest, wait_until
from tests.integration.conftest import ControlPlane
from tests.integration.operator.conftest import OperatorProcess
from tests.integration.operator.kubelet import ECHO_OUTPUTS, Kubelet, share_message, success_message
from tests.integration.operator.reporter import Kiosk, Reporter, free_port, read_measurements, sign_again

pytestmark = pytest.mark.integration

RESULT: Manifest = {"outputs": ECHO_OUTPUTS, "seconds": 3}


def progress(done: int, message: str = "Echoing") -> Manifest:
    return {"progress": {"percent": done, "done": done, "total": 100, "unit": "steps", "rate": 2.5, "message": message}}


@pytest.fixture
def objects(control_plane: ControlPlane) -> ClusterObjects:
    return control_plane.objects


@pytest.fixture
def kiosk(control_plane: ControlPlane, namespace: str) -> Kiosk:
    return Kiosk(control_plane.kubeconfig, namespace)


@pytest.fixture
def reporter(stopped_operator: OperatorProcess) -> Reporter:
    port = free_port()
    stopped_operator.start(report_port=port, report_url=f"http://127.0.0.1:{port}/reports")
    wait_until(lambda: "Compared with the cluster" in stopped_operator.log, "the operator to be ready")
    return Reporter(port)


def start(name: str, climate_jobs: ClimateJobs, kubelet: Kubelet, **spec: object) -> Manifest:
    """A job whose pod runs; the pod."""
    climate_jobs.create(name, **spec)
    pod = kubelet.await_pod(name)
    kubelet.run(pod)
    climate_jobs.wait_for(name, "Running")
    return pod


class TestAResult:
    def test_is_taken_from_the_very_pod_and_ends_the_job_at_once(
        self, reporter: Reporter, kiosk: Kiosk, climate_jobs: ClimateJobs, kubelet: Kubelet, objects: ClusterObjects
    ) -> None:
        pod = start("job", climate_jobs, kubelet)
        assert reporter.send(kiosk.token(pod), RESULT) == (204, "")
        status = climate_jobs.get("job")["status"]
        assert (status["phase"], status["results"], status["attempts"]) == ("Succeeded", ECHO_OUTPUTS, 1)
        assert (status["progress"]["percent"], status["jobName"]) == (100, "job")
        kubelet.finish(pod, ExitCode.DONE, success_message())
        wait_until(
            lambda: _condition(objects, "job", climate_jobs.namespace, "Complete"),
            "the Job to complete as well",
        )
        refused = partial(reporter.send, kiosk.token(pod), RESULT)
        wait_until(lambda: refused() == (403, "pod-ended"), "the operator to hear that the pod has ended")

    def test_is_taken_before_the_kubelet_says_that_the_pod_runs(
        self, reporter: Reporter, kiosk: Kiosk, climate_jobs: ClimateJobs, kubelet: Kubelet
    ) -> None:
        climate_jobs.create("job")
        pod = kubelet.await_pod("job")
        assert reporter.send(kiosk.token(pod), RESULT) == (204, "")
        status = climate_jobs.get("job")["status"]
        assert status["phase"] == "Succeeded"
        assert pod["metadata"]["creationTimestamp"] <= status["startedAt"] <= status["finishedAt"]

    def test_stands_although_its_pod_fails_afterwards_and_no_other_pod_follows(
        self, reporter: Reporter, kiosk: Kiosk, climate_jobs: ClimateJobs, kubelet: Kubelet, objects: ClusterObjects
    ) -> None:
        pod = start("job", climate_jobs, kubelet)
        assert reporter.send(kiosk.token(pod), RESULT) == (204, "")
        kubelet.finish(pod, 137)
        wait_until(
            lambda: objects.find("Job", "job", climate_jobs.namespace, version="batch/v1") is None,
            "the Job to go",
        )
        assert climate_jobs.get("job")["status"]["phase"] == "Succeeded"

    def test_of_another_process_is_refused_and_costs_nothing(
        self, reporter: Reporter, kiosk: Kiosk, climate_jobs: ClimateJobs, kubelet: Kubelet
    ) -> None:
        pod = start("job", climate_jobs, kubelet)
        token = kiosk.token(pod)
        assert reporter.send(token, {"outputs": {"dataset": "x"}}) == (422, "outputs")
        assert reporter.send(token, {"outputs": {"message": "x" * 5000}}) == (422, "outputs")
        assert reporter.send(token, {"nonsense": 1}) == (400, "malformed")
        kubelet.finish(pod, ExitCode.DONE, success_message())
        assert climate_jobs.wait_for("job", "Succeeded")["status"]["results"] == ECHO_OUTPUTS

    def test_of_a_job_that_is_to_be_cancelled_comes_too_late(
        self, reporter: Reporter, kiosk: Kiosk, climate_jobs: ClimateJobs, kubelet: Kubelet
    ) -> None:
        pod = start("job", climate_jobs, kubelet)
        token = kiosk.token(pod)
        assert reporter.send(token, progress(10)) == (204, "")
        climate_jobs.patch_spec("job", cancel=True)
        climate_jobs.wait_for("job", "Cancelled")
        assert reporter.send(token, RESULT) == (403, "no-such-pod"), "although the token was good a moment ago"
        assert climate_jobs.get("job")["status"]["phase"] == "Cancelled"

    def test_is_measured(
        self, stopped_operator: OperatorProcess, kiosk: Kiosk, climate_jobs: ClimateJobs, kubelet: Kubelet
    ) -> None:
        ports = {"report_port": free_port(), "probe_port": free_port()}
        stopped_operator.start(**ports)
        reporter = Reporter(ports["report_port"])
        pod = start("job", climate_jobs, kubelet)
        start("another", climate_jobs, kubelet)
        assert reporter.send("made.up.token", RESULT)[0] == 401
        assert reporter.send(kiosk.token(pod), RESULT) == (204, "")
        said = read_measurements(ports["probe_port"]).splitlines()
        for line in (
            "climatejobs_operator_leading 1.0",
            'climatejobs_operator_climatejobs{phase="Running",process="echo"} 1.0',
            'climatejobs_operator_ended_total{phase="Succeeded",process="echo"} 1.0',
            'climatejobs_operator_reports_total{outcome="result"} 1.0',
            'climatejobs_operator_reports_total{outcome="not-identified"} 1.0',
            'climatejobs_operator_api_call_seconds_count{kind="jobs",status="201",verb="create"} 2.0',
        ):
            assert line in said
        assert any('verb="watch"' in line and 'kind="pods"' in line for line in said), "watches are counted too"
        assert not any("another" in line for line in said)


class TestAToken:
    def test_of_another_pod_speaks_for_the_job_of_that_pod_alone(
        self, reporter: Reporter, kiosk: Kiosk, climate_jobs: ClimateJobs, kubelet: Kubelet
    ) -> None:
        start("mine", climate_jobs, kubelet)
        other = start("other", climate_jobs, kubelet)
        assert reporter.send(kiosk.token(other), RESULT) == (204, "")
        assert climate_jobs.get("other")["status"]["phase"] == "Succeeded"
        assert climate_jobs.get("mine")["status"]["phase"] == "Running"

    def test_of_a_pod_that_borrows_the_names_of_a_job_is_refused(
        self, reporter: Reporter, kiosk: Kiosk, climate_jobs: ClimateJobs, kubelet: Kubelet, objects: ClusterObjects
    ) -> None:
        labels: Manifest = start("job", climate_jobs, kubelet)["metadata"]["labels"]
        # With that of the Job controller's own, it would adopt the pod.
        labels = {name: value for name, value in labels.items() if not name.endswith("controller-uid")}
        spec = {"containers": [{"name": "runner", "image": "example.org/other"}]}
        forged = objects.create(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "forged", "labels": labels}, "spec": spec},
            climate_jobs.namespace,
        )
        assert reporter.send(kiosk.token(forged), RESULT) == (403, "not-its-job")
        plain = objects.create(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "plain"}, "spec": spec}, climate_jobs.namespace
        )
        assert reporter.send(kiosk.token(plain), RESULT) == (403, "not-its-job")
        assert climate_jobs.get("job")["status"]["phase"] == "Running"

    def test_for_somebody_else_of_another_account_of_no_pod_or_made_up_is_refused(
        self, reporter: Reporter, kiosk: Kiosk, climate_jobs: ClimateJobs, kubelet: Kubelet, objects: ClusterObjects
    ) -> None:
        pod = start("job", climate_jobs, kubelet)
        objects.create(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "stranger"}}, climate_jobs.namespace
        )
        good = kiosk.token(pod)
        refused = {
            "wrong audience": kiosk.token(pod, audience="https://kubernetes.default.svc.cluster.local"),
            "another account": kiosk.token(None, account="stranger"),
            "no pod": kiosk.token(None),
            "made up": "made.up.token",
            "tampered with": good[:-8] + "AAAAAAAA",
        }
        for what, token in refused.items():
            assert reporter.send(token, RESULT) == (401, "not-identified"), what
        assert reporter.send(None, RESULT) == (401, "not-identified")
        assert climate_jobs.get("job")["status"]["phase"] == "Running"
        assert reporter.send(good, RESULT) == (204, "")

    def test_that_has_expired_is_refused(
        self,
        reporter: Reporter,
        kiosk: Kiosk,
        climate_jobs: ClimateJobs,
        kubelet: Kubelet,
        control_plane: ControlPlane,
    ) -> None:
        token = kiosk.token(start("job", climate_jobs, kubelet))
        key = (control_plane.kubeconfig.parent / "pki" / "service-accounts.key").read_text()
        now = int(time.time())
        assert reporter.send(sign_again(token, key, exp=now - 60), RESULT) == (401, "not-identified")
        assert reporter.send(sign_again(token, key, exp=now + 60), RESULT) == (204, ""), "but for that it is good"

    def test_of_an_attempt_that_is_over_is_refused_although_it_was_good_before(
        self, reporter: Reporter, kiosk: Kiosk, climate_jobs: ClimateJobs, kubelet: Kubelet
    ) -> None:
        first = start("job", climate_jobs, kubelet)
        token = kiosk.token(first)
        assert reporter.send(token, progress(10)) == (204, "")
        kubelet.finish(first, 1)
        climate_jobs.wait_for("job", "Retrying")
        assert reporter.send(token, RESULT) == (403, "pod-ended")
        second = kubelet.await_pod("job", 2)
        assert reporter.send(token, RESULT)[0] == 403
        assert reporter.send(kiosk.token(second), RESULT) == (204, "")
        assert climate_jobs.get("job")["status"]["attempts"] == 2


class TestProgress:
    def test_is_written_at_most_once_a_second_and_the_latest_wins(
        self, reporter: Reporter, kiosk: Kiosk, climate_jobs: ClimateJobs, kubelet: Kubelet
    ) -> None:
        pod = start("job", climate_jobs, kubelet)
        token = kiosk.token(pod)
        before = int(climate_jobs.get("job")["metadata"]["resourceVersion"])
        seen: set[int] = set()
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.02):
                seen.add(int(climate_jobs.get("job")["metadata"]["resourceVersion"]))

        watcher = threading.Thread(target=watch)
        watcher.start()
        begun = time.monotonic()
        try:
            for done in range(1, 51):
                assert reporter.send(token, progress(done)) == (204, "")
            wait_until(lambda: _percent(climate_jobs, "job") == 50, "the last report to be written")
        finally:
            over.set()
            watcher.join()
        most = time.monotonic() - begun + 2
        assert len(seen - {before}) <= most, "one write a second, however many reports"
        shown = climate_jobs.get("job")["status"]["progress"]
        assert (shown["done"], shown["total"], shown["unit"], shown["rate"]) == (50, 100, "steps", 2.5)
        assert shown["message"] == "Echoing"

    def test_of_pods_that_share_the_work_is_added_up(
        self, reporter: Reporter, kiosk: Kiosk, climate_jobs: ClimateJobs, kubelet: Kubelet, objects: ClusterObjects
    ) -> None:
        def say(pod: Manifest, percent: int, total: int, rate: float | None = None) -> None:
            counted = {"done": total * percent // 100, "total": total, "unit": "steps" if total else ""}
            told = {"percent": percent, **counted, "message": "Working", **({"rate": rate} if rate else {})}
            assert reporter.send(kiosk.token(pod), {"progress": told}) == (204, "")

        def repeat_and_look() -> bool:
            say(pods[0], 60, 100, 2.0)  # for where the operator has not yet heard of the other two's end
            return shown(percent=50, done=200, total=400, rate=3.5)

        def shown(**figures: object) -> bool:
            progress: Manifest = climate_jobs.get("shared").get("status", {}).get("progress") or {}
            return all(progress.get(name) == value for name, value in figures.items())

        climate_jobs.create("shared", parallelism=4)
        kubelet.await_pod("shared", 4)
        pods = {int(pod["metadata"]["annotations"][COMPLETION_INDEX]): pod for pod in kubelet.pods("shared")}
        for pod in pods.values():
            kubelet.run(pod)
        climate_jobs.wait_for("shared", "Running")
        say(pods[0], 50, 100, 2.5)
        wait_until(lambda: shown(percent=12, done=None, total=None, rate=None), "what one has said")
        say(pods[1], 20, 200, 1.5)
        say(pods[2], 90, 100, 8.0)
        say(pods[3], 0, 0)
        wait_until(lambda: shown(percent=45, done=180, total=400, unit="steps", rate=12.0), "the sum")
        kubelet.finish(pods[2], ExitCode.DONE, share_message(2, of=4))
        kubelet.finish(pods[3], ExitCode.DONE, share_message(3, of=4))
        completed = partial(_completed, objects, "shared", climate_jobs.namespace)
        wait_until(lambda: completed() == "2,3", "the Job controller to count them")
        wait_until(repeat_and_look, "what is done to count in full")
        say(pods[1], 95, 200, 1.5)
        assert reporter.send(kiosk.token(pods[1]), RESULT) == (204, "")
        progress = climate_jobs.get("shared")["status"]["progress"]
        assert (progress["percent"], progress["done"], progress["total"], "rate" in progress) == (100, 400, 400, False)

    def test_counts_shares_that_were_done_before_the_operator_began(
        self, stopped_operator: OperatorProcess, kiosk: Kiosk, climate_jobs: ClimateJobs, kubelet: Kubelet
    ) -> None:
        port = free_port()

        def start_operator() -> Reporter:
            ready = "Compared with the cluster"
            before = stopped_operator.log.count(ready)
            stopped_operator.start(report_port=port, report_url=f"http://127.0.0.1:{port}/reports")
            wait_until(lambda: stopped_operator.log.count(ready) > before, "the operator to be ready")
            return Reporter(port)

        def shown() -> tuple[int | None, ...]:
            progress: Manifest = climate_jobs.get("shared").get("status", {}).get("progress") or {}
            return tuple(progress.get(name) for name in ("percent", "done", "total", "rate"))

        reporter = start_operator()
        climate_jobs.create("shared", parallelism=2)
        kubelet.await_pod("shared", 2)
        pods = {int(pod["metadata"]["annotations"][COMPLETION_INDEX]): pod for pod in kubelet.pods("shared")}
        for pod in pods.values():
            kubelet.run(pod)
        climate_jobs.wait_for("shared", "Running")
        for pod in pods.values():
            assert reporter.send(kiosk.token(pod), progress(10)) == (204, "")
        wait_until(lambda: shown() == (10, 20, 200, 5.0), "both to be added up")
        assert stopped_operator.stop() == 0
        kubelet.finish(pods[1], ExitCode.DONE, share_message(1, of=2, total=100))
        reporter = start_operator()
        assert reporter.send(kiosk.token(pods[0]), progress(40)) == (204, "")
        wait_until(lambda: shown() == (70, 140, 200, 2.5), "the one that is done to count in full")


class TestAStandby:
    def test_passes_reports_on_to_the_leader_also_to_the_next_one(
        self,
        stopped_operators: Callable[[str], OperatorProcess],
        kiosk: Kiosk,
        climate_jobs: ClimateJobs,
        kubelet: Kubelet,
    ) -> None:
        ports = {"first": free_port(), "second": free_port()}
        operators = {name: stopped_operators(name) for name in ports}
        for (name, operator), news in zip(operators.items(), ("Compared with", "Waiting for the Lease"), strict=True):
            port = ports[name]
            operator.start(report_port=port, report_address=f"127.0.0.1:{port}", report_url=f"http://127.0.0.1:{port}")
            wait_until(lambda operator=operator, news=news: news in operator.log, f"{name} to be ready")
        pod = start("a", climate_jobs, kubelet)
        wait_until(lambda: Reporter(ports["second"]).send(kiosk.token(pod), progress(1))[0] == 204, "the way")
        assert Reporter(ports["second"]).send(kiosk.token(pod), RESULT) == (204, "")
        assert climate_jobs.get("a")["status"]["phase"] == "Succeeded"
        assert Reporter(ports["second"]).send("made.up.token", RESULT) == (401, "not-identified")

        pod = start("b", climate_jobs, kubelet)
        assert operators["first"].stop() == 0
        wait_until(lambda: Reporter(ports["second"]).send(kiosk.token(pod), RESULT)[0] == 204, "the next leader")
        assert climate_jobs.get("b")["status"]["phase"] == "Succeeded"


def _percent(climate_jobs: ClimateJobs, name: str) -> int | None:
    return climate_jobs.get(name)["status"].get("progress", {}).get("percent")


def _condition(objects: ClusterObjects, name: str, namespace: str, type_: str) -> bool:
    job = objects.find("Job", name, namespace, version="batch/v1")
    conditions: list[Manifest] = (job or {}).get("status", {}).get("conditions") or []
    return any(condition["type"] == type_ and condition["status"] == "True" for condition in conditions)


def _completed(objects: ClusterObjects, name: str, namespace: str) -> str | None:
    """The shares that the Job controller has counted as done."""
    job = objects.find("Job", name, namespace, version="batch/v1")
    return (job or {}).get("status", {}).get("completedIndexes")
