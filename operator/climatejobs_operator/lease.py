"""The Lease that elects the leader: what is stored, who may take it, and what its holder writes. Pure.

Times inside a Lease are for people. Nobody compares them with a clock of his own: a Lease counts as abandoned when
it has not changed for its whole duration by the clock of the one who watches it, so clocks need not agree.
"""

from datetime import datetime
from typing import Self

from pydantic import JsonValue

from climatejobs import names
from climatejobs.model import KubernetesModel, MicroTime, ObjectMeta

type Manifest = dict[str, JsonValue]

DURATION_SECONDS = 15
"""After so long without a change anybody may take the Lease."""
RENEW_DEADLINE_SECONDS = 10.0
"""A holder that has not renewed for so long stops acting: well before anybody else may start."""
RETRY_SECONDS = 2.0
"""Between two renewals, or two looks at somebody else's Lease."""


class LeaseSpec(KubernetesModel):
    """Who holds the Lease and since when."""

    holder_identity: str | None = None
    lease_duration_seconds: int = DURATION_SECONDS
    acquire_time: MicroTime | None = None
    renew_time: MicroTime | None = None
    lease_transitions: int = 0


class Lease(KubernetesModel):
    """A coordination.k8s.io/v1 Lease."""

    metadata: ObjectMeta
    spec: LeaseSpec = LeaseSpec()

    @classmethod
    def from_manifest(cls, manifest: object) -> Self:
        """Read a Lease as the API server gives it."""
        return cls.model_validate(manifest)

    @property
    def address(self) -> str | None:
        """Where the holder takes reports, as host:port; None where nobody holds the Lease."""
        return self.metadata.annotations.get(names.ANNOTATION_ADDRESS) if self.spec.holder_identity else None


def may_take(lease: Lease, identity: str, unchanged_seconds: float) -> bool:
    """Whether `identity` may take the Lease, which has not changed for that long.

    An identity is a pod's name. A container starts only after its predecessor in the same pod has ended, so a
    Lease in one's own name is that of somebody who is dead.
    """
    holder = lease.spec.holder_identity
    return not holder or holder == identity or unchanged_seconds >= lease.spec.lease_duration_seconds


def held(name: str, identity: str, address: str | None, now: datetime, previous: Lease | None) -> Manifest:
    """The Lease in the hands of `identity`: taken, or renewed where it was in them before."""
    before = previous.spec if previous is not None else LeaseSpec()
    kept = before.holder_identity == identity
    spec = LeaseSpec(
        holder_identity=identity,
        lease_duration_seconds=DURATION_SECONDS,
        acquire_time=before.acquire_time if kept and before.acquire_time is not None else now,
        renew_time=now,
        lease_transitions=before.lease_transitions + (0 if kept or previous is None else 1),
    )
    return _manifest(name, spec, {} if address is None else {names.ANNOTATION_ADDRESS: address}, previous)


def released(name: str, now: datetime, previous: Lease) -> Manifest:
    """The Lease laid down by its holder: anybody may take it at once."""
    spec = LeaseSpec(lease_duration_seconds=1, renew_time=now, lease_transitions=previous.spec.lease_transitions)
    return _manifest(name, spec, {}, previous)


def _manifest(name: str, spec: LeaseSpec, annotations: dict[str, str], previous: Lease | None) -> Manifest:
    metadata: Manifest = {"name": name, "annotations": dict(annotations)}
    if previous is not None:
        # Naming the version makes the write conditional: of two that take the Lease, one succeeds.
        metadata["resourceVersion"] = previous.metadata.resource_version
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": spec.to_manifest(),
    }
