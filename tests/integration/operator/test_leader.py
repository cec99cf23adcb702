"""Several operators: one acts, another takes over; each a process, with a real API server."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from climatejobs.names import ExitCode
from tests.cluster_objects import ClimateJobs, ClusterObjects, Manifest, wait_until
from tests.integration.conftest import ControlPlane
from tests.integration.operator.conftest import OperatorProcess, proxy_before
from tests.integration.operator.kubelet import Kubelet, success_message
from tests.integration.operator.proxy import Outage, Proxy

pytestmark = pytest.mark.integration

type Operators = Callable[[str], OperatorProcess]


class Lease:
    """The Lease of a namespace's operators."""

    def __init__(self, objects: ClusterObjects, namespace: str) -> None:
        self._objects = objects
        self._namespace = namespace

    @property
    def holder(self) -> str | None:
        return self._spec.get("holderIdentity")

    @property
    def acquired_at(self) -> datetime:
        """When its holder got it."""
        return datetime.fromisoformat(self._spec["acquireTime"])

    @property
    def renewed_at(self) -> datetime:
        """When its holder was last heard of."""
        return datetime.fromisoformat(self._spec["renewTime"])

    def await_holder(self, name: str, seconds: float = 60) -> None:
        wait_until(lambda: self.holder == name, f"{name} to hold the Lease", seconds, lambda: str(self.holder))

    @property
    def _spec(self) -> Manifest:
        found = self._objects.find("Lease", "climatejobs-operator", self._namespace, version="coordination.k8s.io/v1")
        return {} if found is None else found["spec"]


@pytest.fixture
def lease(control_plane: ControlPlane, namespace: str) -> Lease:
    return Lease(control_plane.objects, namespace)


@pytest.fixture
def first(stopped_operators: Operators) -> OperatorProcess:
    """The one that is going to lead; it has not been started."""
    return stopped_operators("first")


@pytest.fixture
def proxy(control_plane: ControlPlane, first: OperatorProcess) -> Iterator[Proxy]:
    """The proxy, in the way of the first operator alone."""
    with proxy_before(first, control_plane) as proxy:
        yield proxy


@pytest.fixture
def pair(first: OperatorProcess, stopped_operators: Operators, lease: Lease) -> tuple[OperatorProcess, OperatorProcess]:
    """A leader and a standby."""
    second = stopped_operators("second")
    first.start(log_format="json")
    lease.await_holder("first")
    second.start(log_format="json")
    wait_until(lambda: "Waiting for the Lease" in second.log, "the second to stand by")
    return first, second


def begin_job(name: str, climate_jobs: ClimateJobs, kubelet: Kubelet) -> Manifest:
    """The pod of a new job, once the job is said to run in it."""
    climate_jobs.create(name)
    pod = kubelet.await_pod(name)
    kubelet.run(pod)
    climate_jobs.wait_for(name, "Running")
    return pod


def run_job(name: str, climate_jobs: ClimateJobs, kubelet: Kubelet) -> None:
    climate_jobs.create(name)
    kubelet.finish(kubelet.await_pod(name), ExitCode.DONE, success_message())
    assert climate_jobs.wait_for(name, "Succeeded")["status"]["attempts"] == 1


def test_a_standby_takes_over_from_a_leader_that_is_killed(
    pair: tuple[OperatorProcess, OperatorProcess], lease: Lease, climate_jobs: ClimateJobs, kubelet: Kubelet
) -> None:
    first, second = pair
    pod = begin_job("before", climate_jobs, kubelet)
    assert "Made Job" not in second.log, "a standby watches and does nothing"
    first.kill()
    renewed_at = lease.renewed_at
    kubelet.finish(pod, ExitCode.DONE, success_message())
    assert climate_jobs.wait_for("before", "Succeeded")["status"]["attempts"] == 1
    assert lease.holder == "second"
    waited = lease.acquired_at - renewed_at
    assert timedelta(seconds=15) <= waited < timedelta(seconds=25), "once the Lease has run out, and soon after"
    run_job("after", climate_jobs, kubelet)


def test_a_leader_that_is_told_to_end_hands_over_at_once(
    pair: tuple[OperatorProcess, OperatorProcess], lease: Lease, climate_jobs: ClimateJobs, kubelet: Kubelet
) -> None:
    first, _ = pair
    run_job("before", climate_jobs, kubelet)
    assert first.stop() == 0
    lease.await_holder("second", seconds=10)  # less than the Lease takes to run out
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
    wait_until(lambda: "The Lease is lost" in first.log, "the first to find out")
    assert first.log.count("Made Job") == 0
    kubelet.finish(pod, ExitCode.DONE, success_message())
    climate_jobs.wait_for("job", "Succeeded")
    assert first.running, "it stands by from now on"
    assert first.log.count("Made Job") == 0

    assert second.stop() == 0
    lease.await_holder("first")
    run_job("again", climate_jobs, kubelet)
    assert first.log.count("Made Job") == 1
    assert first.stop() == 0


@pytest.mark.parametrize("outage", Outage)
def test_a_leader_that_is_cut_off_stops_before_another_starts_and_nothing_is_lost_or_done_twice(
    outage: Outage,
    proxy: Proxy,
    pair: tuple[OperatorProcess, OperatorProcess],
    lease: Lease,
    control_plane: ControlPlane,
    climate_jobs: ClimateJobs,
    kubelet: Kubelet,
) -> None:
    first, second = pair
    pod = begin_job("before", climate_jobs, kubelet)
    uid = find_uid(control_plane.objects, "before", climate_jobs.namespace)
    refusal = proxy.refuse("PUT", "/status", 503, times=1000)
    kubelet.finish(pod, ExitCode.DONE, success_message())
    wait_until(lambda: len(refusal.at) > 0, "a write that the first will try again and again")

    proxy.cut(outage)
    cut_at = time.monotonic()
    climate_jobs.create("meanwhile")
    lease.await_holder("second")
    taken_at = lease.acquired_at
    wait_until(lambda: "The Lease is lost" in first.log, "the first to say so")
    kubelet.finish(kubelet.await_pod("meanwhile"), ExitCode.DONE, success_message())
    for name in ("before", "meanwhile"):
        assert climate_jobs.wait_for(name, "Succeeded")["status"]["attempts"] == 1
        assert len(kubelet.pods(name)) == 1
    assert find_uid(control_plane.objects, "before", climate_jobs.namespace) == uid
    assert count_jobs_made(second) == {"meanwhile": 1}

    refusal.times = 0
    proxy.mend()
    wait_until(lambda: first.log.count("Waiting for the Lease") == 2, "the first to stand by")
    run_job("after", climate_jobs, kubelet)
    assert second.stop() == 0
    lease.await_holder("first")
    leads_again_at = to_monotonic(lease.acquired_at)
    run_job("again", climate_jobs, kubelet)
    assert count_jobs_made(second) == {"meanwhile": 1, "after": 1}
    assert count_jobs_made(first) == {"before": 1, "again": 1}
    tried_at = [at for at in proxy.find_writes(but="/leases/") if cut_at < at < leads_again_at]
    assert tried_at, "it wanted to write"
    assert max(tried_at) < to_monotonic(taken_at)


def find_uid(objects: ClusterObjects, name: str, namespace: str) -> str:
    """Which Job it is that has the name."""
    job = objects.find("Job", name, namespace, version="batch/v1")
    assert job is not None
    return job["metadata"]["uid"]


def count_jobs_made(operator: OperatorProcess) -> Counter[str]:
    """How often an operator has made a Job, by name."""
    return Counter(line["job"] for line in operator.log_lines if line["message"] == "Made Job")


def to_monotonic(moment: datetime) -> float:
    """The moment by the monotonic clock."""
    return time.monotonic() - (datetime.now(UTC) - moment).total_seconds()
