"""The API server as a benchmark needs it: many writes at a time, and watches, with little work of our own."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

from climatejobs_operator.login import Credentials

type Object = dict[str, Any]

MERGE = "application/merge-patch+json"
_NO_LIMIT = aiohttp.ClientTimeout(total=None)


class ApiServer:
    """One namespace of an API server."""

    def __init__(self, credentials: Credentials, namespace: str) -> None:
        self._server = credentials.server
        self._session = credentials.open_session()
        self._namespace = namespace

    async def close(self) -> None:
        await self._session.close()

    def path(self, version: str, plural: str, *parts: str) -> str:
        root = "apis" if "/" in version else "api"
        return "/".join((f"/{root}/{version}/namespaces/{self._namespace}/{plural}", *parts))

    async def send(
        self, method: str, path: str, body: Mapping[str, Any], content_type: str = "application/json"
    ) -> Object:
        """One request that has to succeed; its answer."""
        data = json.dumps(body)
        async with self._session.request(
            method, self._server + path, data=data, headers={"Content-Type": content_type}
        ) as answer:
            text = await answer.read()
            if not answer.ok:
                raise RuntimeError(f"{method} {path} was answered {answer.status}: {text.decode()}")
            return json.loads(text)

    async def post(self, path: str, body: Mapping[str, Any]) -> Object:
        return await self.send("POST", path, body)

    async def merge(self, path: str, body: Mapping[str, Any]) -> Object:
        return await self.send("PATCH", path, body, MERGE)

    async def list(self, path: str, **query: str) -> list[Object]:
        async with self._session.get(self._server + path, params=query) as answer:
            answer.raise_for_status()
            return json.loads(await answer.read())["items"]

    async def watch(self, path: str) -> AsyncIterator[tuple[str, Object]]:
        """Type and object of everything there is, and of every change from then on."""
        query = {"watch": "true"}
        async with self._session.get(self._server + path, params=query, timeout=_NO_LIMIT) as answer:
            answer.raise_for_status()
            buffer = b""
            async for chunk in answer.content.iter_any():
                *lines, buffer = (buffer + chunk).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    yield event["type"], event["object"]
        raise RuntimeError(f"the watch of {path} ended")
