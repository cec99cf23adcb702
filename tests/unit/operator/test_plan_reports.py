"""What follows from a report: the end of a job whose pod still runs, and how far a job has come."""

from datetime import timedelta

from climatejobs.model import Phase, Progress
from climatejobs_operator.actions import DeleteJob
from climatejobs_operator.endings import EXIT_PATIENCE
from climatejobs_operator.observation import Observation, Reported
from climatejobs_operator.plan import Plan, make_plan
from climatejobs_operator.pods import Pod
from tests.unit.operator.builders import (
    NOW,
    OUTPUTS,
    SETTINGS,
    at,
    ended_pod,
    make_climatejob,
    make_job,
    make_pod,
    running_pod,
)


class TestAResultThatWasReported:
    """By a pod that still runs: the ClimateJob has ended before its Job has."""

    def reported(self, *pods: Pod, cancel: bool = False, pod_uid: str = "uid-of-pod-1") -> Plan:
        told = Reported(pod_uid, OUTPUTS, started_at=NOW - timedelta(seconds=3), at=NOW)
        seen = Observation(make_climatejob(cancel=cancel), make_job(), pods, reported=told)
        return make_plan(seen, NOW, SETTINGS)

    def after(self, *pods: Pod, seconds: float = 1) -> Plan:
        ended = {"phase": "Succeeded", "finishedAt": at(0), "results": OUTPUTS}
        seen = Observation(make_climatejob(status=ended), make_job(), pods)
        return make_plan(seen, NOW + timedelta(seconds=seconds), SETTINGS)

    def test_ends_the_job_at_once(self) -> None:
        plan = self.reported(make_pod())
        assert (plan.status.phase, plan.status.results, plan.status.attempts) == (Phase.SUCCEEDED, OUTPUTS, 1)
        assert (plan.status.started_at, plan.status.finished_at) == (NOW - timedelta(seconds=3), NOW)
        assert plan.actions == ()

    def test_is_nothing_without_its_pod_or_once_the_job_is_to_be_cancelled(self) -> None:
        assert self.reported(make_pod(), pod_uid="uid-of-another").status.phase is Phase.PENDING
        assert self.reported(running_pod(), cancel=True).status.phase is not Phase.SUCCEEDED

    def test_leaves_its_pod_the_time_to_end(self) -> None:
        plan = self.after(running_pod())
        assert plan.actions == ()
        assert plan.wake_at == NOW + EXIT_PATIENCE
        assert len(self.after(running_pod(), seconds=30).actions) == 1, "but not for ever"

    def test_stands_when_its_pod_fails_and_no_other_pod_is_to_follow(self) -> None:
        (action,) = self.after(ended_pod(exit_code=137, finished=1), seconds=2).actions
        assert isinstance(action, DeleteJob)
        assert len(self.after(running_pod("pod-2", created=5), seconds=6).actions) == 1
        assert self.after(ended_pod(exit_code=0, finished=1), seconds=2).actions == ()

    def test_is_not_undone_by_attempts_that_failed_before_it(self) -> None:
        assert self.after(ended_pod("pod-0", exit_code=1, finished=-20), running_pod()).actions == ()

    def test_progress_goes_into_the_status_of_a_running_job(self) -> None:
        progress = Progress(percent=40, done=4, total=10, unit="steps")
        seen = Observation(make_climatejob(), make_job(), (running_pod(),), progress=progress)
        assert make_plan(seen, NOW, SETTINGS).status.progress == progress
