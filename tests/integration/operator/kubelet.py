"""The test in the kubelet's place: writes the pod statuses that a node would write. The Job controller is real."""

from datetime import UTC, datetime, timedelta

from climatejobs import names
from climatejobs.results import ResultDocument, ShardDone
from tests.cluster_objects import ClusterObjects, Manifest, wait_until

ECHO_OUTPUTS: Manifest = {"message": "hello", "numbers": [1, 2]}


def success_message(outputs: Manifest | None = None) -> str:
    """What a runner leaves that has done its work."""
    return ResultDocument(outputs=outputs or ECHO_OUTPUTS).to_json()


def share_message(index: int, of: int, total: int | None = None) -> str:
    """What a runner leaves that has done its share of the work, and nothing more."""
    unit = "steps" if total else None
    return ResultDocument(shard=ShardDone(index=index, of=of, total=total, unit=unit)).to_json()


class Kubelet:
    """The node of one namespace."""

    def __init__(self, objects: ClusterObjects, namespace: str) -> None:
        self._objects = objects
        self._namespace = namespace

    def pods(self, job: str) -> list[Manifest]:
        """The pods of a ClimateJob, oldest first."""
        found = self._objects.list("Pod", self._namespace, label_selector=f"{names.LABEL_JOB_NAME}={job}")
        return sorted(found, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))

    def await_pod(self, job: str, number: int = 1, seconds: float = 60) -> Manifest:
        """The number-th pod that the Job controller has made, once it is there."""
        return wait_until(
            lambda: pods[number - 1] if len(pods := self.pods(job)) >= number else None,
            f"pod {number} of {job}",
            seconds,
        )

    def accept(self, pod: Manifest) -> None:
        """The pod is on a node: deleted, it stays until the node says that it has stopped.

        Each on another, as the pods of a node that does not exist are collected, all of them, after a minute.
        """
        name = pod["metadata"]["name"]
        self._objects.bind(name, self._namespace, f"node-of-{name}")

    def stop(self, pod: Manifest) -> None:
        """Once the pod is deleted: its container ends as on SIGTERM, and the node lets go of it."""
        name = pod["metadata"]["name"]
        wait_until(
            lambda: (self._objects.find("Pod", name, self._namespace) or {})["metadata"].get("deletionTimestamp"),
            f"{name} to be told to stop",
        )
        self.finish(pod, 143)
        self._objects.delete("Pod", name, self._namespace, grace_seconds=0)

    def wait(self, pod: Manifest, reason: str, message: str) -> None:
        """The container cannot start yet."""
        self._write(pod, "Pending", {"waiting": {"reason": reason, "message": message}})

    def run(self, pod: Manifest) -> None:
        """The container runs."""
        self._write(pod, "Running", {"running": {"startedAt": _now()}})

    def finish(
        self,
        pod: Manifest,
        exit_code: int,
        message: str = "",
        reason: str | None = None,
        conditions: tuple[Manifest, ...] = (),
        ahead: timedelta = timedelta(),
    ) -> None:
        """The container has ended, and the pod with it; `ahead` puts off the next attempt, which counts from there."""
        terminated: Manifest = {
            "exitCode": exit_code,
            "reason": reason or ("Completed" if exit_code == 0 else "Error"),
            "message": message,
            "startedAt": _now(),
            "finishedAt": _now(ahead),
        }
        phase = "Succeeded" if exit_code == 0 else "Failed"
        self._write(pod, phase, {"terminated": terminated}, conditions)

    def _write(self, pod: Manifest, phase: str, state: Manifest, conditions: tuple[Manifest, ...] = ()) -> None:
        running = "running" in state
        status: Manifest = {
            "phase": phase,
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": "True" if running else "False", "lastTransitionTime": _now()},
                *conditions,
            ],
            "containerStatuses": [
                {
                    "name": names.RUNNER_CONTAINER,
                    "image": "runner:test",
                    "imageID": "",
                    "ready": running,
                    "started": running,
                    "restartCount": 0,
                    "state": state,
                }
            ],
        }
        self._objects.patch_status("Pod", pod["metadata"]["name"], self._namespace, {"status": status})


def _now(ahead: timedelta = timedelta()) -> str:
    return (datetime.now(UTC) + ahead).strftime("%Y-%m-%dT%H:%M:%SZ")
