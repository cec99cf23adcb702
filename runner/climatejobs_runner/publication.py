"""From a store under construction to a version that everyone reads, without a moment between.

A version is built in a staging folder of its attempt's own, and given its name when it is complete and durable; then
the pointer is replaced. Versions never change once they have their name, so two publishers of one version do no
harm: the second finds it there and has succeeded. Two publishers of different versions both replace
the pointer, and the last one stands: each pointer names a complete version, so no lock is needed (and none
would be reliable on a network file system).

A publisher that dies between the two leaves a note in its staging folder; whoever comes across
that version next finishes the work.
"""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from climatejobs import datasets
from climatejobs.datasets import Dataset
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.storage import Place, Storage
from climatejobs_runner.stores import StoreReader

OWN_LEFTOVER_SECONDS = 120
"""Age of the heartbeat after which staging of an earlier attempt at the same job is removed; others' is kept longer."""
SHARED = ".shared-"
"""What the name of a folder begins with in which several attempts build one version."""
HEARTBEAT = "heartbeat"
"""A file in every such folder, touched by whoever is at work in it."""
_STAGING = ".staging-"
_NOTE = "publishing"


@dataclass
class Staging:
    """A folder to build one version in; seen by nobody else."""

    attempt: Attempt
    folder: PurePosixPath
    """Relative to the data root."""
    name: str = "store.zarr"
    """Of the store within the folder."""
    _beaten: float = field(default=float("-inf"), init=False)

    @property
    def path(self) -> PurePosixPath:
        """Where the store is built, relative to the data root."""
        return self.folder / self.name

    @property
    def store(self) -> Place:
        """Where the Zarr store is built."""
        return self.attempt.data.place(self.path)

    def beat(self) -> None:
        """Show that the attempt is alive; raises `Stopped` if it has been asked to stop."""
        self.attempt.stop.checkpoint()
        if self.is_due():
            self.attempt.data.storage.touch(self.folder / HEARTBEAT)

    def is_due(self) -> bool:
        """Whether it is time to show it again; if so, from now on it no longer is."""
        now = time.monotonic()
        due = now - self._beaten >= self.attempt.data.storage.beat_seconds
        self._beaten = now if due else self._beaten
        return due


@contextmanager
def staging(attempt: Attempt, dataset_id: str) -> Generator[Staging]:
    """Provide a staging folder, and remove it in the end whatever happens.

    Also removes what attempts that were killed have left behind.
    """
    storage = attempt.data.storage
    versions = datasets.versions_path(dataset_id)
    place = Staging(attempt, versions / f"{_STAGING}{attempt.job_uid}-{attempt.pod_uid}")
    attempt.stop.defer()
    # The same attempt again can only be a container that was restarted: what it left cannot be gone on with.
    storage.remove(place.folder)
    try:
        place.beat()
        _remove_leftovers(dataset_id, place)
        yield place
    finally:
        storage.remove(place.folder)


def publish(place: Staging, dataset: Dataset) -> None:
    """Give the store in staging its version's name and make it the current one."""
    storage = place.attempt.data.storage
    note = place.folder / _NOTE
    storage.replace(note, dataset.version.encode(), place.attempt.pod_uid)
    storage.publish(place.path, datasets.store_path(dataset.id, dataset.version), place.beat)
    point_to(place.attempt, dataset)
    storage.remove(note)


def point_to(attempt: Attempt, dataset: Dataset) -> None:
    """Make a published version the current one of its data set, in one step."""
    content = dataset.model_dump_json(indent=2) + "\n"
    attempt.data.storage.replace(datasets.pointer_path(dataset.id), content.encode(), attempt.pod_uid)


def find(attempt: Attempt, dataset: Dataset, *, or_equal: bool = False) -> Dataset | None:
    """The version of a data set if it is published, made current where its publisher was killed before that.

    `or_equal` takes versions that were made anew of the same: the newest of all.
    """
    found = [
        name
        for name in attempt.data.versions(dataset.id)
        if name == dataset.version or (or_equal and name.startswith(f"{dataset.version}-"))
    ]
    if not found:
        return None
    record = StoreReader(attempt.data.place(datasets.store_path(dataset.id, found[-1]))).record
    if _is_unfinished(attempt, record):
        point_to(attempt, record)
    return record


def clear(attempt: Attempt, dataset_id: str) -> None:
    """Remove every folder that attempts at this job have built in, once none of them is of use any more."""
    storage, versions = attempt.data.storage, datasets.versions_path(dataset_id)
    for name in storage.folders(versions):
        if name == f"{SHARED}{attempt.job_uid}" or name.startswith(f"{_STAGING}{attempt.job_uid}-"):
            storage.remove(versions / name)


def _is_unfinished(attempt: Attempt, dataset: Dataset) -> bool:
    """Whether a version has its name, but may not have been made current, because its publisher was killed."""
    storage = attempt.data.storage
    if not storage.exists(datasets.pointer_path(dataset.id)):
        return True
    return dataset.version in _notes(storage, dataset.id).values()


def _notes(storage: Storage, dataset_id: str) -> dict[PurePosixPath, str]:
    """The versions that are being published, by the folder they come from."""
    versions = datasets.versions_path(dataset_id)
    notes: dict[PurePosixPath, str] = {}
    for name in storage.folders(versions):
        if name.startswith((_STAGING, SHARED)):
            try:
                notes[versions / name] = storage.read(versions / name / _NOTE).decode()
            except FileNotFoundError:
                continue
    return notes


def _remove_leftovers(dataset_id: str, own: Staging) -> None:
    storage, versions = own.attempt.data.storage, datasets.versions_path(dataset_id)
    # Ages are measured against a file written just now, so that the clocks of nodes and storage may differ.
    now = storage.touch(own.folder / HEARTBEAT)
    for name in storage.folders(versions):
        folder = versions / name
        if folder == own.folder or not name.startswith((_STAGING, SHARED)):
            continue
        beats = [entry.modified for entry in storage.files(folder) if entry.name == HEARTBEAT]
        if not beats:
            # Removed just now, or written by somebody who did not know that it was: that grows old from now on.
            if storage.sizes(folder):
                storage.touch(folder / HEARTBEAT)
            continue
        same_job = name.startswith(f"{_STAGING}{own.attempt.job_uid}-")
        if now - beats[0] > (OWN_LEFTOVER_SECONDS if same_job else datasets.ABANDONED_SECONDS):
            _remove_leftover(storage, dataset_id, folder, own.attempt.data.versions(dataset_id))


def _remove_leftover(storage: Storage, dataset_id: str, folder: PurePosixPath, published: list[str]) -> None:
    notes = _notes(storage, dataset_id)
    version = notes.pop(folder, None)
    if version and version not in published and version not in notes.values():
        # In a bucket a publisher that was killed leaves a part of its copy, which nobody was ever told of.
        storage.remove(datasets.store_path(dataset_id, version))
    storage.remove(folder)
