"""Tokens of an OpenID Connect issuer, verified against the keys that it publishes."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import jwt

from climatejobs_api.auth.callers import BadToken, Caller, NoVerdict

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
"""Those with a public key. An algorithm with a shared secret would let everyone who knows the key make tokens."""
LEEWAY_SECONDS = 30
KEEP_SECONDS = 600.0
"""For how long keys are used before they are fetched again."""
PAUSE_SECONDS = 10.0
"""The least time between two fetches, so that made-up key ids cannot turn this server against the issuer."""
_RESERVED = "system:"

type Keys = Mapping[str | None, Mapping[str, Any]]
"""JSON Web Keys by their ids."""
type FetchKeys = Callable[[], Awaitable[Mapping[str, Any]]]
"""Gives the JSON Web Key Set of the issuer; raises `NoVerdict`."""


@dataclass(frozen=True)
class Claims:
    """What a token has to say, and where it says who somebody is."""

    issuer: str
    audience: str
    username: str = "sub"
    username_prefix: str = ""
    groups: str = "groups"
    groups_prefix: str = ""


class OidcAuthenticator:
    """Believes one issuer."""

    def __init__(self, claims: Claims, fetch: FetchKeys, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._claims = claims
        self._fetch = fetch
        self._clock = clock
        self._keys: Keys = {}
        self._fetched: float | None = None
        self._lock = asyncio.Lock()

    async def identify(self, token: str) -> Caller:
        """Who the token belongs to; raises `BadToken` or `NoVerdict`."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise BadToken("it is not a JSON Web Token") from None
        algorithm = str(header.get("alg"))
        if algorithm not in ALGORITHMS:
            raise BadToken(f"tokens signed with {algorithm} are not accepted")
        member = await self._find_key(header.get("kid"))
        if member.get("alg", algorithm) != algorithm:
            raise BadToken(f"its key is not for {algorithm}")
        try:
            payload = jwt.decode(
                token,
                jwt.PyJWK(dict(member), algorithm),
                algorithms=[algorithm],
                audience=self._claims.audience,
                issuer=self._claims.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", self._claims.username]},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise BadToken(str(error)[:1].lower() + str(error)[1:]) from None
        return name_caller(payload, self._claims)

    async def _find_key(self, key_id: str | None) -> Mapping[str, Any]:
        async with self._lock:
            age = float("inf") if self._fetched is None else self._clock() - self._fetched
            if age > KEEP_SECONDS or (_choose(self._keys, key_id) is None and age > PAUSE_SECONDS):
                await self._renew()
        key = _choose(self._keys, key_id)
        if key is None:
            raise BadToken("the issuer publishes no key of that id")
        return key

    async def _renew(self) -> None:
        try:
            self._keys = read_keys(await self._fetch())
        except NoVerdict:
            # Keys that were good a while ago are still better than turning everybody away.
            if not self._keys:
                raise
        self._fetched = self._clock()


def read_keys(document: Mapping[str, Any]) -> Keys:
    """The keys of a JSON Web Key Set that are for signatures, by id."""
    members = cast(list[Mapping[str, Any]], document.get("keys", []))
    return {cast(str | None, member.get("kid")): member for member in members if member.get("use", "sig") == "sig"}


def name_caller(payload: Mapping[str, Any], claims: Claims) -> Caller:
    """Who a verified token names; raises `BadToken` where it names nobody that a token may name."""
    name, groups = payload.get(claims.username), payload.get(claims.groups, [])
    if not isinstance(name, str) or not name:
        raise BadToken(f"its claim {claims.username} is no name")
    if claims.username == "email" and payload.get("email_verified", True) is not True:
        raise BadToken("its email address is not verified")
    members = [groups] if isinstance(groups, str) else groups
    if not isinstance(members, list) or not all(isinstance(each, str) for each in cast(list[object], members)):
        raise BadToken(f"its claim {claims.groups} is no list of names")
    given = [claims.groups_prefix + each for each in cast(list[str], members)]
    full = claims.username_prefix + name
    if any(each.startswith(_RESERVED) for each in (full, *given)):
        raise BadToken(f"names that begin with {_RESERVED} are the cluster's own")
    return Caller(name=full, groups=(*given, "system:authenticated"))


def _choose(keys: Keys, key_id: str | None) -> Mapping[str, Any] | None:
    if key_id is None and len(keys) == 1:
        return next(iter(keys.values()))
    return keys.get(key_id)
