"""kopf's part: it watches the ClimateJobs and hands every event on. No handler decides anything.

Only `on.event` is used: it writes no annotations, no finalizers, keeps no state and needs no order.
"""

from collections.abc import Callable, Iterable
from typing import Any

import kopf

# The only way to give kopf.operator() its `memories`.
from kopf._core.reactor.inventory import ResourceMemories, ResourceMemory

from climatejobs import names
from climatejobs.model import TERMINAL_PHASES
from climatejobs_operator.intake import Intake

LIVE = ",".join(f"status.phase!={phase}" for phase in sorted(TERMINAL_PHASES))
"""Field selector of the ClimateJobs that have not ended: memory follows the work at hand, not history."""


class NoEssence(kopf.DiffBaseStorage):
    """For kopf, no object has anything whose change it would have to detect.

    It takes a deep copy of every object with every event otherwise, more than half of what an event costs.
    """

    def build(self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None) -> kopf.BodyEssence:
        """Nothing."""
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> None:
        """Nothing was stored."""

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Nothing is stored."""


class NoProgress(kopf.StatusProgressStorage):
    """For kopf, no handler has got anywhere that it would have to look up."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """Nothing was stored, so nothing has to be taken out of a copy."""
        return essence


class NoMemories(ResourceMemories):
    """kopf keeps 4 KiB for every object it has ever seen, for handlers of kinds that are not used here."""

    async def recall(
        self,
        raw_body: kopf.RawBody,
        *,
        memobase: Any = None,
        noticed_by_listing: bool = False,
        ephemeral: bool = False,
    ) -> ResourceMemory:
        """A memory that lasts for the event at hand."""
        return await super().recall(raw_body, memobase=memobase, noticed_by_listing=noticed_by_listing, ephemeral=True)


def build_settings() -> kopf.OperatorSettings:
    """kopf as a watcher: chunked lists, server-side selection, nothing posted, nothing scanned, no peering."""
    settings = kopf.OperatorSettings()
    settings.watching.chunk_size = 500
    settings.watching.server_timeout = 600
    settings.watching.client_timeout = 660
    settings.watching.field_selectors[names.GROUP, names.VERSION, names.PLURAL] = LIVE
    settings.networking.request_timeout = 30
    settings.queueing.idle_timeout = 1
    settings.queueing.exit_timeout = 0.5
    settings.persistence.consistency_timeout = 0
    settings.persistence.diffbase_storage = NoEssence()
    settings.persistence.progress_storage = NoProgress()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.process.ultimate_exiting_timeout = None  # its end need not be that of the process
    return settings


def build_registry(
    intake: Intake, open_session: Callable[[], kopf.AiohttpSession], relisted: Callable[[], None]
) -> kopf.OperatorRegistry:
    """The handler. `relisted` is called for every object that comes of a list instead of a watch."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return open_session()

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)
    async def climatejob(event: kopf.RawEvent, **_: Any) -> None:
        if event["type"] is None:
            relisted()
        intake.take_climatejob(event["object"], deleted=event["type"] == "DELETED")

    _ = login, climatejob
    return registry
