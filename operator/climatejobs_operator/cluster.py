"""The API server, as far as the operator needs it: list, get, create, replace, patch a status, delete.

The only module that speaks HTTP to it (kopf's watch apart). It decides nothing and retries nothing: a failed
call raises `ClusterError`, and the work queue brings the job back. Once the API server has asked one caller to
leave it alone (429 with Retry-After), no call is sent for that time.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Literal, cast

import aiohttp
from pydantic import BaseModel, JsonValue, ValidationError

from climatejobs import names
from climatejobs_operator.averages import MovingAverage
from climatejobs_operator.faults import describe

type Manifest = Mapping[str, JsonValue]

TIMEOUT_SECONDS = 30.0
MAX_QUIET_SECONDS = 30.0


@dataclass(frozen=True)
class Resource:
    """A kind of object."""

    group_version: str
    kind: str
    plural: str
    namespaced: bool = True
    page_size: int = 500
    """How many are listed at a time."""

    def path(self, namespace: str, *parts: str) -> str:
        """Path of the collection, or of what lies below it."""
        root = "api" if "/" not in self.group_version else "apis"
        place = ("namespaces", namespace) if self.namespaced else ()
        return "/".join(("", root, self.group_version, *place, self.plural, *parts))


CLIMATEJOBS = Resource(names.API_VERSION, names.KIND, names.PLURAL)
JOBS = Resource("batch/v1", "Job", "jobs", page_size=100)
PODS = Resource("v1", "Pod", "pods", page_size=100)  # some 10 KiB each
EVENTS = Resource("events.k8s.io/v1", "Event", "events")
CORE_EVENTS = Resource("v1", "Event", "events")
"""The same events in their older form, which alone can be selected by the object that they are about."""
LEASES = Resource("coordination.k8s.io/v1", "Lease", "leases")
TOKEN_REVIEWS = Resource("authentication.k8s.io/v1", "TokenReview", "tokenreviews", namespaced=False)


class _Status(BaseModel):
    """What the API server says of a failure."""

    message: str = ""


class ClusterError(Exception):
    """A call failed. The text is the API server's."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        """Seconds that the API server asks to be left alone."""


class NotFound(ClusterError):
    """404: the object, or its whole kind, is not there."""


class Conflict(ClusterError):
    """409: it exists already, or is not at the version or uid it was expected at."""


class NotLeading(ClusterError):
    """The write was not sent, because this process may not act, or not any more."""


class Expired(ClusterError):
    """410: the version from which to go on is too far back, and everything has to be listed again."""


class Refused(ClusterError):
    """400, 403 or 422: repeating the request unchanged does not help before something else changes."""


class Change[T](BaseModel):
    """What a watch tells of one object."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: T
    """As it is now, or was at last."""

    @property
    def deleted(self) -> bool:
        """Whether it is gone, or no longer among those that were asked for."""
        return self.type == "DELETED"


@dataclass(frozen=True)
class Bookmark:
    """A watch has told of everything up to a version."""

    version: str


@dataclass(frozen=True)
class Unreadable:
    """A watch has told of an object that cannot be read."""

    name: str
    version: str
    fault: str


@dataclass(frozen=True)
class Page:
    """Part of a list."""

    items: tuple[Manifest, ...]
    version: str
    """The resourceVersion of the whole list."""


class Cluster:
    """One namespace of a cluster."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        server: str,
        namespace: str,
        *,
        seconds_to_write: Callable[[], float] = lambda: inf,
    ) -> None:
        """`seconds_to_write` tells for how long this process may still write; 0 is not at all."""
        self._session = session
        self._server = server
        self._namespace = namespace
        self._seconds_to_write = seconds_to_write
        self._writes = MovingAverage()
        self._quiet_until = 0.0
        """By the monotonic clock: the API server has asked to be left alone until then."""

    @property
    def write_seconds(self) -> float:
        """How long a write has taken of late; 0 where there was none."""
        return self._writes.read(time.monotonic())

    async def list_pages(
        self, resource: Resource, *, labels: str = "", fields: str = "", limit: int = 0
    ) -> AsyncIterator[Page]:
        """All objects that fit, in pages of one consistent snapshot."""
        query = {"limit": str(limit or resource.page_size)}
        if labels:
            query["labelSelector"] = labels
        if fields:
            query["fieldSelector"] = fields
        while True:
            answer = await self._call("GET", resource.path(self._namespace), query=query)
            metadata = cast(Mapping[str, str], answer["metadata"])
            yield Page(tuple(cast(list[Manifest], answer["items"])), metadata["resourceVersion"])
            if not metadata.get("continue"):
                return
            query["continue"] = metadata["continue"]

    async def watch[T](
        self,
        resource: Resource,
        change: type[Change[T]],
        version: str,
        *,
        labels: str = "",
        fields: str = "",
        seconds: float,
        silence: float | None = None,
    ) -> AsyncIterator[Change[T] | Unreadable | Bookmark]:
        """What changes after `version`, until so many seconds have passed, or nothing has come for `silence` seconds.

        Raises `Expired` where that version is too old, and `ClusterError` for any other trouble.
        """
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(max(1, int(seconds))),
            **({"labelSelector": labels} if labels else {}),
            **({"fieldSelector": fields} if fields else {}),
        }
        limits = aiohttp.ClientTimeout(total=seconds + 30, sock_connect=TIMEOUT_SECONDS, sock_read=silence)
        try:
            async with self._session.request(
                "GET", self._server + resource.path(self._namespace), params=query, timeout=limits
            ) as response:
                if not response.ok:
                    raise _error(response.status, await response.text(), response.headers.get("Retry-After"))
                async for line in _read_lines(response.content):
                    yield _read_change(line, change)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ClusterError(f"the watch has broken off: {error or type(error).__name__}") from error

    async def get(self, resource: Resource, name: str) -> Manifest:
        """One object; raises `NotFound`."""
        return await self._call("GET", resource.path(self._namespace, name))

    async def create(self, resource: Resource, manifest: Manifest) -> Manifest:
        """Create an object; raises `Conflict` where one of that name exists."""
        return await self._call("POST", resource.path(self._namespace), body=manifest)

    async def replace(self, resource: Resource, manifest: Manifest) -> Manifest:
        """Replace an object that is still at the version that `manifest` names; raises `Conflict` where it is not."""
        metadata = cast(Mapping[str, str], manifest["metadata"])
        return await self._call("PUT", resource.path(self._namespace, metadata["name"]), body=manifest)

    async def write_status(self, resource: Resource, name: str, version: str, status: Manifest) -> Manifest:
        """Replace the status of an object that is still at `version`; raises `Conflict` where it is not."""
        # The status as a whole: members that are gone need no nulls, and nulls in results are kept (a merge patch would
        # read them as deletions). Naming the resourceVersion makes it conditional: what was decided from an outdated
        # spec, such as one not yet cancelled, is refused. A JSON patch does the same and costs the API server more;
        # server-side apply would bring managedFields as large as the status, and a second owner that it never has.
        body: Manifest = {
            "apiVersion": resource.group_version,
            "kind": resource.kind,
            "metadata": {"name": name, "resourceVersion": version},
            "status": dict(status),
        }
        return await self._call("PUT", resource.path(self._namespace, name, "status"), body=body)

    async def patch_status(
        self, resource: Resource, name: str, version: str, members: Mapping[str, JsonValue]
    ) -> Manifest:
        """Set members of the status of an object that is still at `version`; raises `Conflict` where it is not."""
        values = {f"/status/{member}": value for member, value in members.items()}
        return await self._patch(resource.path(self._namespace, name, "status"), version, values)

    async def change_spec(
        self, resource: Resource, name: str, version: str, members: Mapping[str, JsonValue]
    ) -> Manifest:
        """Set members of the spec of an object that is still at `version`; raises `Conflict` where it is not."""
        values = {f"/spec/{member}": value for member, value in members.items()}
        return await self._patch(resource.path(self._namespace, name), version, values)

    async def merge_status(self, resource: Resource, name: str, uid: str, status: Manifest) -> None:
        """Merge members into the status of a built-in object, conditions by type; one that is gone is no error."""
        body: Manifest = {"metadata": {"uid": uid}, "status": dict(status)}
        try:
            await self._call(
                "PATCH",
                resource.path(self._namespace, name, "status"),
                body=body,
                content_type="application/strategic-merge-patch+json",
            )
        except (NotFound, Conflict):
            return  # gone, or another object has its name

    async def delete(
        self, resource: Resource, name: str, uid: str, *, version: str | None = None, grace_seconds: int | None = None
    ) -> None:
        """Delete the object of that very uid, its dependents in the background; one that is gone is no error.

        Where a version is given, and the object is not at it, nothing is deleted.
        """
        body: dict[str, JsonValue] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",  # the default of batch/v1 would orphan the pods
            "preconditions": {"uid": uid} if version is None else {"uid": uid, "resourceVersion": version},
        }
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
        try:
            await self._call("DELETE", resource.path(self._namespace, name), body=body)
        except (NotFound, Conflict):
            return  # gone, or another object has its name

    async def _patch(self, path: str, version: str, values: Mapping[str, JsonValue]) -> Manifest:
        """Set values by their JSON pointers; raises `Conflict` where the object is not at `version` any more."""
        # Naming the resourceVersion makes it conditional: what was decided from an outdated spec, such as one not yet
        # cancelled, is refused.
        patch: list[JsonValue] = [
            {"op": "add", "path": pointer, "value": value}
            for pointer, value in {"/metadata/resourceVersion": version, **values}.items()
        ]
        return await self._call("PATCH", path, body=patch, content_type="application/json-patch+json")

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | list[JsonValue] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, JsonValue]:
        headers = {"Content-Type": content_type} if body is not None else {}
        quiet = self._quiet_until - time.monotonic()
        if quiet > 0:
            # Not sent, rather than waited for: whoever calls comes back, and holds up nobody meanwhile.
            raise ClusterError("not sent: the API server asks to be left alone", status=429, retry_after=quiet)
        seconds = TIMEOUT_SECONDS
        if method != "GET":
            # No write may reach the cluster after another has begun to lead.
            seconds = min(seconds, self._seconds_to_write())
            if seconds <= 0:
                raise NotLeading("not sent: this operator does not lead")
        timeout = aiohttp.ClientTimeout(total=seconds)
        begun = time.monotonic()
        try:
            async with self._session.request(
                method, self._server + path, params=query, json=body, headers=headers, timeout=timeout
            ) as response:
                if response.ok:
                    return cast(dict[str, JsonValue], await response.json())
                error = _error(response.status, await response.text(), response.headers.get("Retry-After"))
                if response.status == 429 and error.retry_after is not None:
                    self._quiet_until = time.monotonic() + min(error.retry_after, MAX_QUIET_SECONDS)
                raise error
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise ClusterError(f"the API server cannot be reached: {error or type(error).__name__}") from error
        finally:
            if method != "GET":
                now = time.monotonic()
                self._writes.take(now - begun, now)


async def _read_lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines until the end, or until nothing has come for as long as the session allows."""
    rest = b""
    try:
        # Not readline(): it refuses lines above a limit that a large object may exceed.
        async for piece in content.iter_any():
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line
    except aiohttp.SocketTimeoutError:
        return


def _read_change[T](line: bytes, change: type[Change[T]]) -> Change[T] | Unreadable | Bookmark:
    try:
        return change.model_validate_json(line)
    except ValidationError as error:
        event = json.loads(line)
        if event["type"] == "BOOKMARK":
            return Bookmark(event["object"]["metadata"]["resourceVersion"])
        if event["type"] == "ERROR":
            raise _error(event["object"].get("code", 500), json.dumps(event["object"]), None) from None
        metadata = event["object"]["metadata"]
        if "name" not in metadata:
            raise
        return Unreadable(metadata["name"], metadata["resourceVersion"], describe(error))


def _error(status: int, text: str, retry_after: str | None) -> ClusterError:
    kind = {
        400: Refused,
        403: Refused,
        404: NotFound,
        409: Conflict,
        410: Expired,
        422: Refused,
    }.get(status, ClusterError)
    seconds = float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
    return kind(_message(text) or f"the API server answered {status}", status=status, retry_after=seconds)


def _message(text: str) -> str:
    """The sentence in a Status object; the text itself where it is none."""
    try:
        answer = _Status.model_validate_json(text)
    except ValidationError:
        return text[:1024]
    return answer.message
