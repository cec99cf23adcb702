"""What happens around every request: its id, HEAD, a last resort for defects, one line in the log."""

import logging
import re
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import cast

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from climatejobs_api.problems import Problem, answer

REQUEST_ID_HEADER = "X-Request-ID"
request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Id of the request that is being answered; empty outside of one."""

_log = logging.getLogger(__name__)
_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+/=-]{0,127}")
_HEAD = "climatejobs.head"
PROBES = frozenset({"/livez", "/readyz"})
"""Asked every few seconds by the kubelet; not worth a line each."""


def is_head(request: Request) -> bool:
    """Whether only the head of the answer will be sent."""
    return _HEAD in cast(Mapping[str, object], request.scope)


class Exchange:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, *, new_id: Callable[[], str], root_path: str = "") -> None:
        self._app = app
        self._root_path = root_path
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        own_id = given if _WELL_FORMED.fullmatch(given) else self._new_id()
        token = request_id.set(own_id)
        begun = time.monotonic()
        status = 0
        head = scope["method"] == "HEAD"

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = own_id
            elif head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        # HEAD is answered by the routes of GET, so that wherever one works the other does.
        inner = {**scope, "root_path": self._root_path, **({"method": "GET", _HEAD: True} if head else {})}
        try:
            await self._app(inner, receive, send_on)
        except Exception:
            _log.exception("defect while answering %s %s", scope["method"], scope["path"])
            if status == 0:
                problem = Problem(500, detail=f"this is a defect of the server; its log has it under {own_id}")
                await answer(problem, instance=scope["path"])(inner, receive, send_on)
        finally:
            _log.log(
                logging.DEBUG if scope["path"] in PROBES else logging.INFO,
                "%s %s %s",
                scope["method"],
                scope["path"],
                status,
                extra={
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "milliseconds": round((time.monotonic() - begun) * 1000, 1),
                },
            )
            request_id.reset(token)
