"""Whatever is seen when, lost or repeated, and wherever the operator dies: the job comes to the right end."""

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from climatejobs.names import ExitCode
from climatejobs_operator.cluster import CLIMATEJOBS, JOBS, PODS
from climatejobs_operator.deferral import PATIENCE
from tests.unit.operator.model_cluster import Died, Manifest, ModelCluster, words_of
from tests.unit.operator.model_operator import ModelOperator, run

KINDS = st.sampled_from([CLIMATEJOBS.plural, JOBS.plural, PODS.plural])
EVICTED, DELETED = "evicted", "deleted"
WAYS_TO_END: st.SearchStrategy[str | int] = st.sampled_from([1, 1, 137, 0, int(ExitCode.PERMANENT), EVICTED, DELETED])
"""Exit codes of a pod, or what else befalls it."""
ENDS = ("Succeeded", "Failed", "Cancelled")


def is_under_way(status: Manifest) -> bool:
    """Whether a job neither has ended nor is being stopped, when its figures stay as they were."""
    return status["phase"] not in ENDS and not status["message"].startswith("Stopping")


def is_held(job: Manifest) -> bool:
    """Whether a Job is suspended and its controller has acted on that."""
    conditions = job["status"].get("conditions", ())
    return job["spec"].get("suspend", False) and any(
        c["type"] == "Suspended" and c["status"] == "True" for c in conditions
    )


class Life(RuleBasedStateMachine):
    """One ClimateJob, with everything that can happen around it happening at any time."""

    cluster: ModelCluster
    operator: ModelOperator

    @initialize(max_attempts=st.integers(1, 3))
    def submit(self, max_attempts: int) -> None:
        self.cluster = ModelCluster(maxAttempts=max_attempts)
        self.operator = ModelOperator(self.cluster)
        self.max_attempts = max_attempts
        self.robbed = False
        self.last_attempts = 0
        self.spent = 0

    @rule()
    def reconcile(self) -> None:
        self.cluster.seconds += 1
        self.operator.reconcile()

    @rule()
    def catch_up(self) -> None:
        """With all there is to know, the number of attempts is exact."""
        self.compare()
        suspended = self.cluster.job is not None and is_held(self.cluster.job)
        waits = self.cluster.occupied and self.cluster.job is None
        self.operator.reconcile()
        self.operator.reconcile()
        if self.cluster.slow:  # what can wait has been said after that time
            self.cluster.seconds += PATIENCE.seconds
            self.operator.reconcile()
        if waits:
            assert self.cluster.job is None, "there is one slot, and another job has it"
        if self.cluster.occupied and suspended and self.cluster.job is not None:
            assert self.cluster.job["spec"]["suspend"], "a job that was held does not go on without a slot"
        status = self.cluster.status
        if not self.robbed and self.cluster.job is not None and is_under_way(status):
            # A success that vanished before anybody had read it costs an attempt, unless a suspension stopped its pod.
            # One is not told of before it is counted, where the pod of one before it is gone.
            least = min(self.cluster.told_failures + 1, self.max_attempts)
            most = min(self.cluster.failures + self.cluster.vanished + 1, self.max_attempts)
            assert least <= status["attempts"] <= most
            exact = self.cluster.told_failures == self.cluster.failures and not self.cluster.vanished
            if "logTail" in status and exact:
                attempt: int = status["error"]["attempt"]
                assert status["logTail"] == words_of(self.cluster.failed[attempt - 1]), "those of that very attempt"

    @rule(after=st.integers(0, 4), carried_out=st.booleans())
    def reconcile_and_die(self, after: int, carried_out: bool) -> None:
        self.cluster.dies = (after, carried_out)
        try:
            self.operator.reconcile()
        except Died:
            self.operator = ModelOperator(self.cluster)
        self.cluster.dies = None

    @rule(ways=st.lists(WAYS_TO_END, min_size=1, max_size=4), swept=st.booleans())
    def be_away(self, ways: list[str | int], swept: bool) -> None:
        """The operator is dead for more than an hour: pods end, are counted and retried, and are gone when it is back.

        `swept` are pods that have been counted, as a cluster's collector of ended pods does it.
        """
        self.catch_up()
        for way in ways:
            self.cluster.seconds += 1000
            self.cluster.control_job()
            self.start_pod()
            self._end_pods(way)
            self.cluster.control_job()
            self.cluster.collect_garbage()
            self.cluster.stop_deleted_pods()
            if swept:
                self.cluster.sweep_ended_pods()
        self.cluster.seconds += 3700
        for stream in self.cluster.streams.values():
            stream.clear()
        self.operator = ModelOperator(self.cluster)
        self.catch_up()

    def _end_pods(self, way: str | int) -> None:
        for pod in self.cluster.live_pods():
            if way == DELETED:
                self.cluster.delete_pod(pod)
            else:
                self.cluster.end_pod(pod, 143 if way == EVICTED else int(way), disrupted=way == EVICTED)

    @rule(kind=KINDS, count=st.integers(1, 5))
    def hear(self, kind: str, count: int) -> None:
        stream = self.cluster.streams[kind]
        for _ in range(min(count, len(stream))):
            deleted, manifest = stream.popleft()
            self.operator.deliver(kind, manifest, deleted=deleted)

    @rule(kind=KINDS)
    def hear_twice(self, kind: str) -> None:
        if self.cluster.streams[kind]:
            deleted, manifest = self.cluster.streams[kind][0]
            self.operator.deliver(kind, manifest, deleted=deleted)

    @rule(kind=KINDS)
    def hear_nothing(self, kind: str) -> None:
        if self.cluster.streams[kind]:
            self.cluster.streams[kind].popleft()

    @rule()
    def compare(self) -> None:
        run(self.operator.resync.compare())
        for stream in self.cluster.streams.values():
            stream.clear()

    @rule()
    def control_job(self) -> None:
        self.cluster.seconds += 1
        self.cluster.control_job()

    @rule()
    def collect_garbage(self) -> None:
        self.cluster.collect_garbage()

    @rule()
    def stop_deleted_pods(self) -> None:
        self.cluster.stop_deleted_pods()

    @rule(exit_code=st.sampled_from([0, 1, 1, 1, 137, ExitCode.PERMANENT]))
    def end_pod(self, exit_code: int) -> None:
        for pod in self.cluster.live_pods():
            self.cluster.end_pod(pod, int(exit_code))

    @rule()
    def start_pod(self) -> None:
        for pod in self.cluster.live_pods():
            self.cluster.start_pod(pod)

    @rule()
    def report_result(self) -> None:
        """The runner has published its result, and says so; how its pod ends is another matter."""
        for pod in self.cluster.live_pods():
            self.cluster.start_pod(pod)
            self.operator.take_result(self.cluster.stored[PODS.plural][pod["metadata"]["name"]])

    @rule()
    def evict_pod(self) -> None:
        for pod in self.cluster.live_pods():
            self.cluster.end_pod(pod, 143, disrupted=True)

    @rule()
    def evict_finished_pod(self) -> None:
        for pod in self.cluster.pods():
            if pod["status"]["phase"] == "Succeeded" and not pod["metadata"].get("counted"):
                self.cluster.evict_finished_pod(pod)

    @rule()
    def delete_pod(self) -> None:
        for pod in self.cluster.live_pods():
            self.cluster.delete_pod(pod)

    @rule()
    def fail_twice_and_lose_the_second_pod(self) -> None:
        """It is deleted, counted and gone before anybody has looked, while the first is still there."""
        self.control_job()
        self.end_pod(1)
        self.control_job()
        self.delete_pod()
        self.stop_deleted_pods()
        self.control_job()
        self.stop_deleted_pods()

    @precondition(lambda self: not self.robbed)
    @rule()
    def delete_job(self) -> None:
        """Once, and not before the status tells of it: an operator that dies in that moment cannot know of the pod.

        (To ask for pods before a first Job as well would cost every job a list, and output is fenced anyway.)
        """
        if self.cluster.status.get("jobName") and self.cluster.status["phase"] not in ENDS:
            self.robbed = self.cluster.job is not None
            self.cluster.delete_job()

    @precondition(lambda self: not self.robbed)
    @rule()
    def delete_job_that_has_just_made_a_pod(self) -> None:
        self.cluster.control_job()
        self.delete_job()
        self.hear(JOBS.plural, 5)

    @rule()
    def occupy(self) -> None:
        """Another job gets the slot before this one does, or beside it as the limit is lowered."""
        if not self.cluster.occupied:
            self.cluster.occupy()

    @rule()
    def vacate(self) -> None:
        self.cluster.vacate()

    @precondition(lambda self: self.cluster.climatejob["spec"]["cancel"] is False)
    @rule()
    def cancel(self) -> None:
        self.cluster.cancel()

    @rule()
    def suspend(self) -> None:
        self.cluster.suspend()

    @rule()
    def suspend_and_see_it_stop(self) -> None:
        self.suspend()
        self.catch_up()
        self.control_job()
        self.stop_deleted_pods()
        self.catch_up()

    @rule()
    def resume(self) -> None:
        self.cluster.suspend(suspend=False)

    @rule(priority=st.integers(-1, 1))
    def change_priority(self, priority: int) -> None:
        self.cluster.change_climatejob(priority=priority)

    @rule(slow=st.booleans())
    def change_pace(self, slow: bool) -> None:
        """From now on writes take long, or no longer do."""
        self.cluster.slow = slow

    @rule()
    def let_time_pass(self) -> None:
        """Longer than any pause between attempts, and than a Job is kept after the end."""
        self.cluster.seconds += 900

    @invariant()
    def attempts_are_right(self) -> None:
        """Whatever was seen or not: an attempt counts that failed, or whose result nobody could read any more."""
        attempts = self.cluster.status.get("attempts", 0)
        assert self.last_attempts <= attempts <= self.max_attempts
        # Failures that nobody had counted go with the pods of a Job that is deleted after the end.
        self.spent = max(self.spent, self.cluster.failures + self.cluster.vanished)
        assert self.robbed or attempts <= self.spent + 1
        self.last_attempts = attempts

    @invariant()
    def nothing_forbidden_is_done(self) -> None:
        assert self.cluster.faults == []

    @invariant()
    def ends_are_true(self) -> None:
        status = self.cluster.status
        if status.get("phase") == "Succeeded":
            assert status["results"]
        if status.get("phase") == "Cancelled":
            assert self.cluster.climatejob["spec"]["cancel"]
        if status.get("phase") == "Failed":
            assert status["error"]["detail"]
            assert status["error"]["type"] != "urn:climatejobs:error:job-failed", "a cause is always named"

    def teardown(self) -> None:
        """Let everything settle, each pod succeeding: the job comes to an end and nothing runs after it."""
        self.cluster.vacate()
        self.cluster.suspend(suspend=False)
        rounds = 0
        while self.cluster.status.get("phase") not in ENDS:
            self._settle()
            for pod in self.cluster.live_pods():
                self.cluster.end_pod(pod, 0)
            rounds += 1
            assert rounds < 30, self.cluster.status
        for _ in range(8):
            self._settle()
        assert self.cluster.live_pods() == []
        assert self.cluster.faults == []

    def _settle(self) -> None:
        self.cluster.seconds += 5
        self.compare()
        self.operator.reconcile()
        self.cluster.collect_garbage()
        self.cluster.control_job()
        self.cluster.stop_deleted_pods()


Life.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestLife = Life.TestCase
