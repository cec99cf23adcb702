"""ClimateJobs as they come over the wire, trimmed to what is read and kept as bytes until somebody asks.

Parsing everything at once would cost ten times the memory at 50,000 jobs; so only what orders and finds a job is
taken out, and the model of core reads the rest on demand.
"""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from pydantic import ValidationError

from climatejobs.model import ClimateJob, Phase, submission_time
from climatejobs.names import GROUP, IN_LINE
from climatejobs.ogc.statusinfo import StatusCode, code_of
from climatejobs_api.store import Position, UnreadableJob, position_of


class Turn(NamedTuple):
    """When a waiting job starts: those of higher priority first, then those submitted earlier."""

    precedence: int
    position: Position


class Record(msgspec.Struct, frozen=True, gc=False):
    """One job as it is kept."""

    position: Position
    uid: str
    version: int
    """The object's resourceVersion; greater is newer."""
    process: str
    phase: Phase
    stopping: bool
    """Whether it is to be stopped, whatever its phase."""
    turn: Turn | None
    """Set while it waits for a slot."""
    started: datetime | None
    finished: datetime | None
    content: bytes
    """The trimmed object as JSON."""

    @property
    def name(self) -> str:
        return self.position.name

    @property
    def status(self) -> StatusCode:
        return code_of(self.phase, stopping=self.stopping)

    @property
    def ended(self) -> bool:
        return self.phase.terminal

    def read(self) -> ClimateJob:
        """The job; raises `UnreadableJob` where it does not fit the model."""
        try:
            return ClimateJob.model_validate_json(self.content)
        except ValidationError as error:
            raise UnreadableJob(self.name) from error


class _Metadata(msgspec.Struct, rename="camel", omit_defaults=True):
    name: str
    namespace: str
    uid: str
    resource_version: str
    creation_timestamp: str
    generation: int = 1
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class _Manifest(msgspec.Struct):
    metadata: _Metadata
    spec: msgspec.Raw = msgspec.Raw(b"{}")
    status: msgspec.Raw = msgspec.Raw(b"{}")


class _SpecHead(msgspec.Struct):
    process: str = ""
    cancel: bool = False
    suspend: bool = False
    priority: int = 0


class _StatusHead(msgspec.Struct, rename="camel"):
    phase: str | None = None
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None


class _PageMetadata(msgspec.Struct, rename={"resource_version": "resourceVersion", "following": "continue"}):
    resource_version: str
    following: str = ""


class _Page(msgspec.Struct):
    metadata: _PageMetadata
    items: list[_Manifest]


class Page(msgspec.Struct, frozen=True):
    """A part of the list of all jobs."""

    records: Sequence[Record]
    version: str
    """The resourceVersion of the whole list."""
    following: str
    """Where the next part begins; empty after the last."""


class Event(msgspec.Struct, frozen=True):
    """One line of a watch."""

    type: str
    object: msgspec.Raw


class Failure(msgspec.Struct, frozen=True):
    """A metav1.Status: what the API server says when it does not do what it was asked."""

    code: int = 0
    reason: str = ""
    message: str = ""


class _BookmarkMetadata(msgspec.Struct, rename="camel"):
    resource_version: str


class _Bookmark(msgspec.Struct):
    metadata: _BookmarkMetadata


_read_manifest = msgspec.json.Decoder(_Manifest)
_read_page = msgspec.json.Decoder(_Page)
_read_event = msgspec.json.Decoder(Event)
_read_bookmark = msgspec.json.Decoder(_Bookmark)
_read_failure = msgspec.json.Decoder(Failure)
_PHASES = {phase.value: phase for phase in Phase}
_read_spec = msgspec.json.Decoder(_SpecHead)
_read_status = msgspec.json.Decoder(_StatusHead)
_encoder = msgspec.json.Encoder()


def decode_record(content: bytes | msgspec.Raw) -> Record:
    """Read one ClimateJob."""
    return _keep(_read_manifest.decode(content))


def decode_page(content: bytes) -> Page:
    """Read a part of a list."""
    page = _read_page.decode(content)
    return Page([_keep(item) for item in page.items], page.metadata.resource_version, page.metadata.following)


def decode_event(line: bytes) -> Event:
    """Read one line of a watch."""
    return _read_event.decode(line)


def decode_bookmark(content: msgspec.Raw) -> str:
    """The resourceVersion that a bookmark speaks of."""
    return _read_bookmark.decode(content).metadata.resource_version


def decode_failure(content: bytes | msgspec.Raw) -> Failure:
    """What the API server says went wrong; empty where it is not in its usual form."""
    try:
        return _read_failure.decode(content)
    except msgspec.MsgspecError:
        return Failure()


def _keep(manifest: _Manifest) -> Record:
    metadata = manifest.metadata
    metadata.annotations = _own(metadata.annotations)
    metadata.labels = _own(metadata.labels)
    submitted_at = submission_time(metadata.annotations, datetime.fromisoformat(metadata.creation_timestamp))
    spec, status = _read_spec.decode(manifest.spec), _read_status.decode(manifest.status)
    position = position_of(submitted_at, metadata.name)
    waits = status.message.startswith(IN_LINE) and not (spec.cancel or spec.suspend)
    return Record(
        position=position,
        uid=metadata.uid,
        version=int(metadata.resource_version),
        process=sys.intern(spec.process),
        phase=_PHASES.get(status.phase or "", Phase.PENDING),
        stopping=spec.cancel or metadata.deletion_timestamp is not None,
        turn=Turn(-spec.priority, position) if waits else None,
        started=_moment(status.started_at),
        finished=_moment(status.finished_at),
        content=_encoder.encode(manifest),
    )


def _moment(text: str | None) -> datetime | None:
    """A time of the status; one that cannot be read is told apart when the whole record is read."""
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _own(members: Mapping[str, str]) -> dict[str, str]:
    """Only what belongs to this project: others keep whole copies of the object in annotations."""
    return {name: value for name, value in members.items() if name.startswith(f"{GROUP}/")}
