"""The way in: confirms who asks and whether they may, with verdicts that are kept for a short time."""

import hashlib
import time
from collections.abc import Callable

from climatejobs.errors import TYPE_PREFIX
from climatejobs_api.answers import Answers
from climatejobs_api.auth.callers import ANYBODY, Authenticator, Authorizer, BadToken, Caller, NoVerdict, Permission
from climatejobs_api.auth.strangers import Strangers
from climatejobs_api.problems import Problem

REALM = "climatejobs"
MAX_NAME_LENGTH = 253
"""That of spec.submittedBy."""
MAX_TOKEN_LENGTH = 16 * 1024
REFUSED_SECONDS = 5.0
"""For how long a No is kept: a right that has just been given should count at once."""


class Gate:
    """Where everybody may do everything."""

    async def admit(self, authorization: str | None, find_address: Callable[[], str]) -> Caller:
        """Who sends a request with that Authorization header; raises `Problem`.

        `find_address` gives the address of the sender, where that matters.
        """
        del authorization, find_address
        return ANYBODY

    async def require(self, caller: Caller, permission: Permission, name: str | None = None) -> None:
        """Return where the caller has the permission; raises `Problem`."""


class GuardedGate(Gate):
    """Where only those get in whom the authenticator knows, as far as the authorizer lets them."""

    def __init__(
        self,
        authenticator: Authenticator,
        authorizer: Authorizer,
        *,
        namespace: str,
        keep_seconds: float,
        strangers: Strangers | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._namespace = namespace

        def keep(good: bool) -> float:
            return keep_seconds if good else min(keep_seconds, REFUSED_SECONDS)

        def keep_found(found: Caller | str) -> float:
            return keep(isinstance(found, Caller))

        self._strangers = strangers or Strangers()
        self._callers = Answers[bytes, Caller | str](keep=keep_found, clock=clock)
        # Apart from those of callers, which a flood of made-up tokens would otherwise push out.
        self._unknown = Answers[bytes, Caller | str](keep=keep_found, clock=clock)
        self._rights = Answers[tuple[Caller, Permission, str | None], bool](keep=keep, clock=clock)

    async def admit(self, authorization: str | None, find_address: Callable[[], str]) -> Caller:
        token = read_bearer(authorization)
        # Tokens themselves are not kept in memory.
        digest = hashlib.sha256(token.encode()).digest()
        try:
            if self._strangers.knows(digest):
                found = await self._callers.find(digest, lambda: self._identify(token))
            else:
                found = await self._unknown.find(digest, lambda: self._meet(token, digest, find_address()))
        except NoVerdict as error:
            raise _cannot_tell(error) from None
        if isinstance(found, str):
            self._strangers.note(digest, good=False)
            raise _unauthorized(f"the token is not accepted: {found}", error="invalid_token")
        return found

    async def require(self, caller: Caller, permission: Permission, name: str | None = None) -> None:
        try:
            # Whoever may do it to all may do it to one: most questions are the same, whatever job they are about.
            if await self._allows(caller, permission, None) or (name and await self._allows(caller, permission, name)):
                return
        except NoVerdict as error:
            raise _cannot_tell(error) from None
        raise Problem(
            403,
            type=f"{TYPE_PREFIX}forbidden",
            title="Not permitted",
            detail=f"{caller} may not {permission} in the namespace {self._namespace}",
            hint=f"Ask for a role that gives {permission.verb} on {permission.resource} of the group climatejobs.io.",
        )

    async def _meet(self, token: str, digest: bytes, address: str) -> Caller | str:
        """Who a token belongs to that has not been seen before."""
        async with self._strangers.question(address):
            found = await self._identify(token)
        if isinstance(found, Caller):
            self._callers.note(digest, found)
            self._strangers.note(digest, good=True)
        return found

    async def _identify(self, token: str) -> Caller | str:
        try:
            caller = await self._authenticator.identify(token)
        except BadToken as error:
            return str(error)
        return caller if len(str(caller)) <= MAX_NAME_LENGTH else f"the user's name has over {MAX_NAME_LENGTH} letters"

    async def _allows(self, caller: Caller, permission: Permission, name: str | None) -> bool:
        question = (caller, permission, name)
        return await self._rights.find(question, lambda: self._authorizer.allows(caller, permission, name))


def read_bearer(authorization: str | None) -> str:
    """The token of an Authorization header; raises `Problem` where there is none."""
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip()
    if not authorization:
        raise _unauthorized("the request does not say who sends it")
    if scheme.lower() != "bearer" or not token:
        raise _unauthorized("the Authorization header holds no bearer token", error="invalid_request")
    if len(token) > MAX_TOKEN_LENGTH or not token.isascii():
        raise _unauthorized("the token is not accepted: it is no token", error="invalid_token")
    return token


def _unauthorized(detail: str, *, error: str | None = None) -> Problem:
    challenge = f'Bearer realm="{REALM}"' + (f', error="{error}"' if error else "")
    return Problem(
        401,
        type=f"{TYPE_PREFIX}unauthorized",
        title="Not signed in",
        detail=detail,
        hint="Send a valid token in the header Authorization: Bearer TOKEN.",
        headers={"WWW-Authenticate": challenge},
    )


def _cannot_tell(error: NoVerdict) -> Problem:
    return Problem(
        503,
        type=f"{TYPE_PREFIX}no-verdict",
        title="Access cannot be checked",
        detail=error.detail,
        hint=f"Nothing is wrong with the request; send it again in {error.retry_after} seconds.",
        headers={"Retry-After": str(error.retry_after)},
    )
