"""Nodes that are there and nothing more, so that pods can be bound to them: a pod without its node is taken away."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from api_server import ApiServer, Object

_NODES = "/api/v1/nodes"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_BEAT_SECONDS = 10.0
"""As a kubelet does. Pods of a node that falls silent are written to, and in the end evicted."""


class Node:
    """What a kubelet tells of its node and the pods there, and a scheduler of where they are."""

    def __init__(self, server: ApiServer, name: str) -> None:
        self._server = server
        self._name = name
        self._telling = asyncio.Lock()
        """A kubelet tells of one pod after the other."""

    async def register(self) -> None:
        """Make the node known, and ready."""
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": _now()}
        node: Object = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self._name}}
        await self._server.post(_NODES, {**node, "status": {"conditions": [ready]}})
        spec = {"holderIdentity": self._name, "leaseDurationSeconds": 40, "renewTime": _now()}
        lease: Object = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": self._name}}
        await self._server.post(_LEASES, {**lease, "spec": spec})

    async def beat(self) -> None:
        """Say that the node is alive, until cancelled."""
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            await self._server.merge(f"{_LEASES}/{self._name}", {"spec": {"renewTime": _now()}})

    async def bind(self, pod: str) -> None:
        """Give a pod to the node, as the scheduler does."""
        binding: Object = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod}}
        binding["target"] = {"apiVersion": "v1", "kind": "Node", "name": self._name}
        await self._server.post(self._server.path("v1", "pods", pod, "binding"), binding)

    async def tell(self, pod: str, status: Mapping[str, Any]) -> None:
        """Say how a pod is, as its kubelet does."""
        async with self._telling:
            await self._server.merge(self._server.path("v1", "pods", pod, "status"), {"status": status})


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
