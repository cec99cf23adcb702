"""Several processes that build one version together, through nothing but the data root.

    versions/.shared-<job uid>/
        pin.json        what is computed, from which version of the source; there before anything else is
        store.zarr      the store under construction, its metadata complete from the start
        heartbeat       touched by everyone at work
        done-<n>.json   shard n has done its part

The first one makes all of it in a folder of its own and renames that, so whoever finds the folder finds it whole.
Any shard may be killed, repeated or run twice at the same time: it writes its own chunks alone, each of them whole
and always the same. Only the records say what is done; the presence of a chunk says nothing. Whoever finds all
records verifies and publishes. The folder stays without its store, and tells a shard that comes late what was made.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from climatejobs import datasets
from climatejobs.errors import DataError, TemporaryError
from climatejobs_runner import publication
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.publication import Staging
from climatejobs_runner.shards import PartDone, Pin, check_parts

_PIN = "pin.json"


class Published(Exception):
    """Others have published the version meanwhile; there is nothing left to do."""


def find_pin(attempt: Attempt, dataset_id: str) -> Pin | None:
    """What the shards of this job compute, if one of them has begun."""
    try:
        text = (_folder(attempt, dataset_id) / _PIN).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return Pin.model_validate_json(text)
    except ValidationError as error:
        raise DataError(f"{_PIN} of job {attempt.job_uid} cannot be read: {error}") from None


def begin(attempt: Attempt, pin: Pin, prepare: Callable[[Path], None]) -> Pin:
    """Pin what is computed, and have the store prepared; what another shard has begun meanwhile comes first."""
    target = _folder(attempt, pin.result.id)
    with publication.staging(attempt, pin.result.id) as place:
        prepare(place.store)
        (place.folder / _PIN).write_text(pin.model_dump_json(), encoding="utf-8")
        publication.make_durable(place.folder, place.beat)
        if target.exists() and find_pin(attempt, pin.result.id) is None:
            # Left by a shard that went on writing after the folder had been removed as abandoned.
            shutil.rmtree(target, ignore_errors=True)
        try:
            place.folder.rename(target)
        except OSError:
            if not target.is_dir():
                raise
        publication.sync(target.parent)
    found = find_pin(attempt, pin.result.id)
    if found is None:
        raise TemporaryError(f"{target.name} has vanished while it was in use", hint="The next attempt begins anew.")
    return found


@dataclass(frozen=True)
class Shared:
    """The folder of a version that several build."""

    attempt: Attempt
    pin: Pin

    @property
    def staging(self) -> Staging:
        """The folder as publication knows it."""
        return Staging(_folder(self.attempt, self.pin.result.id), self.attempt)

    def beat(self) -> None:
        """Show that somebody is at work; raises `Published` if others have done everything, and `Stopped`."""
        self.attempt.stop.checkpoint()
        try:
            os.utime(self.staging.folder / publication.HEARTBEAT)
        except FileNotFoundError:
            raise Published from None
        if not (self.staging.store / "zarr.json").exists():
            raise Published

    def complete(self, chunks: range) -> None:
        """Record that a part is done, once all of it is durable."""
        store = self.staging.store
        files = {
            str(path.relative_to(store)): path.stat().st_size
            for array in (store / variable.name / "c" for variable in self.pin.result.variables)
            for chunk in chunks
            for path in _files(array / str(chunk))
        }
        folders = {folder for name in files for folder in (store / name).relative_to(store).parents}
        for path in (*files, *sorted(folders, reverse=True)):
            publication.sync(store / path)
            self.beat()
        done = PartDone(shard=self.attempt.shard.index, chunks=(chunks.start, chunks.stop), files=files)
        publication.replace_file(self._record(done.shard), done.model_dump_json(), self.attempt.pod_uid)

    def has_done(self, shard: int) -> bool:
        """Whether a shard has recorded that its part is done."""
        return self._record(shard).exists()

    def is_complete(self) -> bool:
        """Whether every shard has recorded that its part is done."""
        return all(map(self.has_done, range(self.pin.shards)))

    def publish(self, chunks: int) -> None:
        """Verify that everything is there as it was written, sweep what is not part of it, and publish.

        Raises `Published` where another one was faster, and `DataError` where something is missing.
        """
        place = self.staging
        try:
            records = [self._record(index).read_text(encoding="utf-8") for index in range(self.pin.shards)]
            files = check_parts(map(PartDone.model_validate_json, records), chunks)
            for name, size in files.items():
                if (place.store / name).stat().st_size != size:
                    raise DataError(f"{name} is not as its shard has written it", hint="Submit the job again.")
            for partial in place.store.rglob("*.partial"):
                partial.unlink(missing_ok=True)
            publication.publish(place, self.pin.result)
        except (FileNotFoundError, DataError) as error:
            if self.is_published():
                raise Published from None
            if isinstance(error, DataError):
                raise
            raise DataError(f"{error.filename} of a finished part is missing", hint="Submit the job again.") from None

    def is_published(self) -> bool:
        """Whether the version has its name."""
        return self.pin.result.version in self.attempt.data.versions(self.pin.result.id)

    def settle(self) -> None:
        """Once the version is published: finish what its publisher may have left, and remove the store if it is
        still there, because another job made the same version or a shard wrote to it too late."""
        publication.find(self.attempt, self.pin.result)
        shutil.rmtree(self.staging.store, ignore_errors=True)

    def _record(self, index: int) -> Path:
        return self.staging.folder / f"done-{index}.json"


def _folder(attempt: Attempt, dataset_id: str) -> Path:
    return attempt.data.place(datasets.versions_path(dataset_id)) / f"{publication.SHARED}{attempt.job_uid}"


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".partial")
