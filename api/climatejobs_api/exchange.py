"""What happens around every request: its id, HEAD, a last resort for defects, one line in the log."""

import logging
import re
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import cast

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from climatejobs_api.metrics import Metrics
from climatejobs_api.problems import Problem, answer

REQUEST_ID_HEADER = "X-Request-ID"
request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Id of the request that is being answered; empty outside of one."""

_log = logging.getLogger(__name__)
_FACTS = "climatejobs.facts"
_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+/=-]{0,127}")
_HEAD = "climatejobs.head"
PROBES = frozenset({"/livez", "/readyz", "/metrics"})
"""Asked every few seconds by machines; not worth a line each."""


@dataclass
class Facts:
    """What becomes known of a request while it is answered."""

    caller: str | None = None
    """Who sends it, where somebody was asked."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    """Headers for the answer, whatever it will be."""


def facts_of(request: Request) -> Facts:
    """What is known of a request, to be added to."""
    return cast(Facts, request.scope[_FACTS])


def is_head(request: Request) -> bool:
    """Whether only the head of the answer will be sent."""
    return _HEAD in cast(Mapping[str, object], request.scope)


class Exchange:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, *, new_id: Callable[[], str], metrics: Metrics, root_path: str = "") -> None:
        self._app = app
        self._metrics = metrics
        self._root_path = root_path
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        own_id = given if _WELL_FORMED.fullmatch(given) else self._new_id()
        token = request_id.set(own_id)
        begun = time.perf_counter()
        status = 0
        head = scope["method"] == "HEAD"
        facts = Facts()

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID_HEADER] = own_id
                headers.update(facts.headers)
            elif head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        # HEAD is answered by the routes of GET, so that wherever one works the other does.
        inner: Scope = {**scope, "root_path": self._root_path, _FACTS: facts}
        if head:
            inner |= {"method": "GET", _HEAD: True}
        self._metrics.in_flight.inc()
        try:
            await self._app(inner, receive, send_on)
        except Exception:
            _log.exception("defect while answering %s %s", scope["method"], scope["path"])
            if status == 0:
                problem = Problem(500, detail=f"this is a defect of the server; its log has it under {own_id}")
                await answer(problem, instance=scope["path"])(inner, receive, send_on)
        finally:
            self._metrics.in_flight.dec()
            self._record(scope, inner, status, time.perf_counter() - begun)
            request_id.reset(token)

    def _record(self, scope: Scope, inner: Scope, status: int, seconds: float) -> None:
        """Count the request, and write its line."""
        path = scope["path"]
        if path in PROBES:
            _log.debug("%s %s %s", scope["method"], path, status)
            return
        # The router has left there which of the routes it was.
        operation = getattr(inner.get("route"), "operation_id", None)
        self._metrics.observe_request(operation, status, seconds)
        if _log.isEnabledFor(logging.INFO):
            extra = {
                "method": scope["method"],
                "path": path,
                "operation": operation,
                "status": status,
                "user": cast(Facts, inner[_FACTS]).caller,
                "milliseconds": round(seconds * 1000, 1),
            }
            given = {name: value for name, value in extra.items() if value is not None}
            _log.info("%s %s %s", scope["method"], path, status, extra=given)
