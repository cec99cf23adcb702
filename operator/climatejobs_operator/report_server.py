"""The HTTP server of reports. The leader takes them; a standby passes them on to the leader."""

import logging
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from climatejobs import names
from climatejobs_operator.acceptance import STATUSES, Refusal, Refused
from climatejobs_operator.election import Election
from climatejobs_operator.logs import fields
from climatejobs_operator.metrics import Metrics
from climatejobs_operator.reception import Reception

MAX_BODY_BYTES = 32 * 1024
FORWARD_SECONDS = 8.0
"""A little longer than a leader takes to say that it could not write a result."""
FORWARDED = "Climatejobs-Forwarded"
_BEARER = "Bearer "

logger = logging.getLogger(__name__)


@dataclass
class Desk:
    """Where reports come in: at the leader's reception while this operator leads, else to be passed on."""

    session: aiohttp.ClientSession
    """For requests to other operators; without credentials."""
    election: Election
    metrics: Metrics
    reception: Reception | None = None

    async def take(self, request: web.Request) -> web.Response:
        """Answer a report."""
        authorization = request.headers.get("Authorization", "")
        body = await request.read()
        try:
            if not authorization.startswith(_BEARER):
                raise Refused(Refusal.NOT_IDENTIFIED, "there is no bearer token")
            if self.reception is None:
                return await self._forward(request, authorization, body)
            taken = await self.reception.take(authorization.removeprefix(_BEARER), body)
        except Refused as refused:
            self.metrics.count_report(refused.refusal)
            logger.info("Refused a report: %s", refused.detail, extra=fields(reason=refused.refusal))
            return _answer(STATUSES[refused.refusal], refused.refusal, refused.detail)
        self.metrics.count_report(taken)
        return web.Response(status=204)

    async def _forward(self, request: web.Request, authorization: str, body: bytes) -> web.Response:
        address = self.election.leader_address
        if address is None or FORWARDED in request.headers:
            raise Refused(Refusal.UNAVAILABLE, "no operator leads at the moment; ask again")
        headers = {"Authorization": authorization, FORWARDED: "true", "Content-Type": "application/json"}
        timeout = aiohttp.ClientTimeout(total=FORWARD_SECONDS)
        try:
            async with self.session.post(
                f"http://{address}{names.REPORT_PATH}", data=body, headers=headers, timeout=timeout
            ) as response:
                return web.Response(
                    status=response.status, body=await response.read(), content_type=response.content_type
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Refused(Refusal.UNAVAILABLE, f"the leader cannot be reached; ask again ({error})") from error


def build_report_app(desk: Desk) -> web.Application:
    """The application."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_post(names.REPORT_PATH, desk.take)
    return app


def _answer(status: int, reason: str, detail: str) -> web.Response:
    headers = {"Retry-After": "1"} if status == 503 else {}
    return web.json_response({"reason": reason, "detail": detail}, status=status, headers=headers)
