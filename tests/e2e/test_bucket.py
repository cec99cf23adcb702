"""An installation without a volume: API and runners of a real cluster over a real object store."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from climatejobs_demo.cluster import Cluster, CommandFailed
from climatejobs_demo.installation import Images, Installation
from tests.cluster_objects import ClusterObjects, wait_until
from tests.e2e.conftest import answers
from tests.e2e.test_resample import open_result, submit
from tests.object_store import BUCKET, KEY, SECRET, build_gateway

pytestmark = pytest.mark.e2e

NAMESPACE = "e2e-bucket"
PORT = 7071


@pytest.fixture(scope="module")
def endpoint(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An object store in the node's own network, where pods reach it; gives its address."""
    try:
        words = cluster.ask("exec", "--", "ip", "-4", "-o", "address", "show", "node0").split()
    except CommandFailed as error:
        pytest.skip(f"this kind of cluster has no network that an object store could be put into: {error}")
    host = words[words.index("inet") + 1].partition("/")[0]
    folder = tmp_path_factory.mktemp("objects")
    (folder / BUCKET).mkdir()
    tool = [sys.executable, "-m", "climatejobs_cluster", "--name", cluster.name, "exec", "--"]
    with (folder.parent / "gateway.log").open("wb") as log:
        gateway = subprocess.Popen(
            [*tool, str(build_gateway()), "--port", f"{host}:{PORT}", "--quiet", "posix", str(folder)],
            env={**os.environ, "ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield f"http://{host}:{PORT}"
    finally:
        # The tool, and what it has started in the node.
        os.killpg(gateway.pid, signal.SIGTERM)
        gateway.wait()


@pytest.fixture(scope="module")
def bucket_installation(cluster: Cluster, images: Images, installation: Installation, endpoint: str) -> Installation:
    """A second release, in a namespace of its own; the definition of ClimateJobs is that of the first."""
    made = Installation(cluster, NAMESPACE)
    assert made.namespace != installation.namespace
    values = {"bucket": BUCKET, "prefix": "lab", "endpoint": endpoint, "existingSecret": "object-store"}
    settings = [f"data.s3.{name}={value}" for name, value in values.items()]
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "object-store"},
        "stringData": {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET},
    }
    made.prepare()
    made.kubectl("apply", "--filename", "-", stdin=json.dumps(secret))
    made.install(images, [word for each in ("crds.enabled=false", *settings) for word in ("--set", each)])
    return made


@pytest.fixture(scope="module")
def bucket_api(bucket_installation: Installation) -> Iterator[httpx.Client]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    with httpx.Client(base_url=bucket_installation.forward(port), timeout=60) as client:
        wait_until(lambda: answers(client), "the API over the bucket to answer")
        yield client
    bucket_installation.cluster.ask("forward", "--stop", "--port", str(port))


def test_pods_compute_in_a_bucket_and_the_api_serves_it(
    cluster: Cluster, bucket_api: httpx.Client, objects: ClusterObjects, endpoint: str
) -> None:
    program = "from climatejobs_runner.main import main; main()"
    variables = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    given = [f"{name}={value}" for name, value in {**variables, "AWS_REGION": "us-east-1"}.items()]
    options = ("synthesize", "--id", "wide", "--days", "30", "--size", "200", "--data", f"s3://{BUCKET}/lab")
    cluster.ask("exec", "--", "env", *given, sys.executable, "-c", program, *options)
    inputs = {"source_dataset_id": "wide", "frequency": "6h", "method": "max", "start": "2000-01-01"}
    location = submit(bucket_api, {"inputs": inputs, "job": {"parallelism": 3}})
    shared = bucket_api.get(f"{location}/results").raise_for_status().json()
    alone_at = submit(bucket_api, {"inputs": {**inputs, "overwrite": True}})
    alone = bucket_api.get(f"{alone_at}/results").raise_for_status().json()
    assert alone["version"] != shared["version"]
    assert open_result(shared).equals(open_result(alone))
    assert objects.list("PersistentVolumeClaim", NAMESPACE) == []
