"""How the parts of a leading operator are put together, where no test of a part can see it."""

import aiohttp
import kopf

from climatejobs_operator.cluster import Cluster
from climatejobs_operator.entries import read_entry
from climatejobs_operator.login import Credentials
from climatejobs_operator.metrics import Metrics
from climatejobs_operator.term import Term
from tests.unit.operator.builders import SETTINGS, climatejob_manifest, make_job

NOWHERE = "http://127.0.0.1:1"


async def test_jobs_to_start_do_not_stand_behind_all_that_go_on() -> None:
    async with aiohttp.ClientSession() as session:
        credentials = Credentials(kopf.ConnectionInfo(server=NOWHERE), None)
        term = Term(Cluster(session, NOWHERE, "default"), credentials, SETTINGS, Metrics())
        cache, queue = term.work.cache, term.work.queue
        for name in ("goes-on", "goes-on-too"):
            cache.jobs.put(make_job(name))
        for name in ("goes-on", "goes-on-too", "new"):
            cache.climatejobs.put(read_entry(climatejob_manifest(name)))
        for name in ("goes-on", "goes-on-too", "new"):
            queue.add(name)
        assert "new" in [await queue.take(), await queue.take()]
