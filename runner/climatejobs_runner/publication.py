"""From a store under construction to a version that everyone reads, without a moment between.

A version is built in a staging folder of its attempt's own, made durable, and renamed to its name; then the
pointer is replaced. Versions never change once they have their name, so two publishers of one version do no
harm: a rename that finds its target there has succeeded. Two publishers of different versions both replace
the pointer, and the last one stands: each pointer names a complete version, so no lock is needed (and none
would be reliable on a network file system).

A publisher that dies between rename and pointer leaves a note in its staging folder; whoever comes across
that version next finishes the work.
"""

import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from climatejobs import datasets
from climatejobs.datasets import Dataset
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.stores import StoreReader

OWN_LEFTOVER_SECONDS = 120
"""Age of the heartbeat after which staging of an earlier attempt at the same job is removed."""
ANY_LEFTOVER_SECONDS = 24 * 3600
"""The same for staging of any job."""
SHARED = ".shared-"
"""What the name of a folder begins with in which several attempts build one version."""
HEARTBEAT = "heartbeat"
"""A file in every such folder, touched by whoever is at work in it."""
_STAGING = ".staging-"
_NOTE = "publishing"


@dataclass(frozen=True)
class Staging:
    """A folder to build one version in; seen by nobody else."""

    folder: Path
    attempt: Attempt

    @property
    def store(self) -> Path:
        """Where the Zarr store is built."""
        return self.folder / "store.zarr"

    def beat(self) -> None:
        """Show that the attempt is alive; raises `Stopped` if it has been asked to stop."""
        self.attempt.stop.checkpoint()
        (self.folder / HEARTBEAT).touch()


@contextmanager
def staging(attempt: Attempt, dataset_id: str) -> Generator[Staging]:
    """Provide a staging folder, and remove it in the end whatever happens.

    Also removes what attempts that were killed have left behind.
    """
    versions = attempt.data.place(datasets.versions_path(dataset_id))
    versions.mkdir(parents=True, exist_ok=True)
    place = Staging(versions / f"{_STAGING}{attempt.job_uid}-{attempt.pod_uid}", attempt)
    attempt.stop.defer()
    # The same attempt again can only be a container that was restarted: what it left cannot be gone on with.
    shutil.rmtree(place.folder, ignore_errors=True)
    place.folder.mkdir()
    try:
        place.beat()
        _remove_leftovers(versions, place)
        yield place
    finally:
        shutil.rmtree(place.folder, ignore_errors=True)


def publish(place: Staging, dataset: Dataset) -> None:
    """Give the store in staging its version's name and make it the current one."""
    versions = place.folder.parent
    make_durable(place.store, place.beat)
    note = place.folder / _NOTE
    note.write_text(dataset.version, encoding="utf-8")
    sync(place.folder)
    try:
        place.store.rename(versions / f"{dataset.version}.zarr")
    except OSError:
        if not (versions / f"{dataset.version}.zarr").is_dir():
            raise
    sync(versions)
    point_to(place.attempt, dataset)
    note.unlink(missing_ok=True)


def point_to(attempt: Attempt, dataset: Dataset) -> None:
    """Make a published version the current one of its data set, in one step."""
    pointer = attempt.data.place(datasets.pointer_path(dataset.id))
    replace_file(pointer, dataset.model_dump_json(indent=2) + "\n", attempt.pod_uid)


def replace_file(path: Path, text: str, writer: str) -> None:
    """Write a file durably and in one step; `writer` is nobody else's."""
    draft = path.with_name(f".{path.name}-{writer}")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync(path.parent)


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


def _is_unfinished(attempt: Attempt, dataset: Dataset) -> bool:
    """Whether a version has its name, but may not have been made current, because its publisher was killed."""
    if not attempt.data.place(datasets.pointer_path(dataset.id)).exists():
        return True
    versions = attempt.data.place(datasets.versions_path(dataset.id))
    return any(
        _read_note(note) == dataset.version for kind in (_STAGING, SHARED) for note in versions.glob(f"{kind}*/{_NOTE}")
    )


def _read_note(note: Path) -> str | None:
    try:
        return note.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None  # its attempt has come to its end meanwhile


def _remove_leftovers(versions: Path, own: Staging) -> None:
    # Ages are measured against a file written just now, so that the clocks of nodes and file server may differ.
    now = (own.folder / HEARTBEAT).stat().st_mtime
    for folder in (*versions.glob(f"{_STAGING}*"), *versions.glob(f"{SHARED}*")):
        if folder == own.folder or folder.is_symlink():
            continue
        heartbeat = folder / HEARTBEAT
        try:
            age = now - (heartbeat if heartbeat.exists() else folder).stat().st_mtime
        except FileNotFoundError:
            continue  # its own attempt has removed it
        same_job = folder.name.startswith(f"{_STAGING}{own.attempt.job_uid}-")
        if age > (OWN_LEFTOVER_SECONDS if same_job else ANY_LEFTOVER_SECONDS):
            shutil.rmtree(folder, ignore_errors=True)


def make_durable(root: Path, beat: Callable[[], None]) -> None:
    """Have everything below a folder reach the disk, calling `beat` in between."""
    for folder, _, names in os.walk(root, topdown=False):
        for name in names:
            sync(Path(folder, name))
        beat()
        sync(Path(folder))


def sync(path: Path) -> None:
    """Have a file or folder reach the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
