"""Callbacks of the operator as a process, against a real API server, to a receiver on this machine."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from climatejobs.names import ExitCode
from tests.cluster_objects import ClimateJobs, Manifest, wait_until
from tests.integration.operator.conftest import OperatorProcess
from tests.integration.operator.kubelet import ECHO_OUTPUTS, Kubelet, success_message
from tests.receiver import Posted, Receiver, receive

pytestmark = pytest.mark.integration
LOCAL = "127.0.0.1/32"


async def until(condition: Callable[[], bool], what: str) -> None:
    await asyncio.to_thread(wait_until, condition, what, 60)


def subscriber(receiver: Receiver) -> dict[str, str]:
    return {f"{event}Uri": receiver.url(f"/{event}") for event in ("success", "inProgress", "failed")}


def records(job: Manifest) -> dict[str, Any]:
    return {record["event"]: record for record in job.get("status", {}).get("callbacks", [])}


async def test_a_subscriber_is_told_of_start_and_success(
    stopped_operator: OperatorProcess, climate_jobs: ClimateJobs, kubelet: Kubelet
) -> None:
    async with receive() as receiver:
        stopped_operator.start(fetch_allow=LOCAL, public_url="https://climate.example.org")
        await asyncio.to_thread(climate_jobs.create, "told", subscriber=subscriber(receiver))
        pod = await asyncio.to_thread(kubelet.await_pod, "told")
        await asyncio.to_thread(kubelet.run, pod)
        await until(lambda: "/inProgress" in receiver.paths(), "the start to be told")
        await asyncio.to_thread(kubelet.finish, pod, ExitCode.DONE, success_message())
        await until(lambda: "success" in records(climate_jobs.get("told")), "the end to be due")
        await until(lambda: not climate_jobs.get("told")["status"]["callbacksDue"], "all to be recorded")
    job = climate_jobs.get("told")
    assert {event: record["state"] for event, record in records(job).items()} == {
        "inProgress": "Delivered",
        "success": "Delivered",
    }
    started, succeeded = receiver.posted
    assert (started.body["jobID"], started.body["status"]) == ("told", "running")
    assert started.body["links"][0]["href"] == "https://climate.example.org/jobs/told"
    assert succeeded.body == ECHO_OUTPUTS
    assert job["status"]["results"] == ECHO_OUTPUTS


async def test_an_operator_killed_before_the_record_delivers_again(
    stopped_operator: OperatorProcess, climate_jobs: ClimateJobs, kubelet: Kubelet
) -> None:
    """The job has ended by then, so that no watch brings it back: the new operator has to look for it."""

    def kill_once(_posted: Posted) -> None:
        receiver.before_answer = lambda _posted: None
        stopped_operator.kill()

    async with receive() as receiver:
        receiver.before_answer = kill_once
        stopped_operator.start(fetch_allow=LOCAL)
        await asyncio.to_thread(climate_jobs.create, "twice", subscriber={"successUri": receiver.url("/success")})
        pod = await asyncio.to_thread(kubelet.await_pod, "twice")
        await asyncio.to_thread(kubelet.finish, pod, ExitCode.DONE, success_message())
        await until(lambda: not stopped_operator.running, "the operator to be killed")
        job = climate_jobs.get("twice")
        assert (job["status"]["phase"], records(job)["success"]["state"]) == ("Succeeded", "Pending")
        stopped_operator.start(fetch_allow=LOCAL)
        await until(lambda: not climate_jobs.get("twice")["status"]["callbacksDue"], "the record")
    assert [posted.body for posted in receiver.posted] == [ECHO_OUTPUTS, ECHO_OUTPUTS]
    assert len({posted.headers["idempotency-key"] for posted in receiver.posted}) == 1
    assert records(climate_jobs.get("twice"))["success"]["tries"] == 1


async def test_a_receiver_that_fails_is_tried_again(
    stopped_operator: OperatorProcess, climate_jobs: ClimateJobs
) -> None:
    async with receive() as receiver:
        receiver.answers["/failed"] = "500 Oops"
        stopped_operator.start(fetch_allow=LOCAL)
        await asyncio.to_thread(
            climate_jobs.create, "retried", inputs={"numbers": "none"}, subscriber=subscriber(receiver)
        )
        await until(lambda: "failed" in records(climate_jobs.get("retried")), "the record")
        await until(lambda: records(climate_jobs.get("retried"))["failed"]["tries"] == 1, "the first try")
        record = records(climate_jobs.get("retried"))["failed"]
        assert (record["state"], record["detail"]) == ("Pending", "the receiver answers 500")
        assert record["retryAt"]
        receiver.answers.clear()
        await until(lambda: records(climate_jobs.get("retried"))["failed"]["state"] == "Delivered", "the second try")
    assert [posted.body["status"] for posted in receiver.posted] == ["failed", "failed"]


async def test_a_private_address_is_never_called_unless_it_is_allowed(
    operator: OperatorProcess, climate_jobs: ClimateJobs
) -> None:
    assert operator.running
    async with receive() as receiver:
        await asyncio.to_thread(
            climate_jobs.create, "inside", inputs={"numbers": "none"}, subscriber=subscriber(receiver)
        )
        await until(
            lambda: records(climate_jobs.get("inside")).get("failed", {}).get("state") == "Abandoned", "the refusal"
        )
    record = records(climate_jobs.get("inside"))["failed"]
    assert (record["tries"], record["detail"]) == (1, "127.0.0.1 is at an address that is not public")
    assert receiver.posted == []
