"""Several operators: one acts, another takes over; each a process, with a real API server."""

import time
from collections.abc import Callable

import pytest

from climatejobs.names import ExitCode
from tests.cluster_objects import ClimateJobs, ClusterObjects, wait_until
from tests.integration.conftest import ControlPlane
from tests.integration.operator.conftest import OperatorProcess
from tests.integration.operator.kubelet import Kubelet, success_message

pytestmark = pytest.mark.integration

type Operators = Callable[[str], OperatorProcess]


class Lease:
    """The Lease of a namespace's operators."""

    def __init__(self, objects: ClusterObjects, namespace: str) -> None:
        self._objects = objects
        self._namespace = namespace

    @property
    def holder(self) -> str | None:
        found = self._objects.find("Lease", "climatejobs-operator", self._namespace, version="coordination.k8s.io/v1")
        return None if found is None else found["spec"].get("holderIdentity")

    def await_holder(self, name: str, seconds: float = 30) -> None:
        wait_until(lambda: self.holder == name, f"{name} to hold the Lease", seconds, lambda: str(self.holder))


@pytest.fixture
def lease(control_plane: ControlPlane, namespace: str) -> Lease:
    return Lease(control_plane.objects, namespace)


@pytest.fixture
def pair(stopped_operators: Operators, lease: Lease) -> tuple[OperatorProcess, OperatorProcess]:
    """A leader and a standby."""
    first, second = stopped_operators("first"), stopped_operators("second")
    first.start()
    lease.await_holder("first")
    second.start()
    wait_until(lambda: "Waiting for the Lease" in second.log, "the second to stand by", 20)
    return first, second


def run_job(name: str, climate_jobs: ClimateJobs, kubelet: Kubelet) -> None:
    climate_jobs.create(name)
    kubelet.finish(kubelet.await_pod(name), ExitCode.DONE, success_message())
    assert climate_jobs.wait_for(name, "Succeeded")["status"]["attempts"] == 1


def test_a_standby_takes_over_from_a_leader_that_is_killed(
    pair: tuple[OperatorProcess, OperatorProcess], lease: Lease, climate_jobs: ClimateJobs, kubelet: Kubelet
) -> None:
    first, second = pair
    climate_jobs.create("before")
    pod = kubelet.await_pod("before")
    kubelet.run(pod)
    climate_jobs.wait_for("before", "Running")
    assert "Made Job" not in second.log, "a standby watches and does nothing"
    first.kill()
    killed_at = time.monotonic()
    kubelet.finish(pod, ExitCode.DONE, success_message())
    assert climate_jobs.wait_for("before", "Succeeded", seconds=20)["status"]["attempts"] == 1
    assert 10 < time.monotonic() - killed_at < 20, "not before the Lease has run out"
    assert lease.holder == "second"
    run_job("after", climate_jobs, kubelet)


def test_a_leader_that_is_told_to_end_hands_over_at_once(
    pair: tuple[OperatorProcess, OperatorProcess], lease: Lease, climate_jobs: ClimateJobs, kubelet: Kubelet
) -> None:
    first, _ = pair
    run_job("before", climate_jobs, kubelet)
    assert first.stop() == 0
    lease.await_holder("second", seconds=4)
    run_job("after", climate_jobs, kubelet)


def test_a_leader_that_was_frozen_does_nothing_when_it_goes_on_until_the_lease_is_its_own_again(
    pair: tuple[OperatorProcess, OperatorProcess], lease: Lease, climate_jobs: ClimateJobs, kubelet: Kubelet
) -> None:
    first, second = pair
    first.freeze()
    climate_jobs.create("job")
    lease.await_holder("second")
    pod = kubelet.await_pod("job")
    first.thaw()
    wait_until(lambda: "The Lease is lost" in first.log, "the first to find out", 10)
    assert first.log.count("Made Job") == 0
    kubelet.finish(pod, ExitCode.DONE, success_message())
    climate_jobs.wait_for("job", "Succeeded")
    assert first.running, "it stands by from now on"
    assert first.log.count("Made Job") == 0

    assert second.stop() == 0
    lease.await_holder("first", seconds=10)
    run_job("again", climate_jobs, kubelet)
    assert first.log.count("Made Job") == 1
    assert first.stop() == 0
