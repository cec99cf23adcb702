"""Who asks, what it takes to be allowed, and who can say so. Nothing here knows of HTTP or of Kubernetes."""

from dataclasses import dataclass
from typing import Literal, Protocol

type Verb = Literal["get", "list", "create", "patch", "delete"]
type Resource = Literal["climatejobs", "datasets"]


@dataclass(frozen=True)
class Caller:
    """Somebody whose identity has been confirmed; without a name where nobody was asked."""

    name: str | None = None
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """More that the cluster knows of them, for its own decisions."""

    def __str__(self) -> str:
        return self.name or "anybody"


ANYBODY = Caller()


@dataclass(frozen=True)
class Permission:
    """The right to do something with a resource of the group climatejobs.io in the namespace of the installation."""

    verb: Verb
    resource: Resource = "climatejobs"

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}.climatejobs.io"


class BadToken(Exception):
    """The token is not one that is believed; the text says why, without repeating it."""


class NoVerdict(Exception):
    """Whoever decides cannot be asked; the same question may be answered later."""

    def __init__(self, detail: str, *, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after
        """Seconds."""


class Authenticator(Protocol):
    """Turns tokens into callers."""

    async def identify(self, token: str) -> Caller:
        """Who the token belongs to; raises `BadToken` or `NoVerdict`."""
        ...


class Authorizer(Protocol):
    """Decides who may do what."""

    async def allows(self, caller: Caller, permission: Permission, name: str | None) -> bool:
        """Whether the caller has the permission, for the object of that name or for all; raises `NoVerdict`."""
        ...
