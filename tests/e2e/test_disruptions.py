"""What may happen to a job on a real cluster, and what it costs: kills, evictions, too little memory, absence."""

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

import httpx
import pytest

from climatejobs_demo.installation import Installation
from tests.cluster_objects import ClimateJobs, ClusterObjects, Manifest, wait_until
from tests.e2e.conftest import LOST_POD, NAMESPACE, RUNNER_GRACE, kill_runner, signal_runner

pytestmark = pytest.mark.e2e

OPERATOR = "climatejobs-operator"
WITHOUT_END = {"message": "never said", "pause": 600}
LOG_TAIL = 1024
"""Bytes."""


@pytest.fixture
def operator_back(installation: Installation) -> Iterator[None]:
    """An operator again after the test, whatever becomes of it."""
    yield
    _scale_operator(installation, 1)
    installation.kubectl("rollout", "status", f"deployment/{OPERATOR}", "--timeout=60s")


def _scale_operator(installation: Installation, replicas: int) -> None:
    installation.kubectl("scale", f"deployment/{OPERATOR}", f"--replicas={replicas}")


def pods_of(objects: ClusterObjects, name: str, namespace: str = NAMESPACE) -> list[Manifest]:
    return objects.list("Pod", namespace, label_selector=f"climatejobs.io/job={name}")


def running_pod(objects: ClusterObjects, climate_jobs: ClimateJobs, name: str) -> str:
    climate_jobs.wait_for(name, "Running")
    (pod,) = (pod for pod in pods_of(objects, name, climate_jobs.namespace) if runs(pod))
    return pod["metadata"]["name"]


def runs(pod: Manifest) -> bool:
    containers: list[Manifest] = pod["status"].get("containerStatuses") or []
    return any("running" in container["state"] for container in containers)


def test_a_killed_runner_is_tried_again(
    installation: Installation, objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    climate_jobs.create("killed", inputs={"message": "at last", "pause": 15}, maxAttempts=2)
    kill_runner(installation, running_pod(objects, climate_jobs, "killed"), log=f"{'ü' * LOG_TAIL}\nlast words\n")
    status = climate_jobs.wait_for("killed", "Retrying", seconds=30)["status"]
    assert status["error"]["exitCode"] == 137
    assert status["retryAt"] is not None
    assert status["logTail"].endswith("üü\nlast words\n")
    assert LOG_TAIL - 1 <= len(status["logTail"].encode()) <= LOG_TAIL, "a letter of two bytes may not fit any more"
    status = climate_jobs.wait_for("killed", "Succeeded", "Failed", seconds=90)["status"]
    assert (status["phase"], status["attempts"]) == ("Succeeded", 2)


def test_a_job_has_failed_when_its_last_attempt_has(
    installation: Installation, api: httpx.Client, objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    def look(phase: str) -> Manifest:
        """The status in that phase, after a look at what REST makes of it."""
        status: Manifest = climate_jobs.wait_for("hopeless", phase, seconds=30)["status"]
        told = wait_until(
            lambda: next((body for body in [api.get("/jobs/hopeless").json()] if body["phase"] == phase), None),
            f"REST to tell of {phase}",
            15,
        )
        assert (told["attempt"], told["maxAttempts"]) == (status["attempts"], 2)
        assert (told.get("retryAfter"), told.get("error")) == (status.get("retryAt"), status.get("error"))
        return status

    climate_jobs.create("hopeless", inputs=WITHOUT_END, maxAttempts=2)
    first = running_pod(objects, climate_jobs, "hopeless")
    assert look("Running")["attempts"] == 1
    kill_runner(installation, first)
    retrying = look("Retrying")
    assert (retrying["attempts"], retrying["error"]["attempt"]) == (2, 1)
    second = running_pod(objects, climate_jobs, "hopeless")
    assert look("Running")["attempts"] == 2
    kill_runner(installation, second)
    failed = look("Failed")
    assert (failed["attempts"], failed["error"]["attempt"], failed["error"]["exitCode"]) == (2, 2, 137)
    installation.kubectl("wait", "--for=condition=Failed", "job/hopeless", "--timeout=30s")
    # A Job that has failed makes no pod any more, and keeps those that have ended.
    created = {pod["metadata"]["name"]: pod["metadata"]["creationTimestamp"] for pod in pods_of(objects, "hopeless")}
    assert created.keys() == {first, second}
    late = datetime.fromisoformat(created[second]) - datetime.fromisoformat(retrying["retryAt"])
    assert -3 <= late.total_seconds() <= 8, "the next delay would be 10 s more"


def test_too_little_memory_is_named(climate_jobs: ClimateJobs) -> None:
    climate_jobs.create("cramped", maxAttempts=1, resources={"memory": "12Mi"})
    status = climate_jobs.wait_for("cramped", "Failed", seconds=90)["status"]
    assert status["error"]["type"] == "urn:climatejobs:error:out-of-memory"
    assert "12Mi" in status["error"]["detail"]
    assert "resources.memory" in status["error"]["hint"]


def test_an_eviction_costs_no_attempt(objects: ClusterObjects, climate_jobs: ClimateJobs) -> None:
    climate_jobs.create("evicted", inputs={"message": "moved", "pause": 12}, maxAttempts=1)
    pod = running_pod(objects, climate_jobs, "evicted")
    objects.evict(pod, NAMESPACE)
    status = climate_jobs.wait_for("evicted", "Succeeded", "Failed", seconds=90)["status"]
    assert (status["phase"], status["attempts"]) == ("Succeeded", 1)
    names = {each["metadata"]["name"] for each in pods_of(objects, "evicted")}
    assert len(names - {pod}) == 1, "the attempt was repeated in another pod"


@contextmanager
def silent_node(installation: Installation) -> Generator[None]:
    """The node's kubelet held up: what runs there goes on, and nobody tells of it."""
    installation.cluster.ask("pause", "kubelet")
    try:
        yield
    finally:
        installation.cluster.ask("resume", "kubelet")


@pytest.fixture
def endless_job(hurried: Installation, objects: ClusterObjects) -> Iterator[ClimateJobs]:
    """A job that computes until the test is over, and takes the slot of its submitter."""
    climate_jobs = ClimateJobs(objects, hurried.namespace)
    climate_jobs.create("endless", inputs=WITHOUT_END, maxAttempts=1)
    yield climate_jobs
    climate_jobs.patch_spec("endless", cancel=True)
    climate_jobs.wait_for("endless", "Cancelled", seconds=2 * RUNNER_GRACE + LOST_POD)


def test_the_pod_of_a_node_that_does_not_answer_is_replaced_and_costs_no_attempt(
    hurried: Installation, objects: ClusterObjects, endless_job: ClimateJobs
) -> None:
    pod = running_pod(objects, endless_job, "endless")
    # Not for longer than a minute, after which the control plane gives the whole node up.
    with silent_node(hurried):
        objects.delete("Pod", pod, hurried.namespace)
        unconfirmed = "does not confirm that the pod has ended; waiting for it."
        wait_until(lambda: unconfirmed in endless_job.get("endless")["status"]["message"], "it to be said", 30)
        status = endless_job.wait_for("endless", "Retrying", seconds=30)["status"]
        assert "does not confirm that the pod has ended" in status["message"]
        assert "does not count" in status["message"]
        wait_until(
            lambda: objects.find("Pod", pod, hurried.namespace) is None, "the Job controller to let go of it", 10
        )
    running_pod(objects, endless_job, "endless")
    status = endless_job.get("endless")["status"]
    assert status["attempts"] == 1
    assert "error" not in status


def test_what_no_node_can_take_says_so_and_can_be_cancelled(climate_jobs: ClimateJobs) -> None:
    climate_jobs.create("giant", resources={"memory": "900Gi"})
    wait_until(
        lambda: "memory" in climate_jobs.get("giant").get("status", {}).get("message", "").lower(),
        "the message to say that no node has the memory",
        30,
    )
    assert climate_jobs.get("giant")["status"]["phase"] == "Pending"
    climate_jobs.patch_spec("giant", cancel=True)
    climate_jobs.wait_for("giant", "Cancelled", seconds=20)


def time_cancellation(objects: ClusterObjects, climate_jobs: ClimateJobs, name: str) -> tuple[float, float]:
    """Cancel a job; seconds until its process was seen to have ended, and until its pod was gone."""
    asked = time.monotonic()
    climate_jobs.patch_spec(name, cancel=True)
    wait_until(lambda: not any(map(runs, pods_of(objects, name))), "the process to end", 20)
    ended = time.monotonic()
    wait_until(lambda: not pods_of(objects, name), "the pod to be gone", 20)
    gone = time.monotonic()
    climate_jobs.wait_for(name, "Cancelled", seconds=10)
    return ended - asked, gone - asked


def second_best(times: Iterable[float]) -> float:
    """A figure that pauses of the machine leave alone, while a delay of our own would be in all of them."""
    return sorted(times)[1]


def test_cancelling_ends_the_process_within_two_seconds_and_the_pod_within_five(
    objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    names = [f"stopped-{number}" for number in range(5)]
    for name in names:
        climate_jobs.create(name, inputs=WITHOUT_END, resources={"cpu": "50m"})
    for name in names:
        wait_until(lambda name=name: has_counted(climate_jobs, name, 3), f"{name} to compute", 60)
    times = [time_cancellation(objects, climate_jobs, name) for name in names]
    assert second_best(ended for ended, _ in times) <= 2, times
    assert second_best(gone for _, gone in times) <= 5, times


def test_cancelling_a_job_that_has_just_started_takes_the_kubelet_two_seconds_more(
    objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    # A kubelet ends no pod before it has asked the container runtime about it again, which it does every second and
    # waits for up to two: https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/kubelet/pod_workers.go
    names = [f"nipped-{number}" for number in range(5)]
    times: list[tuple[float, float]] = []
    for name in names:
        climate_jobs.create(name, inputs=WITHOUT_END, resources={"cpu": "50m"})
        climate_jobs.wait_for(name, "Running")
        times.append(time_cancellation(objects, climate_jobs, name))
    assert second_best(ended for ended, _ in times) <= 2 + 2, times
    assert second_best(gone for _, gone in times) <= 5, times


def has_counted(climate_jobs: ClimateJobs, name: str, seconds: int) -> bool:
    """Whether a job has told that it has computed that long."""
    progress: Manifest = climate_jobs.get(name).get("status", {}).get("progress") or {}
    return progress.get("done", 0) >= seconds


def test_a_runner_that_does_not_end_is_killed_after_its_grace_and_the_job_is_not_cancelled_before(
    hurried: Installation, objects: ClusterObjects
) -> None:
    climate_jobs = ClimateJobs(objects, hurried.namespace)
    climate_jobs.create("frozen", inputs=WITHOUT_END)
    pod = running_pod(objects, climate_jobs, "frozen")
    signal_runner(hurried, pod, "SIGSTOP")  # the init passes SIGTERM on, and nobody hears it
    asked = time.monotonic()
    climate_jobs.patch_spec("frozen", cancel=True)
    stopping = "Stopping: waiting for the pod to end."
    wait_until(lambda: climate_jobs.get("frozen")["status"]["message"] == stopping, "it to be said", RUNNER_GRACE)

    def still_stopping() -> bool:
        (found,) = pods_of(objects, "frozen", hurried.namespace)
        status = climate_jobs.get("frozen")["status"]
        return runs(found) and (status["phase"], status["message"]) == ("Running", stopping)

    assert still_stopping()
    status = climate_jobs.wait_for("frozen", "Cancelled", seconds=RUNNER_GRACE + 20)["status"]
    cancelled = time.monotonic()
    assert not any(map(runs, pods_of(objects, "frozen", hurried.namespace)))
    assert status["message"] == "Cancelled on request."
    # Nothing but the kubelet's SIGKILL can have ended it.
    assert RUNNER_GRACE <= cancelled - asked <= RUNNER_GRACE + 15


@pytest.mark.usefixtures("operator_back")
def test_cancelled_while_no_operator_is_there_it_ends_when_one_returns(
    installation: Installation, objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    climate_jobs.create("unattended", inputs=WITHOUT_END)
    running_pod(objects, climate_jobs, "unattended")
    _scale_operator(installation, 0)
    selector = ("--selector", "app.kubernetes.io/component=operator")
    installation.kubectl("wait", "--for=delete", "pod", *selector, "--timeout=90s")
    climate_jobs.patch_spec("unattended", cancel=True)
    assert any(map(runs, pods_of(objects, "unattended")))
    _scale_operator(installation, 1)
    climate_jobs.wait_for("unattended", "Cancelled", seconds=60)
    assert not any(map(runs, pods_of(objects, "unattended")))


def test_a_restarted_api_server_disturbs_no_job(installation: Installation, climate_jobs: ClimateJobs) -> None:
    climate_jobs.create("undisturbed", inputs={"message": "still here", "pause": 8})
    climate_jobs.wait_for("undisturbed", "Running")
    installation.cluster.ask("restart", "kube-apiserver")
    status = wait_until(lambda: _find_ended(climate_jobs, "undisturbed"), "the job to end", 120)["status"]
    assert (status["phase"], status["attempts"]) == ("Succeeded", 1)


def _find_ended(climate_jobs: ClimateJobs, name: str) -> Manifest | None:
    try:
        job = climate_jobs.get(name)
    except Exception:  # while the API server is away, whatever the client makes of that
        return None
    return job if job["status"]["phase"] in ("Succeeded", "Failed") else None
