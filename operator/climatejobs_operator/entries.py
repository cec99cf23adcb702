"""ClimateJobs as the cache keeps them: those that wait, and there may be thousands, folded to a few bytes."""

import sys
from collections.abc import Mapping
from typing import NamedTuple, cast

from pydantic import ValidationError

from climatejobs.model import TERMINAL_PHASES, ClimateJob, ClimateJobSpec, ClimateJobStatus, ObjectMeta
from climatejobs_operator.faults import describe

type Manifest = Mapping[str, object]


class Identity(NamedTuple):
    """Which object, and which state of it."""

    name: str
    uid: str
    resource_version: str

    @property
    def version(self) -> int:
        """The resourceVersion as a number: within one kind, a larger one is later."""
        return int(self.resource_version)


class Entry:
    """A ClimateJob, and why its spec could not be read where it could not (a stand-in is in its place then)."""

    __slots__ = ("_climatejob", "_folded", "metadata", "standing", "unreadable")

    def __init__(self, climatejob: ClimateJob, unreadable: str | None = None) -> None:
        metadata = climatejob.metadata
        self.metadata = Identity(metadata.name, metadata.uid, metadata.resource_version)
        self.standing = (sys.intern(climatejob.spec.process), climatejob.phase)
        """Process and phase, also of a folded entry."""
        self.unreadable = unreadable
        self._climatejob: ClimateJob | None = climatejob
        self._folded = b""

    @property
    def climatejob(self) -> ClimateJob:
        """The ClimateJob; of a folded entry, read anew each time."""
        return self._climatejob or ClimateJob.model_validate_json(self._folded)

    def unfold(self) -> None:
        """Keep the ClimateJob read, as it is going to be looked at often."""
        self._climatejob = self.climatejob
        self._folded = b""

    def fold(self) -> None:
        """Keep the ClimateJob as JSON, a tenth of its size, if it has no Job: then it is seldom looked at."""
        if self._climatejob is not None and self._climatejob.status.job_name is None and self.unreadable is None:
            self._folded = self._climatejob.model_dump_json(by_alias=True, exclude_unset=True).encode()
            self._climatejob = None


def identify(manifest: Manifest) -> Identity:
    """Which object a manifest is of, without reading the rest."""
    metadata = cast(Mapping[str, str], manifest["metadata"])
    return Identity(metadata["name"], metadata["uid"], metadata["resourceVersion"])


def has_ended(manifest: Manifest) -> bool:
    """Whether a manifest is of a ClimateJob that has come to its end."""
    status = cast(Mapping[str, object], manifest.get("status") or {})
    return status.get("phase") in TERMINAL_PHASES


def owes_callbacks(manifest: Manifest) -> bool:
    """Whether a manifest is of a ClimateJob of which its subscriber is still to be told."""
    status = cast(Mapping[str, object], manifest.get("status") or {})
    return status.get("callbacksDue") is True


def read_entry(manifest: Manifest) -> Entry:
    """Read a ClimateJob. The API server lets a few specs through that the model refuses; they are kept as such."""
    try:
        return Entry(ClimateJob.from_manifest(manifest))
    except ValidationError as error:
        faults = describe(error)
    metadata = ObjectMeta.model_validate(manifest["metadata"])
    try:
        status = ClimateJobStatus.model_validate(manifest.get("status") or {})
    except ValidationError:
        status = ClimateJobStatus()
    return Entry(ClimateJob(metadata=metadata, spec=ClimateJobSpec(process="unreadable"), status=status), faults)
