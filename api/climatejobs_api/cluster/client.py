"""The API server of the cluster: the one module that imports the Kubernetes client.

Bytes go in and out; what they mean is the business of the modules beside it. Every failure to reach the server, or
its plea to come back later, is a `StoreAway`.
"""

import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, Self, cast

import aiohttp
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import config_exception, incluster_config, kube_config
from pydantic import JsonValue

from climatejobs import names
from climatejobs_api.cluster.records import Failure, decode_failure
from climatejobs_api.store import JobGone, NameTaken, NoStore, Refused, StoreAway

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/token"
MANAGER = "climatejobs-api"
_CALL = aiohttp.ClientTimeout(total=20, sock_connect=5)
# The client names no types: these say what is relied on.
_LoadFile = Callable[..., Awaitable[object]]
_LoadPod = Callable[..., None]
_log = logging.getLogger(__name__)


class WatchExpired(Exception):
    """The point from which to watch, or to go on listing, is too far back: everything has to be listed again."""


class _Answer(Protocol):
    """What the generated client gives."""

    response: aiohttp.ClientResponse


class _Api(Protocol):
    """The part of the generated client that is used here: it says nothing of its types itself."""

    async def param_serialize(
        self,
        *,
        method: str,
        resource_path: str,
        query_params: Sequence[tuple[str, str]],
        header_params: Mapping[str, str],
        body: Mapping[str, JsonValue] | None,
        auth_settings: Sequence[str],
    ) -> Sequence[object]: ...

    async def call_api(self, *prepared: object, _request_timeout: aiohttp.ClientTimeout) -> _Answer: ...

    async def close(self) -> None: ...


class ClusterClient:
    """Calls about the ClimateJobs of one namespace."""

    def __init__(self, api: _Api, namespace: str) -> None:
        self._api = api
        self._path = f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.PLURAL}"

    @classmethod
    async def connect(cls, namespace: str, kubeconfig: str | None = None) -> Self:
        """Find the cluster: the given kubeconfig, else $KUBECONFIG, else the service account of the pod."""
        configuration = Configuration()
        try:
            await _configure(configuration, kubeconfig or os.environ.get("KUBECONFIG"))
        except config_exception.ConfigException as error:
            raise NoStore(f"no cluster is configured ({error}); set KUBECONFIG or run in a pod") from error
        # Retrying is decided here, where it is known what is being asked.
        configuration.retries = None
        return cls(cast(_Api, ApiClient(configuration)), namespace)

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()

    async def list_page(self, limit: int, following: str) -> bytes:
        """A part of the list; raises `WatchExpired` where it can no longer be continued."""
        query = {"limit": str(limit), **({"continue": following} if following else {})}
        async with self._call("GET", self._path, query=query) as response:
            content = await response.read()
            if response.status == 410:
                raise WatchExpired
            _raise_for(response, content)
            return content

    async def watch(self, version: str, *, seconds: int, silence: float) -> AsyncIterator[bytes]:
        """Lines of a watch from that version on; raises `WatchExpired`, or `StoreAway` after `silence` seconds."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
        }
        limits = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=silence)
        async with self._call("GET", self._path, query=query, limits=limits) as response:
            if response.status == 410:
                raise WatchExpired
            if response.status != 200:
                _raise_for(response, await response.read())
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

    @asynccontextmanager
    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, JsonValue] | None = None,
        limits: aiohttp.ClientTimeout = _CALL,
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            prepared = await self._api.param_serialize(
                method=method,
                resource_path=path,
                query_params=list((query or {}).items()),
                header_params={"Accept": "application/json", "Content-Type": kind},
                body=dict(body) if body is not None else None,
                auth_settings=["BearerToken"],
            )
            answer = await self._api.call_api(*prepared, _request_timeout=limits)
            async with answer.response as response:
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning("the API server does not answer: %r", error)
            raise StoreAway("the cluster's API server does not answer") from error


async def _configure(configuration: Configuration, kubeconfig: str | None) -> None:
    if kubeconfig or not os.path.exists(SERVICE_ACCOUNT):  # noqa: ASYNC240  # once, before anything is served
        load_file = cast(_LoadFile, kube_config.load_kube_config)  # pyright: ignore[reportUnknownMemberType]
        await load_file(config_file=kubeconfig, client_configuration=configuration)
    else:
        load_pod = cast(_LoadPod, incluster_config.load_incluster_config)  # pyright: ignore[reportUnknownMemberType]
        load_pod(client_configuration=configuration)


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
