"""News from the cluster, whatever way it comes: into the cache, and its ClimateJob into the queue."""

from collections.abc import Callable

from climatejobs_operator.cache import Cache, pod_job_name
from climatejobs_operator.cluster import CLIMATEJOBS, JOBS
from climatejobs_operator.entries import Entry, Manifest, has_ended, identify, owes_callbacks, read_entry
from climatejobs_operator.jobs import Job
from climatejobs_operator.pods import Pod
from climatejobs_operator.pulse import Pulse
from climatejobs_operator.shelf import version_of
from climatejobs_operator.workqueue import WorkQueue


class Intake:
    """Where watches and lists deliver."""

    def __init__(
        self, cache: Cache, queue: WorkQueue, pulse: Pulse, owes: Callable[[str], None] = lambda _name: None
    ) -> None:
        """`owes` is told the name of every ClimateJob that is heard to owe its subscriber a callback."""
        self._owes = owes
        self._cache = cache
        self._queue = queue
        self._pulse = pulse

    def take_climatejob(self, manifest: Manifest, *, deleted: bool) -> None:
        """News of a ClimateJob. One that ends leaves the watched selection, which looks like a deletion."""
        name, version = (identity := identify(manifest)).name, identity.version
        self._pulse.hear(CLIMATEJOBS.plural, name, version)
        if owes_callbacks(manifest):
            self._owes(name)
        if deleted or has_ended(manifest):
            self._cache.end(name, version)
        elif self._cache.climatejobs.is_news(name, version):  # most are echoes of our own writes: not worth reading
            self._cache.climatejobs.put(read_entry(manifest))
            self._queue.add(name)

    def take_job(self, job: Job, *, deleted: bool) -> None:
        """News of a Job."""
        self._pulse.hear(JOBS.plural, job.metadata.name, version_of(job))
        if (self._cache.jobs.remove if deleted else self._cache.jobs.put)(job):
            self._queue.add(job.metadata.name)

    def take_pod(self, pod: Pod, *, deleted: bool) -> None:
        """News of a pod."""
        if (self._cache.pods.remove if deleted else self._cache.pods.put)(pod):
            self._queue.add(pod_job_name(pod))

    def take_written(self, entry: Entry) -> None:
        """The answer to a status write of ours: known at once, without waiting for its echo."""
        self._pulse.expect(CLIMATEJOBS.plural, entry.metadata.name, version_of(entry))
        if entry.climatejob.status.callbacks_due:
            self._owes(entry.metadata.name)
        if entry.climatejob.phase.terminal:
            self._cache.end(entry.metadata.name, version_of(entry))
        else:
            self._cache.climatejobs.put(entry)

    def take_written_job(self, job: Job) -> None:
        """The answer to the creation or change of a Job."""
        self._pulse.expect(JOBS.plural, job.metadata.name, version_of(job))
        self._cache.jobs.put(job)
