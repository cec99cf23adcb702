"""Whose token a request carries, as the API server says: a pod of ours with the runner's account, or nobody."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from hashlib import sha256

from pydantic import Field

from climatejobs import names
from climatejobs.model import KubernetesModel
from climatejobs_operator.cluster import TOKEN_REVIEWS, Cluster

ACCEPTED_SECONDS = 60.0
REFUSED_SECONDS = 5.0
MAX_REMEMBERED = 4096
CONCURRENT_REVIEWS = 8
"""Requests that come without a valid token must not become as many to the API server."""
_POD_NAME = "authentication.kubernetes.io/pod-name"
_POD_UID = "authentication.kubernetes.io/pod-uid"


@dataclass(frozen=True)
class Bearer:
    """The pod that a token is bound to."""

    pod_name: str
    pod_uid: str


class User(KubernetesModel):
    """Who the API server takes the bearer for."""

    username: str = ""
    extra: dict[str, list[str]] = Field(default_factory=dict[str, list[str]])


class ReviewStatus(KubernetesModel):
    """What the API server says of a token."""

    authenticated: bool = False
    audiences: tuple[str, ...] = ()
    user: User = Field(default_factory=User)


class Review(KubernetesModel):
    """An authentication.k8s.io/v1 TokenReview."""

    status: ReviewStatus = Field(default_factory=ReviewStatus)


@dataclass(frozen=True)
class _Remembered:
    bearer: Bearer | None
    until: float


class Tokens:
    """Reviews tokens; remembers what came of it by their hashes, for a minute at most."""

    def __init__(self, cluster: Cluster, namespace: str, account: str, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._username = f"system:serviceaccount:{namespace}:{account}"
        self._clock = clock
        self._remembered: dict[str, _Remembered] = {}
        self._slots = asyncio.Semaphore(CONCURRENT_REVIEWS)

    async def identify(self, token: str) -> Bearer | None:
        """The pod whose token this is; None for any other. Raises `ClusterError` where that cannot be found out."""
        digest = sha256(token.encode()).hexdigest()
        known = self._remembered.get(digest)
        if known is not None and self._clock() < known.until:
            return known.bearer
        async with self._slots:
            answer = await self._cluster.create(
                TOKEN_REVIEWS,
                {
                    "apiVersion": "authentication.k8s.io/v1",
                    "kind": "TokenReview",
                    "spec": {"token": token, "audiences": [names.REPORT_AUDIENCE]},
                },
            )
        bearer = find_bearer(Review.model_validate(answer).status, self._username)
        self._remember(digest, bearer)
        return bearer

    def forget(self, pod_uids: Collection[str]) -> None:
        """These pods are gone, and their tokens with them."""
        gone = [
            digest
            for digest, known in self._remembered.items()
            if known.bearer is not None and known.bearer.pod_uid in pod_uids
        ]
        for digest in gone:
            del self._remembered[digest]

    def _remember(self, digest: str, bearer: Bearer | None) -> None:
        seconds = REFUSED_SECONDS if bearer is None else ACCEPTED_SECONDS
        self._remembered.pop(digest, None)
        self._remembered[digest] = _Remembered(bearer, self._clock() + seconds)
        if len(self._remembered) > MAX_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]


def find_bearer(status: ReviewStatus, username: str) -> Bearer | None:
    """The pod that a reviewed token is bound to, if it was made for us and is that of the expected account."""
    if not status.authenticated or names.REPORT_AUDIENCE not in status.audiences or status.user.username != username:
        return None
    pod_names, pod_uids = status.user.extra.get(_POD_NAME, []), status.user.extra.get(_POD_UID, [])
    return Bearer(pod_names[0], pod_uids[0]) if len(pod_names) == len(pod_uids) == 1 else None
