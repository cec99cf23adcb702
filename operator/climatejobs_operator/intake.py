"""News from the cluster, whatever way it comes: into the cache, and its ClimateJob into the queue."""

from collections.abc import Mapping

from climatejobs_operator.cache import Cache, Entry, pod_job_name, read_entry, version_of
from climatejobs_operator.cluster import CLIMATEJOBS, JOBS
from climatejobs_operator.jobs import Job
from climatejobs_operator.pods import Pod
from climatejobs_operator.pulse import Pulse
from climatejobs_operator.workqueue import WorkQueue

type Manifest = Mapping[str, object]


class Intake:
    """Where watches and lists deliver."""

    def __init__(self, cache: Cache, queue: WorkQueue, pulse: Pulse) -> None:
        self._cache = cache
        self._queue = queue
        self._pulse = pulse

    def take_climatejob(self, manifest: Manifest, *, deleted: bool) -> None:
        """News of a ClimateJob. One that ends leaves the watched selection, which looks like a deletion."""
        entry = read_entry(manifest)
        name = entry.metadata.name
        self._pulse.hear(CLIMATEJOBS.plural, name, version_of(entry))
        if deleted or entry.climatejob.phase.terminal:
            self._cache.end(entry)
        elif self._cache.climatejobs.put(entry):
            self._queue.add(name)

    def take_job(self, manifest: Manifest, *, deleted: bool) -> None:
        """News of a Job."""
        job = Job.model_validate(manifest)
        self._pulse.hear(JOBS.plural, job.metadata.name, version_of(job))
        if (self._cache.jobs.remove if deleted else self._cache.jobs.put)(job):
            self._queue.add(job.metadata.name)

    def take_pod(self, manifest: Manifest, *, deleted: bool) -> None:
        """News of a pod."""
        pod = Pod.model_validate(manifest)
        if (self._cache.pods.remove if deleted else self._cache.pods.put)(pod):
            self._queue.add(pod_job_name(pod))

    def take_written(self, entry: Entry) -> None:
        """The answer to a status write of ours: known at once, without waiting for its echo."""
        self._pulse.expect(CLIMATEJOBS.plural, entry.metadata.name, version_of(entry))
        if entry.climatejob.phase.terminal:
            self._cache.end(entry)
        else:
            self._cache.climatejobs.put(entry)

    def take_written_job(self, job: Job) -> None:
        """The answer to the creation or change of a Job."""
        self._pulse.expect(JOBS.plural, job.metadata.name, version_of(job))
        self._cache.jobs.put(job)
