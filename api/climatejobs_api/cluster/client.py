"""Calls to the cluster's API server.

Bytes go in and out; what they mean is the business of the modules beside it. Every failure to reach the server, or
its plea to come back later, is a `StoreAway`.
"""

import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Self
from urllib.parse import urlencode

import aiohttp
import msgspec
from pydantic import JsonValue

from climatejobs import names
from climatejobs_api.cluster.connection import Connection
from climatejobs_api.cluster.records import Failure, decode_failure
from climatejobs_api.store import JobGone, NameTaken, NoLog, Refused, StoreAway

MANAGER = "climatejobs-api"
_CALL = aiohttp.ClientTimeout(total=20, sock_connect=5)
_DOWNLOAD = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=20)
_FOLLOW = aiohttp.ClientTimeout(total=None, sock_connect=5)
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)

type Observe = Callable[[str, int, float], None]
"""Told of every call: its verb, the status of the answer (0 where there was none), and the seconds until it began."""


def _unobserved(_verb: str, _status: int, _seconds: float) -> None:
    pass


class WatchExpired(Exception):
    """The point from which to watch, or to go on listing, is too far back: everything has to be listed again."""


class ClusterClient:
    """Calls about the ClimateJobs of one namespace."""

    def __init__(self, connection: Connection, namespace: str, observe: Observe = _unobserved) -> None:
        self._connection = connection
        self._path = f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.PLURAL}"
        self._observe = observe
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._followed: set[aiohttp.ClientResponse] = set()

    @classmethod
    async def connect(cls, namespace: str, kubeconfig: str | None = None, *, observe: Observe = _unobserved) -> Self:
        """Find the cluster: the given kubeconfig, else $KUBECONFIG, else the service account of the pod."""
        return cls(await Connection.open(kubeconfig), namespace, observe)

    async def close(self) -> None:
        """Close all connections."""
        await self._connection.close()

    async def list_page(self, limit: int, following: str) -> bytes:
        """A part of the list; raises `WatchExpired` where it can no longer be continued."""
        query = {"limit": str(limit), **({"continue": following} if following else {})}
        async with self._call("GET", self._path, verb="list", query=query) as response:
            content = await response.read()
            if response.status == 410:
                raise WatchExpired
            _raise_for(response, content)
            return content

    async def watch(self, version: str, *, seconds: int, silence: float) -> AsyncGenerator[bytes]:
        """Lines of a watch from that version on, an empty one as soon as it is open.

        Raises `WatchExpired`, or `StoreAway` after `silence` seconds.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
        }
        limits = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=silence)
        async with self._call("GET", self._path, verb="watch", query=query, limits=limits) as response:
            if response.status == 410:
                raise WatchExpired
            if response.status != 200:
                _raise_for(response, await response.read())
            yield b""
            # Not readline(): it refuses lines above a limit that a large object may exceed.
            rest = b""
            async for piece in response.content.iter_any():
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    yield line

    async def get(self, name: str) -> bytes | None:
        """The object of that name, if there is one."""
        async with self._call("GET", f"{self._path}/{name}") as response:
            content = await response.read()
            if response.status == 404:
                return None
            _raise_for(response, content)
            return content

    async def create(self, manifest: Mapping[str, JsonValue]) -> bytes:
        """Create an object and give it as it is then; raises `NameTaken` or `Refused`."""
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
        async with self._call("POST", self._path, query=query, body=manifest) as response:
            content = await response.read()
            _raise_for(response, content)
            return content

    async def patch(self, name: str, patch: Mapping[str, JsonValue]) -> bytes:
        """Merge a patch into an object and give it as it is then; raises `JobGone`."""
        query = {"fieldManager": MANAGER}
        async with self._call("PATCH", f"{self._path}/{name}", query=query, body=patch) as response:
            content = await response.read()
            _raise_for(response, content)
            return content

    async def delete(self, name: str, uid: str) -> None:
        """Delete the very object of that uid, and what it owns after it; raises `JobGone`."""
        options: Mapping[str, JsonValue] = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        async with self._call("DELETE", f"{self._path}/{name}", body=options) as response:
            content = await response.read()
            if response.status == 409:
                raise JobGone(name)
            _raise_for(response, content)

    async def review(self, path: str, review: Mapping[str, JsonValue]) -> bytes:
        """What the API server answers to a review, such as a TokenReview, sent to the path of its kind."""
        async with self._call("POST", path, verb="review", body=review) as response:
            content = await response.read()
            _raise_for(response, content)
            return content

    async def list_pods(self, labels: str) -> bytes:
        """The pods with those labels."""
        async with self._call("GET", self._pods, verb="list", query={"labelSelector": labels}) as response:
            content = await response.read()
            _raise_for(response, content)
            return content

    @asynccontextmanager
    async def open_log(self, pod: str, *, follow: bool, tail: int | None) -> AsyncGenerator[AsyncIterator[bytes]]:
        """What the runner in a pod writes; raises `NoLog` where it has written nothing yet, or the pod is gone."""
        query = {
            "container": names.RUNNER_CONTAINER,
            **({"follow": "true"} if follow else {}),
            **({"tailLines": str(tail)} if tail is not None else {}),
        }
        async with self._call(
            "GET", f"{self._pods}/{pod}/log", query=query, limits=_FOLLOW if follow else _DOWNLOAD
        ) as response:
            if response.status in (400, 404):
                raise NoLog(decode_failure(await response.read()).message)
            if response.status != 200:
                _raise_for(response, await response.read())
            if follow:
                self._followed.add(response)
            try:
                yield response.content.iter_any()
            finally:
                self._followed.discard(response)

    def end_logs(self) -> None:
        """End all following of logs."""
        for response in list(self._followed):
            response.close()

    @asynccontextmanager
    async def _call(
        self,
        method: str,
        path: str,
        *,
        verb: str | None = None,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, JsonValue] | None = None,
        limits: aiohttp.ClientTimeout = _CALL,
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        begun, status = time.perf_counter(), 0
        try:
            try:
                response = await self._connection.send(
                    method,
                    f"{path}?{urlencode(query)}" if query else path,
                    # Packing pages takes the API server longer than sending them as they are within a cluster.
                    headers={"Accept": "application/json", "Content-Type": kind, "Accept-Encoding": "identity"},
                    body=_encode(body) if body is not None else None,
                    limits=limits,
                )
                status = response.status
            finally:
                self._observe(verb or method.lower(), status, time.perf_counter() - begun)
            async with response:
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning("the API server does not answer: %r", error)
            raise StoreAway("the cluster's API server does not answer") from error


def _raise_for(response: aiohttp.ClientResponse, content: bytes) -> None:
    """Turn a failure into the error that it means; do nothing where it is none."""
    if response.status < 400:
        return
    failure = decode_failure(content)
    words = failure.message or f"the API server answered {response.status}"
    match response.status:
        case 404:
            raise JobGone(words)
        case 409 if failure.reason == "AlreadyExists":
            raise NameTaken(words)
        case 400 | 413 | 422:
            raise Refused(words)
        case 403:
            _log.error("the cluster forbids it: %s", words)
            raise Refused(words, forbidden=True)
        case _:
            raise StoreAway(f"the cluster's API server answers {_describe(response, failure)}", **_delay(response))


def _describe(response: aiohttp.ClientResponse, failure: Failure) -> str:
    return f"{response.status} {failure.reason or response.reason or ''}".strip()


def _delay(response: aiohttp.ClientResponse) -> dict[str, int]:
    seconds = response.headers.get("Retry-After", "")
    return {"retry_after": min(int(seconds), 60)} if seconds.isdecimal() and len(seconds) < 6 else {}
