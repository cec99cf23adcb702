"""The line for slots, with the operator as a process, a real API server and the real Job controller."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from climatejobs.names import ExitCode
from tests.cluster_objects import ClimateJobs, wait_until
from tests.integration.conftest import ControlPlane
from tests.integration.operator.conftest import OperatorProcess
from tests.integration.operator.kubelet import Kubelet, success_message

pytestmark = pytest.mark.integration


def test_jobs_wait_for_a_slot_by_priority_also_across_a_restart(
    control_plane: ControlPlane, stopped_operator: OperatorProcess, climate_jobs: ClimateJobs, kubelet: Kubelet
) -> None:
    def running() -> set[str]:
        found = control_plane.objects.list("Job", climate_jobs.namespace, version="batch/v1")
        return {job["metadata"]["name"] for job in found}

    def finish(name: str, successor: str) -> None:
        kubelet.finish(kubelet.await_pod(name), ExitCode.DONE, success_message())
        climate_jobs.wait_for(name, "Succeeded")
        kubelet.await_pod(successor)

    def place_of(name: str) -> str | None:
        return climate_jobs.get(name).get("status", {}).get("message")

    for name, priority in {"a": 5, "b": 0, "c": 0, "d": 9}.items():
        climate_jobs.create(name, priority=priority)
    stopped_operator.start(max_running=1)
    kubelet.await_pod("d")
    wait_until(lambda: place_of("b") == "Waiting in line, place 2.", "b to be told its place")
    wait_until(lambda: place_of("c") == "Waiting in line, place 3.", "c to be told its place")
    assert running() == {"d"}

    stopped_operator.kill()
    climate_jobs.patch_spec("c", priority=7)
    stopped_operator.start(max_running=1)
    finish("d", successor="c")
    assert running() == {"d", "c"}
    finish("c", successor="a")
    finish("a", successor="b")
    kubelet.finish(kubelet.await_pod("b"), ExitCode.DONE, success_message())
    assert climate_jobs.wait_for("b", "Succeeded")["status"]["attempts"] == 1


def test_a_thousand_that_wait_cost_no_pod_and_no_job(
    control_plane: ControlPlane, stopped_operator: OperatorProcess, climate_jobs: ClimateJobs
) -> None:
    objects, namespace = control_plane.objects, climate_jobs.namespace
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(climate_jobs.create, (f"many-{number}" for number in range(1000))))
    stopped_operator.start(max_running=2)
    wait_until(
        lambda: all(job.get("status", {}).get("message") for job in climate_jobs.list()), "all to be looked at", 300
    )
    told = [job["status"]["message"] for job in climate_jobs.list()]
    assert sum(message.startswith("Waiting in line, place ") for message in told) == 998
    assert len(objects.list("Job", namespace, version="batch/v1")) == 2
    wait_until(lambda: len(objects.list("Pod", namespace)) == 2, "their pods")
    versions = {job["metadata"]["name"]: job["metadata"]["resourceVersion"] for job in climate_jobs.list()}
    stopped_operator.kill()
    stopped_operator.start(max_running=2)
    climate_jobs.create("last", priority=1)
    climate_jobs.wait_for("last", "Pending")
    changed = [
        job
        for job in climate_jobs.list()
        if job["metadata"]["resourceVersion"] != versions.get(job["metadata"]["name"])
    ]
    assert len(changed) <= 102, "the first hundred are told anew after a restart, and nobody else"


def test_nobody_has_more_slots_than_a_submitter_may(
    control_plane: ControlPlane, stopped_operator: OperatorProcess, climate_jobs: ClimateJobs, kubelet: Kubelet
) -> None:
    for name in ("ann-1", "ann-2", "ann-3", "bob-1"):
        climate_jobs.create(name, submittedBy=name[:3])
    stopped_operator.start(max_running=3, max_running_per_submitter=1)
    for name in ("ann-1", "bob-1"):
        kubelet.await_pod(name)
    climate_jobs.wait_for("ann-2", "Pending")
    changed = climate_jobs.patch_spec("ann-3", priority=1)["metadata"]["generation"]
    # Its priority and the end of the pod are told of in two watches.
    wait_until(
        lambda: climate_jobs.get("ann-3").get("status", {}).get("observedGeneration") == changed, "it to be heard of"
    )
    kubelet.finish(kubelet.await_pod("ann-1"), ExitCode.DONE, success_message())
    kubelet.await_pod("ann-3")
    found = control_plane.objects.list("Job", climate_jobs.namespace, version="batch/v1")
    assert {job["metadata"]["name"] for job in found} == {"ann-1", "ann-3", "bob-1"}
    assert climate_jobs.get("ann-2")["status"]["message"].startswith("Waiting in line")
