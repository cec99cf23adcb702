"""Several processes that build one version together, through nothing but the data root.

    versions/.shared-<job uid>/
        heartbeat       touched by everyone at work
        <pod uid>.zarr  the store under construction, its metadata complete from the start
        pin/pin.json    what is computed, from which version of the source, and in which store
        done-<n>.json   shard n has done its part
        publisher/claim which shard publishes

Everyone who finds no pin prepares a store and offers it in a pin; the storage takes one, and the others work with
that. Any shard may be killed, repeated or run twice at the same time: it writes its own chunks alone, each of them
whole and always the same. Only the records say what is done; the presence of a chunk says nothing. Whoever finds all
records claims the publication for its shard, verifies and publishes; if it is killed it is repeated, and finds its
claim. The folder stays without its store, and tells a shard that comes late what was made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from pydantic import ValidationError

from climatejobs import datasets
from climatejobs.errors import DataError, TemporaryError
from climatejobs_runner import publication
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.publication import HEARTBEAT, SHARED, Staging
from climatejobs_runner.shards import PartDone, Pin, check_parts
from climatejobs_runner.storage import Place, Storage

_PIN = PurePosixPath("pin", "pin.json")
_CLAIM = PurePosixPath("publisher", "claim")


class Published(Exception):
    """Others have published the version meanwhile; there is nothing left to do."""


def find_pin(attempt: Attempt, dataset_id: str) -> Pin | None:
    """What the shards of this job compute, if one of them has begun."""
    try:
        text = attempt.data.storage.read(_folder(attempt, dataset_id) / _PIN)
    except FileNotFoundError:
        return None
    try:
        return Pin.model_validate_json(text)
    except ValidationError as error:
        raise DataError(f"{_PIN.name} of job {attempt.job_uid} cannot be read: {error}") from None


def begin(attempt: Attempt, pin: Pin, prepare: Callable[[Place], None]) -> Pin:
    """Pin what is computed, and have the store prepared; what another shard has begun meanwhile comes first."""
    # Entered and left at once, for what it removes of attempts that were killed.
    with publication.staging(attempt, pin.result.id):
        pass
    # Whoever was faster may have come to its end and cleared everything away before its pin was read.
    found = _offer(attempt, pin, prepare) or _offer(attempt, pin, prepare)
    if found is None:
        folder = _folder(attempt, pin.result.id)
        raise TemporaryError(f"{folder.name} has vanished while it was in use", hint="The next attempt begins anew.")
    return found


def _offer(attempt: Attempt, pin: Pin, prepare: Callable[[Place], None]) -> Pin | None:
    """Prepare a store and offer it in a pin; the pin that the storage took, None where that is gone already."""
    storage, folder = attempt.data.storage, _folder(attempt, pin.result.id)
    offered = Staging(attempt, folder, pin.store)
    storage.touch(folder / HEARTBEAT)
    storage.remove(offered.path)
    try:
        prepare(offered.store)
        storage.settle(offered.path, storage.sizes(offered.path), offered.beat)
        if storage.create(folder / _PIN, pin.model_dump_json().encode(), attempt.pod_uid):
            return pin
    except FileNotFoundError:
        # The others may have come to their end meanwhile, and removed what was under construction, or the whole folder.
        if storage.exists(folder / HEARTBEAT) and find_pin(attempt, pin.result.id) is None:
            raise
    found = find_pin(attempt, pin.result.id)
    if found is None or found.store != pin.store:
        storage.remove(offered.path)
    return found


@dataclass(frozen=True)
class Shared:
    """The folder of a version that several build."""

    attempt: Attempt
    pin: Pin
    staging: Staging

    @classmethod
    def of(cls, attempt: Attempt, pin: Pin) -> "Shared":
        """The folder that a pin speaks of."""
        return cls(attempt, pin, Staging(attempt, _folder(attempt, pin.result.id), pin.store))

    def beat(self) -> None:
        """Show that somebody is at work; raises `Published` if others have done everything, and `Stopped`."""
        self.attempt.stop.checkpoint()
        if self.staging.is_due():
            if not self._storage.exists(self.staging.path / "zarr.json"):
                raise Published
            self._storage.touch(self.staging.folder / HEARTBEAT)

    def complete(self, chunks: range) -> None:
        """Record that a part is done, once all of it is durable."""
        files = {
            str(array / str(chunk) / name): size
            for array in (PurePosixPath(variable.name, "c") for variable in self.pin.result.variables)
            for chunk in chunks
            for name, size in self._storage.sizes(self.staging.path / array / str(chunk)).items()
        }
        self._storage.settle(self.staging.path, files, self.beat)
        done = PartDone(shard=self.attempt.shard.index, chunks=(chunks.start, chunks.stop), files=files)
        self._storage.replace(self._record(done.shard), done.model_dump_json().encode(), self.attempt.pod_uid)

    def has_done(self, shard: int) -> bool:
        """Whether a shard has recorded that its part is done."""
        return self._storage.exists(self._record(shard))

    def is_complete(self) -> bool:
        """Whether every shard has recorded that its part is done."""
        return all(map(self.has_done, range(self.pin.shards)))

    def claim(self) -> int | None:
        """Ask for the publication; the shard whose it is."""
        claim = self.staging.folder / _CLAIM
        self._storage.create(claim, str(self.attempt.shard.index).encode(), self.attempt.pod_uid)
        return self.publisher()

    def publisher(self) -> int | None:
        """The shard that publishes, and so the one that tells of it; None where it was another job."""
        try:
            return int(self._storage.read(self.staging.folder / _CLAIM))
        except FileNotFoundError:
            return None

    def publish(self, chunks: int) -> None:
        """Verify that everything is there as it was written, and publish it.

        Raises `Published` where another one was faster, and `TemporaryError` where something is missing: a network
        file system may show it to the next attempt.
        """
        try:
            records = [self._storage.read(self._record(index)) for index in range(self.pin.shards)]
            wanted = check_parts(map(PartDone.model_validate_json, records), chunks)
            there = self._storage.sizes(self.staging.path)
            for name, size in wanted.items():
                if there.get(name) != size:
                    raise TemporaryError(
                        f"{name} is not as its shard has written it",
                        hint="If the next attempts find the same, submit the job again.",
                    )
            publication.publish(self.staging, self.pin.result)
        except (FileNotFoundError, TemporaryError):
            if self.is_published():
                raise Published from None
            raise

    def is_published(self) -> bool:
        """Whether the version has its name."""
        return self.pin.result.version in self.attempt.data.versions(self.pin.result.id)

    def settle(self) -> None:
        """Once the version is published: finish what its publisher may have left, and remove the stores that are
        still there, because another job made the same version or a shard wrote to one too late."""
        publication.find(self.attempt, self.pin.result)
        for name in self._storage.folders(self.staging.folder):
            if name.endswith(".zarr"):
                self._storage.remove(self.staging.folder / name)

    @property
    def _storage(self) -> Storage:
        return self.attempt.data.storage

    def _record(self, index: int) -> PurePosixPath:
        return self.staging.folder / f"done-{index}.json"


def _folder(attempt: Attempt, dataset_id: str) -> PurePosixPath:
    return datasets.versions_path(dataset_id) / f"{SHARED}{attempt.job_uid}"
