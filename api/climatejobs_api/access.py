"""What stands before the routes: whoever sends a request is known, may do what it asks for, and not too often."""

import math
from typing import Annotated, cast

from fastapi import Depends, Request
from starlette.routing import Route

from climatejobs_api.auth.callers import Caller, Permission, Verb
from climatejobs_api.auth.permissions import find_name, find_permission
from climatejobs_api.context import Context, Current, get_context, read_arrival
from climatejobs_api.exchange import facts_of
from climatejobs_api.links import find_client

_CALLER = "climatejobs.caller"
SUBMIT = Permission("create")


class Access:
    """What one request may do."""

    def __init__(self, context: Context, caller: Caller) -> None:
        self._context = context
        self.caller = caller

    async def require(self, verb: Verb, job_id: str) -> None:
        """Return where the caller may do that with the job; raises `Problem`."""
        await self._context.gate.require(self.caller, Permission(verb), job_id)


async def admit(request: Request, context: Current) -> None:
    """Let a request on to its route; raises `Problem`."""

    def find_address() -> str:
        return find_client(read_arrival(request), trusted_proxies=context.settings.trusted_proxies)

    caller = await context.gate.admit(request.headers.get("authorization"), find_address)
    request.scope[_CALLER] = caller
    facts_of(request).caller = caller.name
    permission = find_permission(request.method, cast(Route, request.scope["route"]).path)
    if permission is not None:
        name = find_name(permission, cast(dict[str, str], request.path_params))
        await context.gate.require(caller, permission, name)
    if permission == SUBMIT:
        context.rate.take(caller.name or find_address(), context.now().timestamp())


async def get_access(request: Request) -> Access:
    """What this request may do, once it has been admitted."""
    return Access(await get_context(request), cast(Caller, request.scope[_CALLER]))


async def mark_age(request: Request, context: Current) -> None:
    """Let the answer say by how much it may be behind the cluster, while changes do not arrive."""
    if context.store.age > 0:
        facts_of(request).headers["Age"] = str(math.ceil(context.store.age))


CurrentAccess = Annotated[Access, Depends(get_access)]
