"""How long an `echo` takes as a ClimateJob over REST, against a bare Kubernetes Job with the same pod, in turns.

    .venv/bin/python benchmarks/job_overhead.py --cluster demo --jobs 20

Uses the installation that is in the cluster, or makes one for the time of the run.
"""

import argparse
import copy
import socket
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, cast

import httpx
from kubernetes import client, config

from climatejobs.names import Environment
from climatejobs_demo.cluster import Cluster
from climatejobs_demo.installation import Installation, build_images
from targets import Target, report

type Manifest = dict[str, Any]

POLL_SECONDS = 0.02
PATIENCE_SECONDS = 120
INPUTS = {"message": "hello"}
TARGET_SECONDS = 1.3
TARGET_RATIO = 0.45


@dataclass(frozen=True)
class Timing:
    """Seconds from the request that made it to the answer to that request, and to the end that was asked for."""

    made: float
    ended: float


class BareJobs:
    """Jobs without an operator, straight at the API server."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        # The generated client is untyped; nothing of it leaves this class but plain manifests.
        api: Any = config.new_client_from_config(str(kubeconfig))  # pyright: ignore[reportUnknownMemberType]
        self._api = api
        self._jobs: Any = client.BatchV1Api(api)
        self._pods: Any = client.CoreV1Api(api)
        self._namespace = namespace

    def copy_of(self, name: str) -> Manifest:
        """The Job that the operator made for a ClimateJob, as anybody could have written it."""
        job = self._plain(self._jobs.read_namespaced_job(name, self._namespace))
        spec = cast(Manifest, job["spec"])
        template = cast(Manifest, spec["template"])
        container = template["spec"]["containers"][0]
        # Nobody listens to a bare Job. All else of the pod stays, the volume with the unused token included.
        reporting = {Environment.REPORT_URL, Environment.REPORT_TOKEN}
        container["env"] = [variable for variable in container["env"] if variable["name"] not in reporting]
        template["metadata"] = {}
        for member in ("selector", "manualSelector"):
            spec.pop(member, None)
        return {"apiVersion": "batch/v1", "kind": "Job", "spec": spec}

    def run(self, manifest: Manifest, name: str) -> Timing:
        """Create a Job and wait until it is Complete."""
        body = {**copy.deepcopy(manifest), "metadata": {"name": name}}
        begun = time.perf_counter()
        self._jobs.create_namespaced_job(self._namespace, body)
        made = time.perf_counter() - begun
        wait_until(lambda: self.complete(name), f"Job {name}")
        ended = time.perf_counter() - begun
        self._jobs.delete_namespaced_job(name, self._namespace, propagation_policy="Background")
        wait_until(lambda: not self._pods_of(f"job-name={name}"), f"the pods of {name}")
        return Timing(made, ended)

    def complete(self, name: str) -> bool:
        """Whether the Job controller says that it is done."""
        status = self._plain(self._jobs.read_namespaced_job(name, self._namespace))["status"]
        conditions = cast(list[Manifest], status.get("conditions") or [])
        if any(condition["type"] == "Failed" and condition["status"] == "True" for condition in conditions):
            raise RuntimeError(f"Job {name} failed: {conditions}")
        return any(condition["type"] == "Complete" and condition["status"] == "True" for condition in conditions)

    def _pods_of(self, selector: str) -> list[object]:
        return self._pods.list_namespaced_pod(self._namespace, label_selector=selector).items

    def _plain(self, found: object) -> Manifest:
        return cast(Manifest, self._api.sanitize_for_serialization(found))


class ClimateJobs:
    """The REST API, over one kept-alive connection."""

    def __init__(self, api: httpx.Client) -> None:
        self._api = api

    def run(self) -> tuple[Timing, str]:
        """Submit an `echo` and wait until it is successful; its id as well."""
        begun = time.perf_counter()
        answer = self._api.post(
            "/processes/echo/execution", json={"inputs": INPUTS}, headers={"Prefer": "respond-async"}
        )
        answer.raise_for_status()
        made = time.perf_counter() - begun
        job_id = str(answer.json()["jobID"])
        wait_until(lambda: self._successful(job_id), f"job {job_id}")
        return Timing(made, time.perf_counter() - begun), job_id

    def remove(self, job_id: str) -> None:
        """Remove the record, and with it Job and pod."""
        self._api.delete(f"/jobs/{job_id}")

    def _successful(self, job_id: str) -> bool:
        job = self._api.get(f"/jobs/{job_id}").json()
        if job["status"] in ("failed", "dismissed"):
            raise RuntimeError(f"job {job_id} ended as {job}")
        return job["status"] == "successful"


def wait_until(look: Callable[[], bool], what: str) -> None:
    """Look every few milliseconds, for both kinds alike."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not look():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} has not come to its end within {PATIENCE_SECONDS} s")
        time.sleep(POLL_SECONDS)


@contextmanager
def installed(cluster: Cluster, namespace: str) -> Generator[Installation]:
    """The release that is there, or one for the time of the run."""
    installation = Installation(cluster, namespace)
    present = "climatejobs" in cluster.helm("list", "--namespace", namespace, "--short").split()
    if not present:
        images = build_images()
        cluster.ask("load", *images.archives)
        installation.install(images, ["--set", "crds.keep=false,data.keep=false"])
    try:
        yield installation
    finally:
        if not present:
            cluster.helm("uninstall", installation.release, "--namespace", namespace, "--wait")


@contextmanager
def connected(installation: Installation) -> Generator[httpx.Client]:
    """A client of the REST API."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    try:
        with httpx.Client(base_url=installation.forward(port), timeout=60) as api:
            wait_until(lambda: _answers(api), "the API")
            yield api
    finally:
        installation.cluster.ask("forward", "--stop", "--port", str(port))


def _answers(api: httpx.Client) -> bool:
    try:
        return api.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def measure(jobs: int, climate_jobs: ClimateJobs, bare_jobs: BareJobs) -> tuple[list[Timing], list[Timing]]:
    """One of each in turns, never two at a time; the first pair warms caches up and does not count."""
    ours: list[Timing] = []
    theirs: list[Timing] = []
    manifest: Manifest | None = None
    for number in range(jobs + 1):
        timing, job_id = climate_jobs.run()
        wait_until(lambda job_id=job_id: bare_jobs.complete(job_id), f"the Job of {job_id}")
        manifest = manifest or bare_jobs.copy_of(job_id)
        climate_jobs.remove(job_id)
        bare = bare_jobs.run(manifest, f"bare-{int(time.time())}-{number}")
        if number:
            ours.append(timing)
            theirs.append(bare)
            print(f"{number:3} of {jobs}: ClimateJob {timing.ended:5.2f} s, bare Job {bare.ended:5.2f} s", flush=True)
    return ours, theirs


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cluster", default="demo", help="name of a cluster of the cluster tool")
    parser.add_argument("--namespace", default="climatejobs", help="where the release is, or is to be")
    parser.add_argument("--jobs", type=int, default=20, help="of each kind")
    options = parser.parse_args()
    cluster = Cluster(options.cluster)
    with installed(cluster, options.namespace) as installation, connected(installation) as api:
        bare_jobs = BareJobs(Path(cluster.ask("kubeconfig")), options.namespace)
        ours, theirs = measure(options.jobs, ClimateJobs(api), bare_jobs)
    rows = {"ClimateJob: POST to successful": ours, "bare Job: creation to Complete": theirs}
    print(f"\n{'seconds':32} {'made':>7} {'median':>7} {'fastest':>8} {'slowest':>8}")
    for label, timings in rows.items():
        ends = [timing.ended for timing in timings]
        made = median(timing.made for timing in timings)
        print(f"{label:32} {made:7.3f} {median(ends):7.3f} {min(ends):8.3f} {max(ends):8.3f}")
    echo, bare = (median(timing.ended for timing in timings) for timings in (ours, theirs))
    return report(
        [
            Target("echo_seconds", echo, TARGET_SECONDS, "<=", "s"),
            Target("echo_to_bare_job_ratio", echo / bare, TARGET_RATIO, "<="),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
