"""climatejobs installed from its chart and images into a real cluster, in a namespace that enforces `restricted`."""

import contextlib
import os
import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from climatejobs import names
from climatejobs_demo.cluster import Cluster, CommandFailed
from climatejobs_demo.installation import Images, Installation, build_images
from tests.cluster_objects import ClimateJobs, ClusterObjects, wait_until

CLUSTER = os.environ.get("CLIMATEJOBS_TEST_CLUSTER", "tests")
NAMESPACE = "e2e"
HURRIED = "e2e-hurried"
"""Namespace of a release that runs one job of a submitter and two in all at a time, and that waits for nothing long."""
START_TIMEOUT = 12
"""Seconds; what a mount fails of is asked for after 10."""
JOB_RETENTION = 2
"""Seconds."""
RUNNER_GRACE = 10
"""Seconds."""
LOST_POD = 10
"""Seconds past that grace."""
FROM_A_CONTAINER = """
import os, signal, sys
os.write(os.open('/proc/1/fd/2', os.O_WRONLY), sys.argv[2].encode())
# The first process is the init; what it waits for is the runner.
os.kill(int(open('/proc/1/task/1/children').read().split()[0]), signal.Signals[sys.argv[1]])
"""
"""A program for a runner's container: it adds to the log, and sends the runner a signal."""


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster for end-to-end tests: the one that is up already, else one for this session."""
    cluster = Cluster(CLUSTER)
    try:
        cluster.ask("kubeconfig")
    except CommandFailed:
        try:
            cluster.ask("up")
            yield cluster
        finally:
            cluster.ask("down")
    else:
        cluster.ask("up")  # waits until all of it answers, which may take a moment
        yield cluster


@pytest.fixture(scope="session")
def images(cluster: Cluster) -> Images:
    images = build_images()
    cluster.ask("load", *images.archives)
    return images


@pytest.fixture(scope="session")
def installation(cluster: Cluster, images: Images) -> Installation:
    installation = Installation(cluster, NAMESPACE)
    # Pods have private addresses, and one of them is going to be called.
    installation.install(images, ["--set", "api.fetch.allow={10.0.0.0/8}"])
    return installation


@pytest.fixture(scope="session")
def hurried(cluster: Cluster, images: Images, installation: Installation) -> Iterator[Installation]:
    """The release in the namespace `HURRIED`; the first has brought the definition."""
    assert installation.namespace != HURRIED
    second = Installation(cluster, HURRIED)
    limits = "operator.maxRunning=2,operator.maxRunningPerSubmitter=1"
    operator = f"{limits},operator.jobRetentionSeconds={JOB_RETENTION}"
    graces = f"runner.graceSeconds={RUNNER_GRACE},runner.lostPodSeconds={LOST_POD}"
    times = f"runner.startTimeoutSeconds={START_TIMEOUT},{graces}"
    runner = f"{times},runner.resources.cpu=50m,runner.resources.memory=128Mi"
    try:
        second.install(images, ["--set", f"crds.enabled=false,{operator},{runner}"])
        yield second
    finally:
        cluster.helm("uninstall", "climatejobs", "--namespace", HURRIED, "--ignore-not-found")
        cluster.kubectl("delete", "namespace", HURRIED, "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="session")
def objects(installation: Installation) -> ClusterObjects:
    return ClusterObjects(Path(installation.cluster.ask("kubeconfig")))


@pytest.fixture(scope="session")
def climate_jobs(objects: ClusterObjects) -> ClimateJobs:
    return ClimateJobs(objects, NAMESPACE)


@pytest.fixture(scope="session")
def api(installation: Installation) -> Iterator[httpx.Client]:
    with reach_api(installation) as client:
        yield client


@contextmanager
def reach_api(installation: Installation) -> Generator[httpx.Client]:
    """The REST API of an installation, reached through a port of this host's loopback."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    address = installation.forward(port)
    with httpx.Client(base_url=address, timeout=60) as client:
        wait_until(lambda: answers(client), f"{address}/readyz to answer")
        yield client
    installation.cluster.ask("forward", "--stop", "--port", str(port))


def answers(client: httpx.Client) -> bool:
    """Whether the API behind a client is ready."""
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def find_leftovers(objects: ClusterObjects, namespace: str, name: str) -> list[str]:
    """Every Job and pod of a ClimateJob, as kind and name."""
    return [
        f"{kind} {found['metadata']['name']}"
        for kind, version in (("Job", "batch/v1"), ("Pod", "v1"))
        for found in objects.list(kind, namespace, version=version, label_selector=f"{names.LABEL_JOB_NAME}={name}")
    ]


def signal_runner(installation: Installation, pod: str, signal: str, *, log: str = "") -> None:
    """Send a runner a signal, behind the back of its kubelet; before that, have it say something."""
    installation.kubectl("exec", pod, "--", "python3", "-c", FROM_A_CONTAINER, signal, log)


def kill_runner(installation: Installation, pod: str, *, log: str = "") -> None:
    with contextlib.suppress(CommandFailed):  # the container ends with the runner, and this command with it
        signal_runner(installation, pod, "SIGKILL", log=log)


@pytest.fixture(scope="session")
def synthetic_dataset(installation: Installation, images: Images) -> str:
    """Id of the synthetic hourly data set, brought in once."""
    installation.bring_in(images, None, dataset_id="synthetic-hourly", variable=None)
    return "synthetic-hourly"


@pytest.fixture(scope="session")
def era5_land_file() -> Path:
    """The real hourly ERA5-Land file; tests that need it are skipped where it is not."""
    folder = os.environ.get("CLIMATEJOBS_TEST_DATA")
    if not folder:
        pytest.skip("CLIMATEJOBS_TEST_DATA does not name a folder with real ERA5-Land files")
    file = Path(folder) / "era5-land-hourly-temp-precip-feb-2025-sierra-leone.nc"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    return file


@pytest.fixture(scope="session")
def era5_land_dataset(installation: Installation, images: Images, era5_land_file: Path) -> str:
    """Id of the real data set, imported once through a pod."""
    installation.bring_in(images, era5_land_file, dataset_id="era5-land-hourly", variable="t2m")
    return "era5-land-hourly"
