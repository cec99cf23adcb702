"""The REST API beside the API server that it writes to: submissions, reads of many jobs, memory and cold start.

    .venv/bin/python benchmarks/api.py                   # a control plane of its own, 50,000 jobs
    .venv/bin/python benchmarks/api.py --cluster demo    # a cluster that is up, as many jobs, in a namespace of its own
    .venv/bin/python benchmarks/api.py --cluster demo --keep    # the same, and leaves the stored jobs to the next run

The API runs as the process that it is in a pod. Submissions over REST and bare creations of the same ClimateJob take
turns against the same API server, sent by the same client, so their ratio says what the API costs. Reads go one after
another; those of eight clients at a time are shown beside them.
"""

import argparse
import asyncio
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import msgspec
import uvloop

from climatejobs import names
from climatejobs.crd import custom_resource_definition
from targets import Target, report
from traffic import Sample, Server, Unexpected, encode, join, measure, open_api_server, open_server

INPUTS = {
    "source_dataset_id": "era5-land-hourly",
    "frequency": "1D",
    "method": "mean",
    "start": "2025-02-01",
    "end": "2025-02-28",
}
EXECUTION = "/processes/resample/execution"
SUBMISSION = encode({"inputs": INPUTS})
ASYNC = {"Prefer": "respond-async", "Content-Type": "application/json"}
MERGE = {"Content-Type": "application/merge-patch+json"}
JSON = {"Content-Type": "application/json"}
ROUNDS = 6
STORED = "climatejobs-benchmark-stored"
"""Label of the jobs that are stored before anything is measured, and of a namespace where all of them are."""
MIB = 2**20

type Send = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    sample: Sample
    baseline: Sample | None = None

    def __str__(self) -> str:
        sample = self.sample
        ratio = f"{sample.rate / self.baseline.rate:7.2f}" if self.baseline else " " * 7
        quantiles = "  ".join(f"{sample.quantile(share):8.1f}" for share in (0.5, 0.95, 0.99))
        return f"{self.what:42}  {sample.rate:9.0f}  {quantiles}  {ratio}"


class Store:
    """ClimateJobs in a namespace, without the API."""

    def __init__(self, server: Server, namespace: str) -> None:
        self._server = server
        self.namespace = namespace
        self.path = f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.PLURAL}"
        self._own = f"/api/v1/namespaces/{namespace}"

    async def prepare(self) -> None:
        """Make the namespace where there is none, and the resource where it is not known."""
        crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        try:
            await self._server.call("GET", f"{crds}/{names.PLURAL}.{names.GROUP}")
        except Unexpected:
            await self._server.call("POST", crds, encode(custom_resource_definition()), JSON)
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        try:
            await self._server.call("GET", self._own)
        except Unexpected:
            await self._server.call("POST", "/api/v1/namespaces", encode(namespace), JSON)
        for _ in range(100):
            with suppress(Unexpected):
                await self._server.call("GET", self.path)
                return
            await asyncio.sleep(0.1)
        raise SystemExit("the API server does not serve ClimateJobs")

    async def remove(self) -> None:
        """Delete the namespace; the cluster takes its time for all the jobs in it."""
        await self._server.call("DELETE", self._own)

    async def clear(self) -> None:
        """Delete all jobs but those that `fill` has stored."""
        await self._server.call("DELETE", f"{self.path}?labelSelector=!{STORED}")

    async def is_filled(self) -> bool:
        """Whether `fill` has come to its end in this namespace before."""
        found = msgspec.json.decode(await self._server.call("GET", self._own), type=dict[str, Any])
        return STORED in found["metadata"].get("labels", {})

    async def read(self, name: str) -> dict[str, Any]:
        """A job as it is stored."""
        return msgspec.json.decode(await self._server.call("GET", f"{self.path}/{name}"), type=dict[str, Any])

    def creation(self, manifest: dict[str, Any], name: str) -> Send:
        """The request that creates a job like that one."""
        metadata = {**manifest["metadata"], "name": name}
        body = encode({**manifest, "metadata": metadata})
        # As the API asks for it: an unknown member is refused.
        path = f"{self.path}?fieldManager=benchmark&fieldValidation=Strict"
        return lambda: self._server.call("POST", path, body, JSON)

    async def fill(self, manifest: dict[str, Any], count: int) -> None:
        """Store so many jobs, nearly all of them ended, each at a time of its own."""

        def store(number: int) -> Send:
            day, second = divmod(number, 86400)
            stamp = f"2025-01-{1 + day:02}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.000000Z"
            annotations = {**manifest["metadata"]["annotations"], names.ANNOTATION_SUBMITTED_AT: stamp}
            labels = {**manifest["metadata"]["labels"], STORED: "true"}
            named = {**manifest, "metadata": {"labels": labels, "annotations": annotations}}
            name = f"stored-{number:06}"
            create = self.creation(named, name)
            status = encode({"status": _status(number)})

            async def both() -> None:
                await create()
                await self._server.call("PATCH", f"{self.path}/{name}/status", status, MERGE)

            return both

        await measure((store(number) for number in range(count)), 32)
        await self._server.call("PATCH", self._own, encode({"metadata": {"labels": {STORED: "true"}}}), MERGE)


def _status(number: int) -> dict[str, Any]:
    """What the operator has written of a job: one in twenty has failed, one in a thousand still runs."""
    common = {"observedGeneration": 1, "attempts": 1, "startedAt": "2025-01-01T00:00:05Z"}
    if number % 1000 == 0:
        return {**common, "phase": "Running", "message": "step 3 of 12", "progress": {"percent": 25, "done": 3}}
    finished = {**common, "finishedAt": f"2025-01-01T00:{number % 60:02}:30Z"}
    if number % 20 == 0:
        error = {"type": "urn:climatejobs:error:no-such-dataset", "title": "No such data set", "detail": "x" * 80}
        return {**finished, "phase": "Failed", "message": "there is no such data set", "error": error}
    dataset = {
        "id": "era5-land-hourly_1d_mean",
        "version": "0123456789abcdef",
        "store": "datasets/era5-land-hourly_1d_mean/versions/0123456789abcdef.zarr",
        "variables": ["t2m"],
        "coverage": {"start": "2025-02-01T00:00:00Z", "end": "2025-02-28T00:00:00Z"},
        "reused": False,
    }
    return {**finished, "phase": "Succeeded", "message": "done", "results": {"dataset": dataset}}


class Replica:
    """The API as a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], server: Server, seconds: float) -> None:
        self._process = process
        self.server = server
        self.seconds = seconds
        """From its start until it was ready."""

    def memory(self, field: str = "VmRSS") -> float:
        """Resident memory in MiB."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 1024
        raise LookupError(field)

    def cpu(self) -> float:
        """CPU seconds used so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def running(kubeconfig: Path, namespace: str, folder: Path) -> AsyncGenerator[Replica]:
    """A replica that is ready, for as long as the block lasts."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    environment = {
        **os.environ,
        "KUBECONFIG": str(kubeconfig),
        "CLIMATEJOBS_NAMESPACE": namespace,
        "CLIMATEJOBS_API_HOST": "127.0.0.1",
        "CLIMATEJOBS_API_PORT": str(port),
        "CLIMATEJOBS_API_DATA": str(folder),
        "CLIMATEJOBS_API_SUBMISSIONS_PER_MINUTE": "0",
    }
    begun = time.perf_counter()
    with (folder / "api.log").open("ab") as log:
        program = [sys.executable, "-c", "from climatejobs_api.main import main; main()"]
        process = subprocess.Popen(program, env=environment, stderr=log)  # noqa: ASYNC220  # nothing else runs yet
    server = open_server(f"http://127.0.0.1:{port}")
    try:
        while True:
            try:
                await server.call("GET", "/readyz")
                break
            except Exception as error:  # whatever keeps it from being ready
                if process.poll() is not None or time.perf_counter() - begun > 120:
                    raise SystemExit(f"the API does not become ready: {(folder / 'api.log').read_text()}") from error
                await asyncio.sleep(0.02)
        yield Replica(process, server, time.perf_counter() - begun)
    finally:
        await server.close()
        process.terminate()
        process.wait(10)


def submission(server: Server) -> Send:
    """The request that submits a job."""
    return lambda: server.call("POST", EXECUTION, SUBMISSION, ASYNC)


async def compare_submissions(
    replica: Replica, store: Store, manifest: dict[str, Any], concurrency: int, count: int
) -> tuple[Sample, Sample]:
    """Submissions over REST and bare creations, in turns."""
    over_rest: list[Sample] = []
    bare: list[Sample] = []
    for number in range(ROUNDS + 1):
        created = (store.creation(manifest, f"bare-{uuid4().hex[:12]}") for _ in range(count))
        turns = [
            (bare, created),
            (over_rest, (submission(replica.server) for _ in range(count))),
        ]
        for samples, requests in turns if number % 2 else turns[::-1]:
            sample = await measure(requests, concurrency)
            if number:  # the first round warms connections and caches
                samples.append(sample)
    return join(over_rest), join(bare)


def reads(server: Server, count: int, stored: int) -> dict[str, Iterator[Send]]:
    """Requests that read, by what they read."""
    chance = random.Random(1)  # noqa: S311  # the same choice in every run

    def get(path: str) -> Send:
        return lambda: server.call("GET", path)

    def some() -> str:
        return f"/jobs/stored-{chance.randrange(stored):06}"

    return {
        "GET /jobs/{jobId}": (get(some()) for _ in range(count)),
        "GET /jobs?limit=50": (get("/jobs?limit=50") for _ in range(count)),
        "GET /jobs?limit=50&status=running": (get("/jobs?limit=50&status=running") for _ in range(count)),
    }


async def run(kubeconfig: Path, jobs: int, count: int, *, keep: bool) -> int:
    """Measure everything against one API server; `keep` leaves the stored jobs to the next run."""
    api_server = open_api_server(kubeconfig)
    store = Store(api_server, f"benchmark-{jobs if keep else uuid4().hex[:8]}")
    nothing = Store(api_server, f"benchmark-empty-{uuid4().hex[:8]}")
    await store.prepare()
    await nothing.prepare()
    rows: list[Row] = []
    targets: list[Target] = []
    try:
        with TemporaryDirectory() as name:
            folder = Path(name)
            async with running(kubeconfig, nothing.namespace, folder) as replica:
                empty = replica.memory()
                submitted = await replica.server.call("POST", EXECUTION, SUBMISSION, ASYNC)
                answer = msgspec.json.decode(submitted, type=dict[str, Any])
                made = await nothing.read(answer["jobID"])
            manifest = {
                **{member: made[member] for member in ("apiVersion", "kind", "spec")},
                "metadata": {member: made["metadata"][member] for member in ("labels", "annotations")},
            }
            begun = time.perf_counter()
            if not await store.is_filled():
                await store.fill(manifest, jobs)
                print(f"stored {jobs} jobs in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
            async with running(kubeconfig, store.namespace, folder) as replica:
                targets += [
                    Target("sync_cold", replica.seconds, 15, "<=", "s"),
                    Target("cache_memory", replica.memory() - empty, 150, "<=", "MiB"),
                ]
                memory = [f"{empty:.0f} MiB empty", f"{replica.memory():.0f} with {jobs} jobs"]
                memory.append(f"{replica.memory('VmHWM'):.0f} at the most")
                for what, requests in reads(replica.server, count, jobs).items():
                    rows.append(Row(what, await measure(requests, 1)))
                for what, requests in reads(replica.server, count, jobs).items():
                    rows.append(Row(f"{what}, 8 at a time", await measure(requests, 8)))
                targets += [
                    Target("detail_p99", rows[0].sample.quantile(0.99), 25, "<=", "ms"),
                    Target("list_p99", rows[1].sample.quantile(0.99), 25, "<=", "ms"),
                ]
                for concurrency in (8, 32):
                    before = replica.cpu()
                    over_rest, bare = await compare_submissions(replica, store, manifest, concurrency, count)
                    spent = (replica.cpu() - before) / ((ROUNDS + 1) * count) * 1000
                    rows.append(Row(f"bare creation, {concurrency} at a time", bare))
                    what = f"POST execution, {concurrency} at a time ({spent:.2f} ms CPU)"
                    rows.append(Row(what, over_rest, bare))
                    targets.append(Target(f"submit_ratio_c{concurrency}", over_rest.rate / bare.rate, 0.4, ">="))
                    if concurrency == 8:
                        targets.append(Target("submit_p99_c8", over_rest.quantile(0.99), 100, "<=", "ms"))
        print(f"{'':42}  {'per s':>9}  {'p50 ms':>8}  {'p95 ms':>8}  {'p99 ms':>8}  {'ratio':>7}")
        for row in rows:
            print(row)
        print(f"memory: {', '.join(memory)}")
        return report(targets)
    finally:
        await (store.clear() if keep else store.remove())
        await nothing.remove()
        await api_server.close()


def cluster_tool(name: str, *arguments: str) -> str:
    """Run the cluster tool; what it prints."""
    command = [sys.executable, "-m", "climatejobs_cluster", "--name", name, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@contextmanager
def cluster_of(name: str | None) -> Generator[Path]:
    """The kubeconfig of the cluster of that name, or of a control plane for this run alone."""
    if name is not None:
        yield Path(cluster_tool(name, "kubeconfig"))
        return
    own = f"benchmark-{os.getpid()}"
    try:
        cluster_tool(own, "up", "--control-plane")
        yield Path(cluster_tool(own, "kubeconfig"))
    finally:
        cluster_tool(own, "down")


def main(arguments: Sequence[str]) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cluster", help="name of a cluster that is up (default: a control plane for this run)")
    parser.add_argument("--jobs", type=int, default=50_000, help="jobs that are stored while it is measured")
    parser.add_argument("--count", type=int, default=400, help="requests of each kind in a round")
    parser.add_argument("--keep", action="store_true", help="leave the stored jobs in the cluster for the next run")
    options = parser.parse_args(arguments)
    with cluster_of(options.cluster) as kubeconfig:
        return uvloop.run(run(kubeconfig, options.jobs, options.count, keep=options.keep))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
