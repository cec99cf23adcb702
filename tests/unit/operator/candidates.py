"""Candidates for one Lease: they share a store, and a clock that moves when told to."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, cast

from climatejobs_operator.cluster import Cluster, ClusterError, Conflict, Manifest, NotFound, Resource
from climatejobs_operator.election import Election
from climatejobs_operator.leadership import Leadership

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)


class LeaseStore(Cluster):
    """The one Lease, with the API server's rules for writing it; unreachable where a test says so."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] | None = None
        self.version = 0
        self.away = False

    async def get(self, resource: Resource, name: str) -> Manifest:
        self._reach()
        if self.stored is None:
            raise NotFound("no such lease", status=404)
        return deepcopy(self.stored)

    async def create(self, resource: Resource, manifest: Manifest) -> Manifest:
        self._reach()
        if self.stored is not None:
            raise Conflict("exists", status=409)
        return self._store(manifest)

    async def replace(self, resource: Resource, manifest: Manifest) -> Manifest:
        self._reach()
        if self.stored is None:
            raise NotFound("no such lease", status=404)
        metadata = cast(dict[str, Any], manifest["metadata"])
        if metadata["resourceVersion"] != self.stored["metadata"]["resourceVersion"]:
            raise Conflict("changed", status=409)
        return self._store(manifest)

    @property
    def holder(self) -> str | None:
        return None if self.stored is None else self.stored["spec"].get("holderIdentity")

    def _reach(self) -> None:
        if self.away:
            raise ClusterError("the API server cannot be reached")

    def _store(self, manifest: Manifest) -> Manifest:
        self.version += 1
        stored = cast(dict[str, Any], deepcopy(dict(manifest)))
        stored["metadata"] |= {
            "resourceVersion": str(self.version),
            "uid": "uid-of-lease",
            "namespace": "climate",
            "creationTimestamp": "2026-02-01T12:00:00Z",
        }
        self.stored = stored
        return deepcopy(stored)


class Candidates:
    """Candidates for one Lease; a test makes their moves, which their own loops make every two seconds."""

    def __init__(self) -> None:
        self.store = LeaseStore()
        self.now = 1000.0
        self.members: dict[str, Election] = {}
        self.rights: dict[str, Leadership] = {}

    def join(self, identity: str) -> Election:
        self.rights[identity] = Leadership(lambda: self.now)
        self.members[identity] = Election(
            self.store,
            self.rights[identity],
            name="operator",
            identity=identity,
            address=f"{identity}:8081",
            clock=lambda: self.now,
            now=lambda: NOW,
            chance=lambda: 0.5,
        )
        return self.members[identity]

    @property
    def leaders(self) -> list[str]:
        return [identity for identity, right in self.rights.items() if right.remaining_seconds() > 0]
