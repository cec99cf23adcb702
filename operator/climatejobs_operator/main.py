"""The operator's process: takes part in the election, and leads when it is its turn, until it is told to end."""

import asyncio
import logging
import sys
from datetime import UTC, datetime
from random import SystemRandom

import aiohttp
import uvloop

from climatejobs_operator.cluster import CLIMATEJOBS, Cluster, ClusterError
from climatejobs_operator.election import Election
from climatejobs_operator.health import Health
from climatejobs_operator.leadership import Leadership, elapsed_seconds
from climatejobs_operator.login import Credentials, NoCredentials
from climatejobs_operator.logs import configure_logging
from climatejobs_operator.metrics import Metrics
from climatejobs_operator.probes import build_app, serve
from climatejobs_operator.report_server import Desk, build_report_app
from climatejobs_operator.settings import Settings, SettingsError
from climatejobs_operator.stopping import Stop
from climatejobs_operator.term import Term
from climatejobs_operator.workqueue import Backoff

EX_CONFIG = 78

logger = logging.getLogger(__name__)
chance = SystemRandom().random


def main() -> int:
    """Run until SIGTERM or SIGINT; 0 then, 78 where the configuration is at fault, 1 where anything else is."""
    try:
        settings = Settings.from_environment()
        credentials = Credentials.find()
    except (SettingsError, NoCredentials) as error:
        sys.stderr.write(f"climatejobs-operator: {error}\n")
        return EX_CONFIG
    configure_logging(settings.log_level, settings.log_format)
    uvloop.run(operate(settings, credentials))
    return 0


async def operate(settings: Settings, credentials: Credentials) -> None:
    """Everything, until a signal comes or a part fails."""
    stop = Stop()
    stop.listen()
    leadership = Leadership()
    metrics = Metrics(lambda: leadership.remaining_seconds() > 0)
    async with credentials.open_session(metrics.measure_call) as session, aiohttp.ClientSession() as neighbours:
        candidate = Cluster(session, credentials.server, settings.namespace)
        leader = Cluster(session, credentials.server, settings.namespace, seconds_to_write=leadership.remaining_seconds)
        election = Election(
            candidate,
            leadership,
            name=settings.lease_name,
            identity=settings.identity,
            address=settings.report_address or None,
            clock=elapsed_seconds,
            now=lambda: datetime.now(UTC),
            chance=chance,
        )
        health = Health(election)
        desk = Desk(neighbours, election, metrics)
        async with (
            serve(build_app(health, metrics), settings.probe_port),
            serve(build_report_app(desk), settings.report_port),
        ):
            while await stop.before(wait_until_served(candidate)) and await stop.before(election.win()):
                term = Term(leader, credentials, settings, metrics)
                metrics.show_work(term.work)
                health.pulse, desk.reception = term.pulse, term.reception
                try:
                    await term.serve(election.hold(), stop)
                finally:
                    health.pulse = desk.reception = None
                    metrics.show_work(None)
                    await election.release()
    logger.info("Stopped")


async def wait_until_served(cluster: Cluster) -> None:
    """Wait for the API server and our custom resource: kopf looks for it once, at its start."""
    backoff = Backoff(first_seconds=0.5, max_seconds=10)
    for failures in range(1, sys.maxsize):
        try:
            async for _ in cluster.list_pages(CLIMATEJOBS, limit=1):
                return
        except ClusterError as error:
            pause = backoff.delay(failures, chance())
            logger.warning("ClimateJobs cannot be listed yet: %s; trying again in %.1f s", error, pause)
            await asyncio.sleep(pause)


if __name__ == "__main__":
    sys.exit(main())
