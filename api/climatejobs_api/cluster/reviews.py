"""The cluster's own word on who somebody is and what they may do: TokenReview and SubjectAccessReview."""

from collections.abc import Mapping, Sequence

import msgspec
from pydantic import JsonValue

from climatejobs.names import GROUP
from climatejobs_api.auth.callers import BadToken, Caller, NoVerdict, Permission
from climatejobs_api.cluster.client import ClusterClient
from climatejobs_api.store import StoreAway, StoreError

TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"  # a path
ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


class _User(msgspec.Struct):
    username: str = ""
    uid: str = ""
    groups: list[str] = []
    extra: dict[str, list[str]] = {}


class _TokenStatus(msgspec.Struct):
    authenticated: bool = False
    user: _User = msgspec.field(default_factory=_User)
    audiences: list[str] = []
    error: str = ""


class _TokenReview(msgspec.Struct):
    status: _TokenStatus


class _AccessStatus(msgspec.Struct):
    allowed: bool = False


class _AccessReview(msgspec.Struct):
    status: _AccessStatus


_read_token_review = msgspec.json.Decoder(_TokenReview)
_read_access_review = msgspec.json.Decoder(_AccessReview)


class ClusterReviews:
    """Asks the API server; keeps nothing."""

    def __init__(self, client: ClusterClient, namespace: str, *, audiences: Sequence[str] = ()) -> None:
        """Tokens have to be for one of the audiences; for the API server itself where there are none."""
        self._client = client
        self._namespace = namespace
        self._audiences = audiences

    async def identify(self, token: str) -> Caller:
        """Who the token belongs to; raises `BadToken` or `NoVerdict`."""
        spec: dict[str, JsonValue] = {"token": token}
        if self._audiences:
            spec["audiences"] = list(self._audiences)
        content = await self._ask(TOKENS, "authentication.k8s.io/v1", "TokenReview", spec)
        status = _read_token_review.decode(content).status
        if not status.authenticated or not status.user.username:
            # The cluster's own words name internals, and are in its log.
            raise BadToken("the cluster does not know it, or it has expired")
        if self._audiences and not set(self._audiences) & set(status.audiences):
            raise BadToken(f"it is not meant for {' or '.join(self._audiences)}")
        user = status.user
        extra = tuple((key, tuple(values)) for key, values in user.extra.items())
        return Caller(user.username, user.uid, tuple(user.groups), extra)

    async def allows(self, caller: Caller, permission: Permission, name: str | None) -> bool:
        """Whether the cluster's rules give the caller the permission in this namespace; raises `NoVerdict`."""
        attributes: dict[str, JsonValue] = {
            "namespace": self._namespace,
            "group": GROUP,
            "resource": permission.resource,
            "verb": permission.verb,
        }
        if name is not None:
            attributes["name"] = name
        spec: dict[str, JsonValue] = {
            "user": caller.name,
            "uid": caller.uid,
            "groups": list(caller.groups),
            "extra": {key: list(values) for key, values in caller.extra},
            "resourceAttributes": attributes,
        }
        content = await self._ask(ACCESS, "authorization.k8s.io/v1", "SubjectAccessReview", spec)
        return _read_access_review.decode(content).status.allowed

    async def _ask(self, path: str, version: str, kind: str, spec: Mapping[str, JsonValue]) -> bytes:
        try:
            return await self._client.review(path, {"apiVersion": version, "kind": kind, "spec": dict(spec)})
        except StoreAway as error:
            raise NoVerdict(error.detail, retry_after=error.retry_after) from error
        except StoreError as error:
            raise NoVerdict(f"the cluster does not answer a {kind}: {error}", retry_after=60) from error
