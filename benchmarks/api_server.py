"""The API server as a benchmark needs it: many writes at a time, and watches, with little work of our own."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

from climatejobs_operator.login import Credentials

type Object = dict[str, Any]

_MERGE = "application/strategic-merge-patch+json"
"""How the scheduler, the kubelet and the Job controller change pods."""
_PROTOBUF = "application/vnd.kubernetes.protobuf"
"""What Kubernetes' own components ask for: an answer that costs the API server less than JSON does."""
_ADDED = b'{"type":"ADDED"'
_NO_LIMIT = aiohttp.ClientTimeout(total=None)


class ApiServer:
    """One namespace of an API server."""

    def __init__(self, credentials: Credentials, namespace: str) -> None:
        self._server = credentials.server
        self._session = credentials.open_session()
        self._namespace = namespace

    async def aclose(self) -> None:
        await self._session.close()

    def path(self, version: str, plural: str, *parts: str) -> str:
        root = "apis" if "/" in version else "api"
        return "/".join((f"/{root}/{version}/namespaces/{self._namespace}/{plural}", *parts))

    async def post(self, path: str, body: Mapping[str, Any]) -> Object:
        """Create an object; the object as it was created."""
        return json.loads(await self._send("POST", path, body, "application/json"))

    async def replace(self, path: str, body: Mapping[str, Any]) -> None:
        """Put an object in the place of the one there is. The answer is not looked at."""
        await self._send("PUT", path, body, "application/json")

    async def merge(self, path: str, body: Mapping[str, Any]) -> None:
        """Merge into a built-in object. The answer is not looked at, which would cost more than it tells."""
        await self._send("PATCH", path, body, _MERGE)

    async def remove(self, path: str) -> None:
        """Delete an object, and in the background what it owns."""
        await self._send("DELETE", path, {"propagationPolicy": "Background"}, "application/json")

    async def wait_until_empty(self, path: str) -> None:
        """Wait until a collection has nothing in it any more."""
        while True:
            answer = await self._send("GET", f"{path}?limit=1", None, "application/json")
            if not json.loads(answer)["items"]:
                return
            await asyncio.sleep(0.2)

    async def watch_additions(self, path: str) -> AsyncIterator[Object]:
        """Everything there is, and that is made from then on. Changes are not even read.

        The API server ends a watch that does not keep up for a moment; the next one begins with everything again.
        """
        while True:
            query = {"watch": "true"}
            async with self._session.get(self._server + path, params=query, timeout=_NO_LIMIT) as answer:
                answer.raise_for_status()
                buffer = b""
                async for chunk in answer.content.iter_any():
                    *lines, buffer = (buffer + chunk).split(b"\n")
                    for line in lines:
                        if line.startswith(_ADDED):
                            yield json.loads(line)["object"]

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None, content_type: str) -> bytes:
        """One request that has to succeed; its answer."""
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": content_type}
        if method in ("PUT", "PATCH"):
            headers["Accept"] = _PROTOBUF
        async with self._session.request(method, self._server + path, data=data, headers=headers) as answer:
            content = await answer.read()
            if not answer.ok:
                raise RuntimeError(f"{method} {path} was answered {answer.status}: {content.decode(errors='replace')}")
            return content
