"""The operator with 10,000 ClimateJobs waiting: how fast it reacts, starts Jobs and restarts, and what it costs.

A real API server and etcd, no real nodes; the script is Job controller, scheduler and kubelet (`job_controller.py`).

Three loads, one after the other, each of them with all slots taken when it begins:

- The floor: before there is an operator, the script makes the Jobs itself, and pods end at once. This is what the
  machine can do at all.
- Throughput: the operator makes them, and pods end at once.
- Reactions: pods run for so long that the slots turn over at half of that throughput, one after the other, while
  somebody else submits a job every quarter of a second. At full load these would stand in a line, and how long the line
  is says how small the machine is, not how fast the operator reacts. Their Jobs come on top of the half.

    python benchmarks/control_plane.py [--waiting 10000] [--seconds 20] [--profile FILE]
"""

import argparse
import asyncio
import contextlib
import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import cast

import uvloop

from api_server import ApiServer, Object
from climatejobs import names
from climatejobs.crd import custom_resource_definition
from climatejobs.model import ClimateJob
from climatejobs_cluster.api import Access, member
from climatejobs_operator.actions import CreateJob
from climatejobs_operator.job_manifest import build_job
from climatejobs_operator.login import Credentials
from climatejobs_operator.settings import Settings
from job_controller import JobController
from operator_process import OperatorProcess, busy_seconds, make_environment
from targets import Target, report

TOOL = (sys.executable, "-m", "climatejobs_cluster", "--name", "bench-control-plane")
NAMESPACE = "default"
MANY = "many"
SLOTS = 40
"""Slots of the one who has submitted the thousands; another's job always finds one."""
BARE = "bare"
"""The ClimateJob that owns the Jobs of the floor, so that they go when it does."""
PROBE = "probe"
PROBE_SECONDS = 0.25
"""Between two jobs of somebody else."""
LOAD_SHARE = 0.5
"""How much of the throughput the slots take up while reactions are measured."""


def main() -> int:
    """Bring a control plane up, measure, report."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--waiting", type=int, default=10_000, help="ClimateJobs that wait")
    options.add_argument(
        "--seconds", type=float, default=20, help="how long floor and throughput are measured; reactions twice as long"
    )
    options.add_argument("--profile", type=Path, help="write what the first operator spends its time on (for pstats)")
    options.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args()
    if not given.inside:
        with control_plane():
            # Where a pod would be: from outside, every byte is passed on by a program that takes its share of the CPU.
            inside = [*TOOL, "exec", "--", sys.executable, __file__, "--inside", *sys.argv[1:]]
            return subprocess.run(inside, check=False).returncode
    with tempfile.TemporaryDirectory() as folder:
        return uvloop.run(measure(Path(folder), given.waiting, given.seconds, given.profile))


@contextlib.contextmanager
def control_plane() -> Generator[None]:
    """A control plane with our custom resource."""
    try:
        subprocess.run([*TOOL, "up", "--control-plane", "--no-job-controller"], check=True)
        found = subprocess.run([*TOOL, "kubeconfig"], check=True, capture_output=True, text=True)
        access = Access.of(Path(found.stdout.strip()))
        definition = custom_resource_definition()
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{names.PLURAL}.{names.GROUP}"
        access.apply(path, dict(definition))
        while not _is_established(access.get(path)):
            time.sleep(0.1)
        yield
    finally:
        subprocess.run([*TOOL, "down"], check=True)


def _is_established(definition: object) -> bool:
    conditions = cast(list[object], member(definition, "status", "conditions") or [])
    return any(member(c, "type") == "Established" and member(c, "status") == "True" for c in conditions)


class Load:
    """The ClimateJobs of the run, and how long their pods compute."""

    def __init__(self, server: ApiServer) -> None:
        """Pods are held until they are let go."""
        self._server = server
        self._path = server.path(names.API_VERSION, names.PLURAL)
        self._held = asyncio.Event()
        self._full = asyncio.Event()
        self._waiting = 0
        self._submitted = 0
        self._run_seconds = 0.0
        self.controller = JobController(server, self._compute)

    def hold(self) -> None:
        """From now on, the pods that hold slots run until they are let go."""
        self._held.clear()
        self._full.clear()
        self._waiting = 0

    def let_go(self, run_seconds: float) -> None:
        """From now on, the pods that hold slots run so long; those that were held end one by one within that time."""
        self._run_seconds = run_seconds
        self._held.set()

    async def fill(self) -> None:
        """Wait until all slots are taken by pods that are held."""
        await asyncio.wait_for(self._full.wait(), timeout=120)

    @property
    def left(self) -> int:
        """ClimateJobs that have no Job yet."""
        return self._submitted - len(self.controller.seen_at)

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
        """Submit jobs for somebody else, however long one takes; seconds from each ClimateJob to its Job."""
        submitted: dict[str, float] = {}
        began = time.monotonic()
        async with asyncio.TaskGroup() as submissions:
            for number in range(round(seconds / PROBE_SECONDS)):
                await asyncio.sleep(began + number * PROBE_SECONDS - time.monotonic())
                name = f"{PROBE}-{number}"
                submitted[name] = time.monotonic()
                submissions.create_task(self._submit(name, "somebody-else"))
        await self.controller.wait_until(lambda: submitted.keys() <= self.controller.seen_at.keys())
        return [self.controller.seen_at[name] - moment for name, moment in submitted.items()]

    @contextlib.asynccontextmanager
    async def make_jobs(self) -> AsyncGenerator[None]:
        """Have slots taken by Jobs that no operator has made; afterwards all of them are gone."""
        owner = ClimateJob.from_manifest(await self._submit(BARE, BARE))
        settings = Settings.from_environment(make_environment(NAMESPACE))
        create = CreateJob(attempts_before=0, deadline_seconds=owner.spec.timeout_seconds)
        jobs = self._server.path("batch/v1", "jobs")
        numbers = itertools.count()
        ends = asyncio.Event()

        async def take_slot() -> None:
            while not ends.is_set():
                name = f"{BARE}-{next(numbers)}"
                job: Object = build_job(owner, create, settings)
                job["metadata"]["name"] = name
                await self._server.post(jobs, job)
                await self.controller.wait_until(partial(self.controller.pod_ended.__contains__, name))

        async with asyncio.TaskGroup() as slots:
            for _ in range(SLOTS):
                slots.create_task(take_slot())
            yield
            ends.set()
        await self.controller.wait_until(lambda: not self.controller.running)
        await self._server.remove(f"{self._path}/{BARE}")
        for path in (jobs, self._server.path("v1", "pods")):
            await self._server.wait_until_empty(path)
        self._submitted -= 1
        self.controller.seen_at.clear()

    def count_since(self, moment: float) -> int:
        """Jobs that were made since then."""
        return sum(seen_at >= moment for seen_at in self.controller.seen_at.values())

    async def _compute(self, name: str) -> None:
        if name.startswith(PROBE):
            return
        share = 1.0
        if not self._held.is_set():
            # Let go all at once, they would end all at once for ever: slots become free one after the other.
            self._waiting += 1
            share = self._waiting / SLOTS
            if self._waiting == SLOTS:
                self._full.set()
            await self._held.wait()
        await asyncio.sleep(share * self._run_seconds)

    async def _submit(self, name: str, submitter: str) -> Object:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        inputs = {"source_dataset_id": "era5-land-hourly", "frequency": "1D", "method": "mean", "start": "2025-01-01"}
        metadata: Object = {"name": name, "annotations": {names.ANNOTATION_SUBMITTED_AT: now}}
        metadata["labels"] = {names.LABEL_PROCESS: "resample"}
        spec: Object = {"process": "resample", "inputs": inputs, "submittedBy": submitter}
        self._submitted += 1
        return await self._server.post(
            self._path, {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "spec": spec}
        )


@dataclass(frozen=True)
class Rates:
    """What happened under one load: Jobs a second, and cores in use."""

    jobs: float
    operator: float
    script: float
    rest: float
    """The API server and etcd; and whatever else the machine does."""


class Measurement:
    """Rates of a stretch of time."""

    def __init__(self, load: Load, operator: OperatorProcess | None = None) -> None:
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
        operator = 0.0 if self._operator is None else self._operator.cpu_seconds
        return busy_seconds(), operator, time.process_time()


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
    """No operator, one under two loads, and another that takes over from it."""

    def start(log: str, profile: Path | None = None) -> OperatorProcess:
        limits = {"max_running": 0, "max_running_per_submitter": SLOTS}
        return OperatorProcess(NAMESPACE, folder / log, profile, **limits)

    with contextlib.ExitStack() as stack:
        await load.submit_many(waiting + SLOTS)
        # Now, not at the end: the store holds what it holds later on, nothing else watches it, and what an operator
        # finds when it takes over from a killed one stays what the killed one has left.
        async with load.make_jobs():
            await load.fill()
            load.let_go(0)
            measurement = Measurement(load)
            await asyncio.sleep(seconds)
            bare = measurement.end()
        print("measured what goes without an operator", flush=True)

        load.hold()
        operator = start("first.log", profile)
        stack.callback(operator.stop)
        first_seconds = await operator.wait_until_steady(600)
        first_peak = operator.peak_mebibytes
        print(f"told all of them their place in {first_seconds:.1f} s", flush=True)

        await load.fill()
        load.let_go(0)
        measurement = Measurement(load, operator)
        await asyncio.sleep(seconds)
        full = measurement.end()
        print("measured throughput", flush=True)

        load.hold()
        await load.fill()
        await operator.wait_until_steady(60)
        load.let_go(SLOTS / (LOAD_SHARE * full.jobs))
        measurement = Measurement(load, operator)
        reactions = await load.probe(2 * seconds)
        turning = measurement.end()
        peak = operator.peak_mebibytes
        print("measured reactions", flush=True)

        operator.stop() if profile else operator.kill()
        left = load.left
        await load.controller.wait_until(lambda: not load.controller.running)  # all end, and nobody looks
        load.hold()
        operator = start("second.log")
        stack.callback(operator.stop)
        restart_seconds = await operator.wait_until_steady(300)
        await load.fill()
        assert load.controller.running == SLOTS, "a restarted operator gives all free slots away, and no more"
        return Figures(
            waiting=waiting,
            bare=bare,
            full=full,
            turning=turning,
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
    bare: Rates
    """While the script makes the Jobs and there is no operator."""
    full: Rates
    """While pods end at once."""
    turning: Rates
    """While the slots turn over at a part of that."""
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
            return f"{name:80}" + "".join(f"{value:20.{digits}f}" for value in values)

        def costs(name: str, full: float, turning: float) -> str:
            each = f"{1000 * full / self.full.jobs:.1f} and {1000 * turning / self.turning.jobs:.1f} ms a Job"
            return row(f"CPU of {name} (cores; {each})", full, turning, digits=2)

        rows = [
            "",
            f"{'':80}{'as fast as it goes':>20}{f'slots at {LOAD_SHARE:.0%} of it':>20}",
            row(
                f"Jobs started per second ({1 / PROBE_SECONDS:.0f} of the latter another's)",
                self.full.jobs,
                self.turning.jobs,
            ),
            costs("the operator", self.full.operator, self.turning.operator),
            costs("API server and etcd", self.full.rest, self.turning.rest),
            costs("this script", self.full.script, self.turning.script),
            "",
            row("the same Jobs, made by the script without the operator: Jobs per second", self.bare.jobs),
            row("   the operator's Jobs per second in relation to these", self.full.jobs / self.bare.jobs, digits=2),
            row("   CPU of API server and etcd (ms a Job)", 1000 * self.bare.rest / self.bare.jobs),
            "",
            row(
                f"from ClimateJob to Job at {LOAD_SHARE:.0%}, {len(self.reactions)} times: p50 (s)",
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
