"""The operator with 10,000 ClimateJobs waiting: how fast it reacts, starts Jobs and restarts, and what it costs.

A real API server and etcd, no nodes; the script is Job controller, scheduler and kubelet (`job_controller.py`).

    python benchmarks/control_plane.py [--waiting 10000] [--seconds 20] [--profile FILE]
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from api_server import ApiServer, Object
from climatejobs import names
from climatejobs.crd import custom_resource_definition
from climatejobs_cluster.api import Access, member
from climatejobs_operator.login import Credentials
from job_controller import JobController
from operator_process import OperatorProcess, busy_seconds
from targets import Target, report

CLUSTER = "bench-control-plane"
NAMESPACE = "default"
MANY = "many"
SLOTS = 40
"""Slots of the one who has submitted the thousands; another's job always finds one."""
PROBE_PAUSE = 0.1
RUN_SECONDS = 4.0
"""How long a pod runs while reactions are measured: ten slots become free a second, or as many as can be used."""


def main() -> int:
    """Bring a control plane up, measure, report."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--waiting", type=int, default=10_000, help="ClimateJobs that wait")
    options.add_argument("--seconds", type=float, default=20, help="how long each of the two loads lasts")
    options.add_argument("--profile", type=Path, help="write what the first operator spends its time on (for pstats)")
    given = options.parse_args()
    with control_plane() as kubeconfig, tempfile.TemporaryDirectory() as folder:
        os.environ["KUBECONFIG"] = str(kubeconfig)
        return asyncio.run(measure(Path(folder), given.waiting, given.seconds, given.profile))


@contextlib.contextmanager
def control_plane() -> Generator[Path]:
    """A control plane with our custom resource; its kubeconfig."""
    tool = [sys.executable, "-m", "climatejobs_cluster", "--name", CLUSTER]
    try:
        subprocess.run([*tool, "up", "--control-plane", "--no-job-controller"], check=True)
        found = subprocess.run([*tool, "kubeconfig"], check=True, capture_output=True, text=True)
        kubeconfig = Path(found.stdout.strip())
        access = Access.of(kubeconfig)
        definition = custom_resource_definition()
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{names.PLURAL}.{names.GROUP}"
        access.apply(path, dict(definition))
        while not _is_established(access.get(path)):
            time.sleep(0.1)
        yield kubeconfig
    finally:
        subprocess.run([*tool, "down"], check=True)


def _is_established(definition: object) -> bool:
    conditions = cast(list[object], member(definition, "status", "conditions") or [])
    return any(member(c, "type") == "Established" and member(c, "status") == "True" for c in conditions)


class Load:
    """The ClimateJobs of the run, and how long their pods compute."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._path = server.path(names.API_VERSION, names.PLURAL)
        self._held = asyncio.Event()
        self._waiting = 0
        self._run_seconds = 0.0
        self.controller = JobController(server, self._compute)

    def hold(self) -> None:
        """From now on, the pods of the many run until they are let go."""
        self._held.clear()
        self._waiting = 0

    def let_go(self, run_seconds: float) -> None:
        """From now on, the pods of the many run so long; those that were held end one by one within that time."""
        self._run_seconds = run_seconds
        self._held.set()

    async def submit_many(self, count: int) -> None:
        """Create all those that are going to wait."""
        began = time.monotonic()
        numbers = iter(range(count))

        async def work() -> None:
            for number in numbers:
                await self._submit(f"{MANY}-{number}", MANY)

        await asyncio.gather(*(work() for _ in range(16)))
        print(f"{count} ClimateJobs created in {time.monotonic() - began:.1f} s", flush=True)

    async def probe(self, seconds: float) -> list[float]:
        """Submit one job after another for somebody else; seconds from each ClimateJob to its Job."""
        submitted: dict[str, float] = {}
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            name = f"probe-{len(submitted)}"
            submitted[name] = time.monotonic()
            await self._submit(name, "somebody-else")
            await asyncio.sleep(PROBE_PAUSE)
        await self.controller.wait_until(lambda: submitted.keys() <= self.controller.seen_at.keys())
        return [self.controller.seen_at[name] - moment for name, moment in submitted.items()]

    def count_since(self, moment: float) -> int:
        """Jobs that were made since then."""
        return sum(seen_at >= moment for seen_at in self.controller.seen_at.values())

    async def _compute(self, name: str) -> None:
        if not name.startswith(MANY):
            return
        share = 1.0
        if not self._held.is_set():
            # Let go all at once, they would end all at once for ever: slots become free one after the other.
            self._waiting += 1
            share = self._waiting / SLOTS
            await self._held.wait()
        await asyncio.sleep(share * self._run_seconds)

    async def _submit(self, name: str, submitter: str) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        inputs = {"source_dataset_id": "era5-land-hourly", "frequency": "1D", "method": "mean", "start": "2025-01-01"}
        metadata: Object = {"name": name, "annotations": {names.ANNOTATION_SUBMITTED_AT: now}}
        metadata["labels"] = {names.LABEL_PROCESS: "resample"}
        spec: Object = {"process": "resample", "inputs": inputs, "submittedBy": submitter}
        await self._server.post(
            self._path, {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "spec": spec}
        )


@dataclass(frozen=True)
class Rates:
    """What happened under one load: Jobs a second, and cores in use."""

    jobs: float
    operator: float
    script: float
    rest: float
    """The API server, etcd and the way there; and whatever else the machine does."""


class Measurement:
    """Rates of a stretch of time."""

    def __init__(self, operator: OperatorProcess, load: Load) -> None:
        self._operator = operator
        self._load = load
        self._spent = self._read()
        self._began = time.monotonic()

    def end(self) -> Rates:
        """The rates since the beginning."""
        seconds = time.monotonic() - self._began
        jobs = self._load.count_since(self._began) / seconds
        all_, operator, script = ((now - then) / seconds for now, then in zip(self._read(), self._spent, strict=True))
        return Rates(jobs, operator, script, all_ - operator - script)

    def _read(self) -> tuple[float, float, float]:
        """CPU seconds so far: of the machine, the operator and this process."""
        return busy_seconds(), self._operator.cpu_seconds, time.process_time()


async def measure(folder: Path, waiting: int, seconds: float, profile: Path | None) -> int:
    """All of it, on one control plane; the exit status."""
    server = ApiServer(Credentials.find(), NAMESPACE)
    load = Load(server)
    async with contextlib.aclosing(server), asyncio.TaskGroup() as parts:
        follow = parts.create_task(load.controller.run())
        figures = await run(folder, load, waiting, seconds, profile)
        follow.cancel()
    print(figures)
    return report(figures.targets())


async def run(folder: Path, load: Load, waiting: int, seconds: float, profile: Path | None) -> "Figures":
    """One operator under two loads, and another that takes over from it."""

    def start(log: str, profile: Path | None = None) -> OperatorProcess:
        limits = {"max_running": 0, "max_running_per_submitter": SLOTS}
        return OperatorProcess(NAMESPACE, folder / log, profile, **limits)

    with contextlib.ExitStack() as stack:
        await load.submit_many(waiting + SLOTS)

        operator = start("first.log", profile)
        stack.callback(operator.stop)
        first_seconds = await operator.wait_until_steady(600)
        first_peak = operator.peak_mebibytes
        print(f"told all of them their place in {first_seconds:.1f} s", flush=True)

        load.let_go(RUN_SECONDS)
        measurement = Measurement(operator, load)
        reactions = await load.probe(seconds)
        turning = measurement.end()
        print("measured reactions", flush=True)

        load.let_go(0)
        measurement = Measurement(operator, load)
        await asyncio.sleep(seconds)
        full = measurement.end()
        peak = operator.peak_mebibytes
        print("measured throughput", flush=True)

        operator.stop() if profile else operator.kill()
        left = waiting + SLOTS + len(reactions) - len(load.controller.seen_at)
        await load.controller.wait_until(lambda: not load.controller.running)  # all end, and nobody looks
        load.hold()
        operator = start("second.log")
        stack.callback(operator.stop)
        restart_seconds = await operator.wait_until_steady(300)
        assert load.controller.running == SLOTS, "a restarted operator gives all free slots away, and no more"
        return Figures(
            waiting=waiting,
            turning=turning,
            full=full,
            reactions=reactions,
            first_seconds=first_seconds,
            first_peak=first_peak,
            peak=peak,
            left=left,
            restart_seconds=restart_seconds,
            restart_peak=operator.peak_mebibytes,
        )


@dataclass(frozen=True)
class Figures:
    """All that was measured; seconds, and MiB for peaks."""

    waiting: int
    turning: Rates
    """While a pod runs for some seconds."""
    full: Rates
    """While pods end at once."""
    reactions: Sequence[float]
    first_seconds: float
    first_peak: float
    peak: float
    left: int
    """ClimateJobs that were waiting when the operator was started again."""
    restart_seconds: float
    restart_peak: float

    def targets(self) -> list[Target]:
        """The figures that there is a target for."""
        return [
            Target("reaction_p99", self._p99, 1.0, "<=", "s"),
            Target("jobs_per_second", self.full.jobs, 30, ">=", "Jobs/s"),
            Target("peak_memory", max(self.first_peak, self.peak, self.restart_peak), 200, "<=", "MiB"),
            Target("restart", self.restart_seconds, 15, "<=", "s"),
        ]

    @property
    def _p99(self) -> float:
        return statistics.quantiles(self.reactions, n=100)[98]

    def __str__(self) -> str:
        def row(name: str, *values: float, digits: int = 1) -> str:
            return f"{name:60}" + "".join(f"{value:20.{digits}f}" for value in values)

        def costs(name: str, turning: float, full: float) -> str:
            each = f"{1000 * turning / self.turning.jobs:.1f} and {1000 * full / self.full.jobs:.1f} ms a Job"
            return row(f"CPU of {name} (cores; {each})", turning, full, digits=2)

        rows = [
            "",
            f"{'':60}{'slots turn over':>20}{'as fast as it goes':>20}",
            row("Jobs started per second", self.turning.jobs, self.full.jobs),
            costs("the operator", self.turning.operator, self.full.operator),
            costs("API server and etcd", self.turning.rest, self.full.rest),
            costs("this script", self.turning.script, self.full.script),
            row(
                f"from ClimateJob to Job, {len(self.reactions)} times: p50 (s)",
                statistics.median(self.reactions),
                digits=3,
            ),
            row("   p99 (s)", self._p99, digits=3),
            row("peak memory of the operator under both loads (MiB)", self.peak),
            "",
            row(f"first look at {self.waiting}, with a status each (s)", self.first_seconds),
            row("   peak memory (MiB)", self.first_peak),
            row(f"killed, then leading with {self.left} waiting: steady in (s)", self.restart_seconds),
            row("   peak memory (MiB)", self.restart_peak),
        ]
        return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
