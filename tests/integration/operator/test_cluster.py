"""What the client relies on of a real API server."""

from collections.abc import AsyncIterator

import pytest

from climatejobs_operator.cluster import CLIMATEJOBS, Cluster, Conflict, NotFound, Refused
from climatejobs_operator.login import Credentials
from tests.cluster_objects import ClimateJobs, Manifest
from tests.integration.conftest import ControlPlane

pytestmark = pytest.mark.integration

STATUS = {"phase": "Running", "message": "Running."}


@pytest.fixture
async def cluster(
    control_plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Cluster]:
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    credentials = Credentials.find()
    async with credentials.open_session() as session:
        yield Cluster(session, credentials.server, namespace)


async def test_a_status_decided_from_an_outdated_object_is_a_conflict(
    cluster: Cluster, climate_jobs: ClimateJobs
) -> None:
    outdated = climate_jobs.create()["metadata"]["resourceVersion"]
    current = climate_jobs.patch_spec("job", cancel=True)["metadata"]["resourceVersion"]
    with pytest.raises(Conflict):
        await cluster.write_status(CLIMATEJOBS, "job", outdated, STATUS)
    await cluster.write_status(CLIMATEJOBS, "job", current, STATUS)
    assert climate_jobs.get("job")["status"]["phase"] == "Running"


async def test_a_status_is_replaced_whole_and_keeps_the_gaps_of_its_results(
    cluster: Cluster, climate_jobs: ClimateJobs
) -> None:
    made = climate_jobs.create()
    await cluster.write_status(CLIMATEJOBS, "job", made["metadata"]["resourceVersion"], STATUS)
    version = climate_jobs.get("job")["metadata"]["resourceVersion"]
    ended: Manifest = {"phase": "Succeeded", "results": {"numbers": [1, None], "gap": None}}
    await cluster.write_status(CLIMATEJOBS, "job", version, ended)
    status = climate_jobs.get("job")["status"]
    assert status["results"] == {"numbers": [1, None], "gap": None}
    assert "message" not in status


async def test_leaving_an_end_is_refused(cluster: Cluster, climate_jobs: ClimateJobs) -> None:
    made = climate_jobs.create()
    await cluster.write_status(CLIMATEJOBS, "job", made["metadata"]["resourceVersion"], {"phase": "Failed"})
    version = climate_jobs.get("job")["metadata"]["resourceVersion"]
    with pytest.raises(Refused, match=r"status\.phase cannot leave"):
        await cluster.write_status(CLIMATEJOBS, "job", version, STATUS)


async def test_pages_of_live_jobs_make_up_the_list(cluster: Cluster, climate_jobs: ClimateJobs) -> None:
    for name in ("a", "b", "c"):
        climate_jobs.create(name)
    over = climate_jobs.create("over")
    await cluster.write_status(CLIMATEJOBS, "over", over["metadata"]["resourceVersion"], {"phase": "Cancelled"})
    fields = "status.phase!=Succeeded,status.phase!=Cancelled"
    pages = [page async for page in cluster.list_pages(CLIMATEJOBS, fields=fields, limit=2)]
    assert [len(page.items) for page in pages] == [2, 1]
    assert len({page.version for page in pages}) == 1


async def test_only_the_object_that_was_meant_is_deleted(cluster: Cluster, climate_jobs: ClimateJobs) -> None:
    made = climate_jobs.create()
    await cluster.delete(CLIMATEJOBS, "job", "uid-of-a-predecessor")
    assert climate_jobs.get("job")["metadata"]["uid"] == made["metadata"]["uid"]
    await cluster.delete(CLIMATEJOBS, "job", made["metadata"]["uid"])
    with pytest.raises(NotFound):
        await cluster.get(CLIMATEJOBS, "job")
