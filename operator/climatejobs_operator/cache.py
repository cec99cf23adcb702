"""What the cluster held when it was last heard of: ClimateJobs that have not ended, their Jobs and pods.

Fed by watches, by full lists and by the answers to our own writes, in any order. Holds facts only; nothing here
decides.
"""

from collections.abc import Callable

from climatejobs import names
from climatejobs.model import ClimateJob
from climatejobs_operator.entries import Entry
from climatejobs_operator.jobs import Job
from climatejobs_operator.observation import Observation
from climatejobs_operator.pods import Pod
from climatejobs_operator.shelf import Shelf


class Cache:
    """All that is known, by ClimateJob name."""

    def __init__(self) -> None:
        self._followers: list[Callable[[str], None]] = []
        self.climatejobs: Shelf[Entry] = Shelf(lambda entry: entry.metadata.name, self._tell, fold=Entry.fold)
        self.jobs: Shelf[Job] = Shelf(lambda job: job.metadata.name, self._tell)
        self.pods: Shelf[Pod] = Shelf(pod_job_name, self._tell, keep_ended=self._is_evidence)

    def subscribe(self, follow: Callable[[str], None]) -> None:
        """Have `follow` called with the name of a ClimateJob whenever something about it has changed."""
        self._followers.append(follow)

    def end(self, name: str, version: int) -> bool:
        """Take in that a ClimateJob has ended or was deleted, and drop what was kept for its sake."""
        removed = self.climatejobs.forget(name, version, name)
        if self.climatejobs.get(name) is None:
            self.pods.release(name)
        return removed

    def observe(self, name: str) -> Observation | None:
        """The ClimateJob of that name with what belongs to it; None where there is none, or it has ended."""
        entry = self.climatejobs.get(name)
        return self.observe_entry(entry) if entry is not None else None

    def lacks_job(self, name: str) -> bool:
        """Whether there is a ClimateJob of that name that has not ended, and no Job."""
        return self.climatejobs.get(name) is not None and self.jobs.get(name) is None

    def observe_entry(self, entry: Entry) -> Observation:
        """A ClimateJob, held here or not, with what belongs to it."""
        job = self.jobs.get(entry.metadata.name)
        if job is not None:
            entry.unfold()
        climatejob = entry.climatejob
        return Observation(
            climatejob=climatejob,
            job=job,
            pods=self.find_pods(climatejob),
            unreadable=entry.unreadable,
        )

    def find_pods(self, climatejob: ClimateJob) -> tuple[Pod, ...]:
        """The pods of this very ClimateJob, oldest first."""
        uid = climatejob.metadata.uid
        pods = (
            pod
            for pod in self.pods.of_job(climatejob.metadata.name)
            if pod.metadata.labels.get(names.LABEL_JOB_UID) == uid
        )
        return tuple(sorted(pods, key=lambda pod: (pod.metadata.creation_timestamp, pod.metadata.name)))

    def _tell(self, name: str) -> None:
        for follow in self._followers:
            follow(name)

    def _is_evidence(self, pod: Pod) -> bool:
        return pod.ended and self.climatejobs.get(pod_job_name(pod)) is not None


def pod_job_name(pod: Pod) -> str:
    """The ClimateJob a pod says it belongs to; empty where it says nothing."""
    return pod.metadata.labels.get(names.LABEL_JOB_NAME, "")
