"""What the cluster held when it was last heard of: ClimateJobs that have not ended, their Jobs and pods.

Fed by watches, by full lists and by the answers to our own writes, in any order: an older version never
replaces a newer one. Holds facts only; nothing here decides.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from pydantic import ValidationError

from climatejobs import names
from climatejobs.model import ClimateJob, ClimateJobSpec, ClimateJobStatus, ObjectMeta
from climatejobs_operator.jobs import Job
from climatejobs_operator.observation import Observation
from climatejobs_operator.pods import Pod

MAX_REMEMBERED = 4096


class HasMetadata(Protocol):
    """Anything with object metadata."""

    @property
    def metadata(self) -> ObjectMeta:
        """Name, uid, version."""
        ...


@dataclass(frozen=True)
class Entry:
    """A ClimateJob, and why its spec could not be read where it could not (a stand-in is in its place then)."""

    climatejob: ClimateJob
    unreadable: str | None = None

    @property
    def metadata(self) -> ObjectMeta:
        """The ClimateJob's."""
        return self.climatejob.metadata


class Shelf[T: HasMetadata]:
    """The objects of one kind, by name."""

    def __init__(
        self,
        job_name: Callable[[T], str],
        tell: Callable[[str], None],
        *,
        keep_ended: Callable[[T], bool] | None = None,
    ) -> None:
        self._job_name = job_name
        self._tell = tell
        self._keep_ended = keep_ended
        self._objects: dict[str, T] = {}
        self._by_job: dict[str, dict[str, T]] = {}
        self._gone: dict[str, int] = {}
        """Version at which a name was last deleted, so that late news does not bring it back."""

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, name: str) -> T | None:
        """The object of that name."""
        return self._objects.get(name)

    def names(self) -> Collection[str]:
        """The names of all objects, as they are now."""
        return tuple(self._objects)

    def of_job(self, job_name: str) -> Collection[T]:
        """The objects that belong to a ClimateJob."""
        return self._by_job.get(job_name, {}).values()

    def put(self, item: T) -> bool:
        """Take in an object; False where it is not news."""
        name, version = item.metadata.name, version_of(item)
        present = self._objects.get(name)
        if (present is not None and version <= version_of(present)) or version <= self._gone.get(name, 0):
            return False
        self._discard(name)
        self._objects[name] = item
        self._by_job.setdefault(self._job_name(item), {})[name] = item
        self._tell(self._job_name(item))
        return True

    def remove(self, item: T) -> bool:
        """Take in that an object was deleted, in its last state; False where that is not news."""
        name, version = item.metadata.name, version_of(item)
        present = self._objects.get(name)
        if present is not None and version < version_of(present):
            return False
        if self._keep_ended is not None and self._keep_ended(item):
            # How a pod ended is needed until its job has ended, and may be deleted before anybody looked.
            self.put(item)
            return True
        self._note_gone(name, version)
        known = self._discard(name) is not None
        self._tell(self._job_name(item))
        return known

    def compare(self, listed: Iterable[T], version: int) -> tuple[list[T], list[T]]:
        """What a full list at `version` knows better: objects that are new or newer, and objects that are gone."""
        by_name = {item.metadata.name: item for item in listed}
        changed = [item for item in by_name.values() if self._is_news(item)]
        gone = [
            item
            for name, item in self._objects.items()
            if name not in by_name
            and version_of(item) <= version
            and not (self._keep_ended is not None and self._keep_ended(item))
        ]
        return changed, gone

    def discard(self, items: Iterable[T]) -> None:
        """Drop objects of which nothing more is to be known."""
        for item in list(items):
            self._discard(item.metadata.name)
            self._tell(self._job_name(item))

    def _is_news(self, item: T) -> bool:
        present = self._objects.get(item.metadata.name)
        known = max(version_of(present) if present is not None else 0, self._gone.get(item.metadata.name, 0))
        return version_of(item) > known

    def _discard(self, name: str) -> T | None:
        item = self._objects.pop(name, None)
        if item is not None:
            job_name = self._job_name(item)
            siblings = self._by_job[job_name]
            siblings.pop(name, None)
            if not siblings:
                del self._by_job[job_name]
        return item

    def _note_gone(self, name: str, version: int) -> None:
        self._gone.pop(name, None)
        self._gone[name] = version
        if len(self._gone) > MAX_REMEMBERED:
            del self._gone[next(iter(self._gone))]


class Cache:
    """All that is known, by ClimateJob name."""

    def __init__(self) -> None:
        self._followers: list[Callable[[str], None]] = []
        self.climatejobs: Shelf[Entry] = Shelf(lambda entry: entry.metadata.name, self._tell)
        self.jobs: Shelf[Job] = Shelf(lambda job: job.metadata.name, self._tell)
        self.pods: Shelf[Pod] = Shelf(pod_job_name, self._tell, keep_ended=self._is_evidence)

    def subscribe(self, follow: Callable[[str], None]) -> None:
        """Have `follow` called with the name of a ClimateJob whenever something about it has changed."""
        self._followers.append(follow)

    def end(self, entry: Entry) -> bool:
        """Take in that a ClimateJob has ended or was deleted, and drop what was kept for its sake."""
        removed = self.climatejobs.remove(entry)
        name = entry.metadata.name
        if self.climatejobs.get(name) is None:
            self.pods.discard(pod for pod in self.pods.of_job(name) if pod.ended)
        return removed

    def observe(self, name: str) -> Observation | None:
        """The ClimateJob of that name with what belongs to it; None where there is none, or it has ended."""
        entry = self.climatejobs.get(name)
        return self.observe_entry(entry) if entry is not None else None

    def observe_entry(self, entry: Entry) -> Observation:
        """A ClimateJob, held here or not, with what belongs to it."""
        name, uid = entry.metadata.name, entry.metadata.uid
        pods = (pod for pod in self.pods.of_job(name) if pod.metadata.labels.get(names.LABEL_JOB_UID) == uid)
        return Observation(
            climatejob=entry.climatejob,
            job=self.jobs.get(name),
            pods=tuple(sorted(pods, key=lambda pod: (pod.metadata.creation_timestamp, pod.metadata.name))),
            unreadable=entry.unreadable,
        )

    def _tell(self, name: str) -> None:
        for follow in self._followers:
            follow(name)

    def _is_evidence(self, pod: Pod) -> bool:
        return pod.ended and self.climatejobs.get(pod_job_name(pod)) is not None


def version_of(item: HasMetadata) -> int:
    """The resourceVersion as a number: within one kind, a larger one is later."""
    return int(item.metadata.resource_version)


def pod_job_name(pod: Pod) -> str:
    """The ClimateJob a pod says it belongs to; empty where it says nothing."""
    return pod.metadata.labels.get(names.LABEL_JOB_NAME, "")


def read_entry(manifest: Mapping[str, object]) -> Entry:
    """Read a ClimateJob. The API server lets a few specs through that the model refuses; they are kept as such."""
    try:
        return Entry(ClimateJob.from_manifest(manifest))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_url=False)
        )
    metadata = ObjectMeta.model_validate(manifest["metadata"])
    try:
        status = ClimateJobStatus.model_validate(manifest.get("status") or {})
    except ValidationError:
        status = ClimateJobStatus()
    return Entry(ClimateJob(metadata=metadata, spec=ClimateJobSpec(process="unreadable"), status=status), faults)
