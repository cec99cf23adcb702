"""What the operator's log tells of its decisions: for which job, where that stands, and why."""

import pytest

from climatejobs.model import Phase
from climatejobs.names import ExitCode, Reason
from tests.cluster_objects import ClimateJobs, wait_until
from tests.integration.operator.conftest import OperatorProcess
from tests.integration.operator.kubelet import Kubelet, success_message

pytestmark = pytest.mark.integration


@pytest.fixture
def operator(stopped_operator: OperatorProcess) -> OperatorProcess:
    """An operator that logs JSON, and is quick to give up and to clear away."""
    stopped_operator.start(log_format="json", lost_pod_seconds=1, runner_grace_seconds=1, job_retention_seconds=0)
    return stopped_operator


def decisions(operator: OperatorProcess) -> dict[str, set[tuple[str, str, str]]]:
    """Job, phase and reason of every line that tells of a decision, by what it says."""
    found: dict[str, set[tuple[str, str, str]]] = {}
    for line in operator.log_lines:
        if line["logger"] == "climatejobs_operator.reconcile" and "trying again" not in line["message"]:
            found.setdefault(line["message"], set()).add((line["job"], line["phase"], line["reason"]))
    return found


def test_every_decision_is_told_with_its_job_phase_and_reason(
    operator: OperatorProcess, climate_jobs: ClimateJobs, kubelet: Kubelet
) -> None:
    climate_jobs.create("tenacious", ttlSecondsAfterFinished=0)
    pod = kubelet.await_pod("tenacious")
    kubelet.run(pod)
    climate_jobs.wait_for("tenacious", "Running")
    kubelet.finish(pod, 1)
    climate_jobs.wait_for("tenacious", "Retrying")
    climate_jobs.patch_spec("tenacious", suspend=True)
    climate_jobs.wait_for("tenacious", "Suspended")
    climate_jobs.patch_spec("tenacious", suspend=False)
    kubelet.finish(kubelet.await_pod("tenacious", 2), ExitCode.DONE, success_message())
    wait_until(lambda: len(climate_jobs.list()) == 0, "it to be deleted")

    climate_jobs.create("unwanted")
    pod = kubelet.await_pod("unwanted")
    kubelet.accept(pod)
    kubelet.run(pod)
    climate_jobs.wait_for("unwanted", "Running")
    climate_jobs.patch_spec("unwanted", cancel=True)
    climate_jobs.wait_for("unwanted", "Cancelled")

    climate_jobs.create("unreadable", inputs={"message": 1})
    climate_jobs.wait_for("unreadable", "Failed")
    climate_jobs.create("kept")
    kubelet.finish(kubelet.await_pod("kept"), ExitCode.DONE, success_message())
    climate_jobs.wait_for("kept", "Succeeded")
    deleted = ("kept", "Succeeded", Reason.SUCCEEDED)
    wait_until(lambda: deleted in decisions(operator)["Deleted Job"], "its Job to be deleted")

    told = decisions(operator)
    assert told["Made Job"] == {(name, "Pending", Reason.JOB_CREATED) for name in ("tenacious", "unwanted", "kept")}
    assert told["Suspended Job"] == {("tenacious", "Retrying", Reason.SUSPENDING)}
    assert told["Resumed Job"] == {("tenacious", "Retrying", Reason.RESUMED)}
    assert told["Deleted Job"] == {("unwanted", "Running", Reason.CANCELLING), deleted}
    assert told["Deleted pod"] == {("unwanted", "Running", Reason.CANCELLING)}
    assert told["Gave up on a pod"] == {("unwanted", "Running", Reason.CANCELLING)}
    assert told["Deleted ClimateJob, as its time after the end is over"] == {
        ("tenacious", "Succeeded", Reason.SUCCEEDED)
    }
    assert told["Cancelled on request."] == {("unwanted", "Cancelled", Reason.CANCELLED)}
    assert {phase for lines in told.values() for _, phase, _ in lines} == set(Phase)
