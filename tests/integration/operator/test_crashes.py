"""Wherever the operator dies, before a call or right after it, the job comes to the same end as if it had not.

A real API server and the real Job controller; the test is the kubelet. Every ClimateJob has an operator of its own
that dies at another of its calls, so that all of a scenario's deaths happen side by side.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from climatejobs.errors import NoData
from climatejobs.names import ExitCode
from climatejobs.results import ResultDocument, describe_error
from climatejobs_operator.login import Credentials
from tests.cluster_objects import ClimateJobs, Manifest
from tests.integration.conftest import ControlPlane
from tests.integration.operator.crashes import Fate, Life, World
from tests.integration.operator.kubelet import ECHO_OUTPUTS, Kubelet, share_message, success_message

pytestmark = pytest.mark.integration

HELD_SECONDS = 3
"""Of a suspension and the wait for a slot: more than can be lost in rounding."""
AHEAD = timedelta(minutes=2)
"""By which a pod's end is put off, so that no other follows before all is over."""


@dataclass
class Node:
    """The kubelet and whoever changes the ClimateJob, without blocking the operators that share this process."""

    kubelet: Kubelet
    climate_jobs: ClimateJobs

    async def do(self, act: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        await asyncio.to_thread(act, *arguments, **named)


async def begin(life: Life, node: Node, number: int = 1) -> Manifest:
    """The number-th pod, once the job is said to run in it."""
    pod = await life.pod(number)
    await node.do(node.kubelet.run, pod)
    await life.phase("Running")
    return pod


async def succeed(life: Life, node: Node) -> None:
    pod = await begin(life, node)
    await node.do(node.kubelet.finish, pod, ExitCode.DONE, success_message())


async def succeed_in_a_moment(life: Life, node: Node) -> None:
    pod = await life.pod()
    await node.do(node.kubelet.finish, pod, ExitCode.DONE, success_message())


async def fail_once(life: Life, node: Node) -> None:
    first = await begin(life, node)
    await node.do(node.kubelet.finish, first, 1, "it went wrong")
    await life.phase("Retrying")
    second = await begin(life, node, 2)
    await node.do(node.kubelet.finish, second, ExitCode.DONE, success_message())


async def fail_for_good(life: Life, node: Node) -> None:
    pod = await begin(life, node)
    error = describe_error(NoData("nothing was measured", hint="Choose another place."))
    await node.do(node.kubelet.finish, pod, ExitCode.PERMANENT, ResultDocument(error=error).to_json())


async def be_cancelled(life: Life, node: Node) -> None:
    pod = await life.pod()
    await node.do(node.kubelet.accept, pod)
    await node.do(node.kubelet.run, pod)
    await life.phase("Running")
    await node.do(node.climate_jobs.patch_spec, life.name, cancel=True)
    await node.do(node.kubelet.stop, pod)


async def be_cancelled_between_attempts(life: Life, node: Node) -> None:
    pod = await begin(life, node)
    await node.do(node.kubelet.finish, pod, 1, "it went wrong", ahead=AHEAD)
    await life.phase("Retrying")
    await node.do(node.climate_jobs.patch_spec, life.name, cancel=True)


async def use_up_attempts(life: Life, node: Node) -> None:
    for number in (1, 2):
        pod = await begin(life, node, number)
        await node.do(node.kubelet.finish, pod, number, "it went wrong")


async def report_success(life: Life, node: Node) -> None:
    pod = await begin(life, node)
    await life.report(pod, ECHO_OUTPUTS)
    await life.phase("Succeeded")
    await node.do(node.kubelet.finish, pod, ExitCode.DONE, success_message())


async def report_success_and_be_killed(life: Life, node: Node) -> None:
    """The Job controller would have it done again."""
    pod = await begin(life, node)
    await life.report(pod, ECHO_OUTPUTS)
    await life.phase("Succeeded")
    await node.do(node.kubelet.finish, pod, 137, "", ahead=AHEAD)
    await life.job_gone()


async def be_suspended(life: Life, node: Node) -> None:
    pod = await life.pod()
    await node.do(node.kubelet.accept, pod)
    await node.do(node.kubelet.run, pod)
    await life.phase("Running")
    await be_held(life, node, pod)
    second = await begin(life, node, 2)
    await node.do(node.kubelet.finish, second, ExitCode.DONE, success_message())
    assert (await life.phase("Succeeded"))["heldSeconds"] >= HELD_SECONDS, f"died {life.fate}"


async def be_suspended_with_shares(life: Life, node: Node) -> None:
    """One share has failed once, so the Job is replaced instead of resumed."""
    first, failing = await life.pod(), await life.pod(share=1)
    await node.do(node.kubelet.accept, first)
    await node.do(node.kubelet.run, first)
    await life.phase("Running")
    await node.do(node.kubelet.finish, failing, 1, "it went wrong", ahead=AHEAD)
    await life.status(lambda status: status.get("attempts") == 2, "be at its second attempt")
    await be_held(life, node, first)
    again = [await life.pod(2, share) for share in range(2)]
    for pod in again:
        await node.do(node.kubelet.run, pod)
    await life.phase("Running")
    await node.do(node.kubelet.finish, again[0], ExitCode.DONE, share_message(0, of=2))
    await node.do(node.kubelet.finish, again[1], ExitCode.DONE, success_message())
    assert (await life.phase("Succeeded"))["heldSeconds"] >= HELD_SECONDS, f"died {life.fate}"


async def be_held(life: Life, node: Node, pod: Manifest) -> None:
    """A suspension, and a wait for a slot after it."""
    life.world.crowded.add(life.name)
    await node.do(node.climate_jobs.patch_spec, life.name, suspend=True)
    await node.do(node.kubelet.stop, pod)
    await life.phase("Suspended")
    await node.do(node.climate_jobs.patch_spec, life.name, suspend=False)
    await life.stand_in_line(HELD_SECONDS)


@dataclass(frozen=True)
class Scenario:
    """What happens to a job, and where that must end."""

    happen: Callable[[Life, Node], Awaitable[None]]
    phase: str
    parallelism: int = 1
    max_attempts: int = 3
    attempts: int = 1
    pods: int = 1
    results: object = None
    error: str | None = None
    kept: bool = True
    """Whether the Job is still there at the end."""
    slow: bool = False
    """Whether writes take so long that what can wait has to."""
    calls: int = 6
    """At least: a Job, three statuses and their events."""


SCENARIOS = {
    "success": Scenario(succeed, "Succeeded", results=ECHO_OUTPUTS),
    "slow writes": Scenario(succeed, "Succeeded", results=ECHO_OUTPUTS, slow=True, calls=5),
    "slow writes for a moment": Scenario(succeed_in_a_moment, "Succeeded", results=ECHO_OUTPUTS, slow=True, calls=3),
    "retry": Scenario(fail_once, "Succeeded", attempts=2, pods=2, results=ECHO_OUTPUTS),
    "attempts used up": Scenario(
        use_up_attempts,
        "Failed",
        max_attempts=2,
        attempts=2,
        pods=2,
        error="the runner ended unexpectedly with exit status 2",
    ),
    "permanent": Scenario(fail_for_good, "Failed", error="nothing was measured"),
    "cancel": Scenario(be_cancelled, "Cancelled", kept=False),
    "cancel between attempts": Scenario(
        be_cancelled_between_attempts,
        "Cancelled",
        attempts=2,
        error="the runner ended unexpectedly with exit status 1",
        kept=False,
    ),
    "report": Scenario(report_success, "Succeeded", results=ECHO_OUTPUTS),
    "report and kill": Scenario(report_success_and_be_killed, "Succeeded", results=ECHO_OUTPUTS, kept=False),
    "suspend": Scenario(be_suspended, "Succeeded", pods=2, results=ECHO_OUTPUTS),
    "suspend shares": Scenario(
        be_suspended_with_shares, "Succeeded", parallelism=2, attempts=2, pods=4, results=ECHO_OUTPUTS
    ),
}


@pytest.fixture
async def world(control_plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    credentials = Credentials.find()
    async with credentials.open_session() as session:
        world = World(session, credentials.server, namespace)
        following = asyncio.create_task(world.follow())
        yield world
        assert not following.done(), following.exception()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def live(world: World, node: Node, name: str, scenario: Scenario, fate: Fate | None) -> Life:
    """A whole life, and what is true at its end whatever happened."""
    life = Life(world, name, fate, scenario.slow)
    spec = {"parallelism": scenario.parallelism, "maxAttempts": scenario.max_attempts}
    await node.do(node.climate_jobs.create, name, **spec)
    serving = asyncio.create_task(life.serve())
    try:
        await scenario.happen(life, node)
        status = await life.phase(scenario.phase)
        await life.rest()
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    assert (status["attempts"], status.get("results")) == (scenario.attempts, scenario.results), f"died {fate}"
    assert status.get("error", {}).get("detail") == scenario.error, f"died {fate}"
    assert len(world.pods[name]) == scenario.pods, f"died {fate}"
    return life


@pytest.mark.parametrize("name", SCENARIOS)
async def test_an_operator_that_dies_at_any_call_changes_nothing(
    name: str, world: World, control_plane: ControlPlane, climate_jobs: ClimateJobs, kubelet: Kubelet
) -> None:
    scenario, node = SCENARIOS[name], Node(kubelet, climate_jobs)
    calls = (await live(world, node, "undisturbed", scenario, None)).calls
    assert calls >= scenario.calls
    fates = [Fate(call, carried_out) for call in range(calls) for carried_out in (False, True)]
    async with asyncio.TaskGroup() as group:
        lives = [
            group.create_task(live(world, node, f"died-{'after' if f.carried_out else 'before'}-{f.call}", scenario, f))
            for f in fates
        ]
    assert world.faults == []
    for fate, task in zip(fates, lives, strict=True):
        life = task.result()
        assert life.deaths == 1 or life.calls <= fate.call, f"was not to live on {fate}"
    # Where news come together, there are fewer calls than in the life that came first.
    assert sum(task.result().deaths for task in lives) >= len(fates) * 2 // 3
    jobs = control_plane.objects.list("Job", climate_jobs.namespace, version="batch/v1")
    assert len(jobs) == (len(lives) + 1 if scenario.kept else 0)
