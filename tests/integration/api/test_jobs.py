"""Jobs over REST against a real API server."""

import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from climatejobs import names
from tests.cluster_objects import ClimateJobs, ClusterObjects, wait_until
from tests.integration.api.conftest import Replica, StartReplica
from tests.integration.api.gateway import Gateway
from tests.integration.conftest import ControlPlane, cluster_tool
from tests.unit.api.manifests import DATASET, write_dataset

pytestmark = pytest.mark.integration


@pytest.fixture
def objects(control_plane: ControlPlane) -> ClusterObjects:
    return control_plane.objects


def set_status(objects: ClusterObjects, jobs: ClimateJobs, name: str, **status: Any) -> None:
    manifest = jobs.get(name)
    manifest["status"] = {**manifest.get("status", {}), **status}
    objects.replace_status(manifest)


def test_a_submission_is_a_climatejob(api: Replica, climate_jobs: ClimateJobs) -> None:
    inputs = {"message": "hello", "numbers": [1, 2], "document": None}
    body = {"inputs": inputs, "outputs": {"message": {"transmissionMode": "value"}}, "job": {"maxAttempts": 2}}
    response = api.http.post(
        "/processes/echo/execution", json=body, headers={"Prefer": "respond-async", "X-Request-ID": "r-1"}
    )
    assert response.status_code == 202
    assert response.headers["location"] == f"{api.url}/jobs/{response.json()['jobID']}"
    manifest = climate_jobs.get(response.json()["jobID"])
    assert manifest["spec"]["inputs"] == inputs
    assert (manifest["spec"]["process"], manifest["spec"]["maxAttempts"]) == ("echo", 2)
    assert manifest["metadata"]["labels"][names.LABEL_PROCESS] == "echo"
    assert manifest["metadata"]["annotations"][names.ANNOTATION_REQUEST_ID] == "r-1"
    submitted_at = manifest["metadata"]["annotations"][names.ANNOTATION_SUBMITTED_AT]
    # As moments: one of a whole second may be written with a fraction or without.
    assert datetime.fromisoformat(submitted_at) == datetime.fromisoformat(response.json()["created"])


def test_bad_input_creates_nothing(api: Replica, climate_jobs: ClimateJobs) -> None:
    for body in ({"message": 5}, {"message": "x", "pause": -1}, {"nothing": 1}):
        assert api.http.post("/processes/echo/execution", json=body).status_code == 400
    assert climate_jobs.list() == []


def test_every_one_of_fifty_racing_submissions_is_there_at_once(api: Replica, climate_jobs: ClimateJobs) -> None:
    def submit_and_look(number: int) -> str:
        # Threads that share a client may close each other's connections: https://github.com/encode/httpcore/issues/1110
        with httpx.Client(base_url=api.url, timeout=30) as http:
            response = http.post(
                "/processes/echo/execution",
                json={"message": str(number)},
                headers={"Prefer": "respond-async"},
            )
            assert response.status_code == 202, response.text
            assert http.get(response.headers["location"]).status_code == 200
            newest = [job["jobID"] for job in http.get("/jobs?limit=50").json()["jobs"]]
            assert response.json()["jobID"] in newest
            return response.json()["jobID"]

    with ThreadPoolExecutor(10) as pool:
        submitted = list(pool.map(submit_and_look, range(50)))
    assert len(set(submitted)) == 50
    listed = api.ids()
    assert sorted(listed) == sorted(submitted)
    created = [datetime.fromisoformat(api.http.get(f"/jobs/{name}").json()["created"]) for name in listed]
    assert created == sorted(created, reverse=True)
    assert len(climate_jobs.list()) == 50


def test_jobs_made_with_kubectl_are_listed_too(
    api: Replica, objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    climate_jobs.create("by-hand")
    wait_until(lambda: "by-hand" in api.ids(), "the job to be listed")
    set_status(objects, climate_jobs, "by-hand", phase="Running", message="step 1", progress={"percent": 7})

    def state() -> tuple[str, str, int]:
        body = api.http.get("/jobs/by-hand").json()
        return (body["status"], body["message"], body["progress"])

    wait_until(lambda: state() == ("running", "step 1", 7), "the change to be seen", 10, lambda: str(state()))
    objects.delete(names.KIND, "by-hand", climate_jobs.namespace, version=names.API_VERSION)
    wait_until(lambda: api.http.get("/jobs/by-hand").status_code == 404, "the job to be gone", 10)


def test_a_synchronous_request_is_answered_as_soon_as_the_job_ends(
    api: Replica, objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    answers: list[httpx.Response] = []
    request = Thread(
        target=lambda: answers.append(api.http.post("/processes/echo/execution", json={"message": "hello"}))
    )
    request.start()
    name = wait_until(lambda: next((job["metadata"]["name"] for job in climate_jobs.list()), None), "the job")
    set_status(objects, climate_jobs, name, phase="Succeeded", results={"message": "hello", "numbers": [3]})
    request.join(20)
    assert not request.is_alive()
    assert answers[0].status_code == 200
    assert answers[0].json() == {"message": "hello", "numbers": [3]}
    assert api.http.get(f"/jobs/{name}/results").json() == answers[0].json()


def test_a_wait_that_is_over_is_answered_with_the_job(api: Replica) -> None:
    begun = time.monotonic()
    response = api.http.post("/processes/echo/execution", json={"message": "hello"}, headers={"Prefer": "wait=1"})
    assert response.status_code == 202
    assert response.headers["preference-applied"] == "wait=1"
    assert 0.9 < time.monotonic() - begun < 20


def test_a_live_job_is_cancelled_and_an_ended_one_removed(
    api: Replica, objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    name = api.submit()
    set_status(objects, climate_jobs, name, phase="Running")
    for _ in range(2):
        response = api.http.delete(f"/jobs/{name}")
        assert (response.status_code, response.json()["status"]) == (200, "dismissed")
        assert api.http.get(f"/jobs/{name}").json()["status"] == "dismissed"
    manifest = climate_jobs.get(name)
    assert manifest["spec"]["cancel"] is True
    assert manifest["metadata"]["generation"] == 2
    set_status(objects, climate_jobs, name, phase="Cancelled")
    wait_until(lambda: api.http.get(f"/jobs/{name}").json()["phase"] == "Cancelled", "the end to be seen", 10)
    response = api.http.delete(f"/jobs/{name}")
    assert (response.status_code, response.json()["status"]) == (200, "dismissed")
    assert api.http.get(f"/jobs/{name}").status_code == 404
    assert api.http.delete(f"/jobs/{name}").status_code == 404
    assert name not in api.ids()
    assert climate_jobs.list() == []


def test_a_dismissal_that_loses_the_race_removes_nothing(
    api: Replica, objects: ClusterObjects, climate_jobs: ClimateJobs
) -> None:
    """Success is written while DELETE is under way: whichever the API sees, results are never lost unasked."""
    for _ in range(5):
        name = api.submit()
        response = api.http.delete(f"/jobs/{name}")
        assert response.json()["status"] == "dismissed"
        set_status(objects, climate_jobs, name, phase="Succeeded", results={"message": "hello"})
        wait_until(lambda: api.http.get(f"/jobs/{name}").json()["status"] == "successful", "the correction", 10)  # noqa: B023
        assert api.http.get(f"/jobs/{name}/results").status_code == 200


def test_what_the_cluster_refuses_is_explained(api: Replica, objects: ClusterObjects, namespace: str) -> None:
    objects.create(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "none"},
            "spec": {"hard": {f"count/{names.PLURAL}.{names.GROUP}": "0"}},
        },
        namespace,
    )

    def refused() -> httpx.Response | None:
        response = api.http.post(
            "/processes/echo/execution", json={"message": "x"}, headers={"Prefer": "respond-async"}
        )
        return response if response.status_code == 403 else None

    response = wait_until(refused, "the quota to hold", 30)
    assert "quota" in response.json()["detail"]


def test_two_replicas_see_each_others_jobs(start: StartReplica) -> None:
    with start() as one, start() as two:
        for here, there in ((one, two), (two, one)):
            name = here.submit()
            # At once, although the news may not have arrived there yet.
            assert there.http.get(f"/jobs/{name}").status_code == 200
            assert there.http.delete(f"/jobs/{name}").json()["status"] == "dismissed"
            wait_until(lambda: here.http.get(f"/jobs/{name}").json()["status"] == "dismissed", "the news", 10)  # noqa: B023
        assert one.ids() == two.ids()


def test_jobs_outlive_the_api(start: StartReplica) -> None:
    with start() as first:
        submitted = [first.submit() for _ in range(3)]
        first.stop(signal.SIGKILL)
    with start() as second:
        assert second.ids() == submitted[::-1]


def test_a_replica_that_is_killed_loses_no_acknowledged_job(start: StartReplica) -> None:
    """kill -9 in the middle of 200 submissions: what was answered with 202 is there, at whichever replica."""
    acknowledged: list[str] = []
    a_quarter = Event()
    with start() as victim, start() as other:

        def submit(number: int) -> None:
            with suppress(httpx.TransportError):
                response = victim.http.post(
                    "/processes/echo/execution", json={"message": str(number)}, headers={"Prefer": "respond-async"}
                )
                assert response.status_code == 202, response.text
                acknowledged.append(response.json()["jobID"])
                if len(acknowledged) >= 50:
                    a_quarter.set()

        with ThreadPoolExecutor(8) as pool:
            sending = [pool.submit(submit, number) for number in range(200)]
            assert a_quarter.wait(60)
            victim.stop(signal.SIGKILL)
            for each in sending:
                each.result(60)
        assert 50 <= len(acknowledged) < 200, "it was killed in the middle"
        assert [name for name in acknowledged if other.http.get(f"/jobs/{name}").status_code != 200] == []
        wait_until(lambda: set(acknowledged) <= set(other.ids()), "all of them to be listed", 10)


def test_reads_say_how_old_they_are_and_are_refused_past_a_limit(
    start: StartReplica, control_plane: ControlPlane
) -> None:
    with start(stale_seconds=0.5) as replica, start() as patient:
        job = f"/jobs/{replica.submit()}"
        wait_until(lambda: "age" not in replica.http.get(job).headers, "the watch to be open", 10)
        assert patient.http.get(job).status_code == 200
        refused: list[httpx.Response] = []
        ages: list[str] = []
        done = False

        def keep_asking() -> None:
            while not done:
                response = replica.http.get("/jobs")
                assert response.status_code in (200, 503), response.text
                refused.extend([response] if response.status_code == 503 else [])
                kept = patient.http.get(job)
                assert kept.status_code == 200, kept.text
                ages.extend([kept.headers["age"]] if "age" in kept.headers else [])

        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(keep_asking)
            try:
                cluster_tool(control_plane.name, "restart", "kube-apiserver")
            finally:
                done = True
            asking.result(60)
        assert refused, "too old reads are refused"
        assert int(refused[0].headers["retry-after"]) > 0
        assert "has not been heard of" in refused[0].json()["detail"]
        assert ages, "old reads are marked"

        def current() -> bool:
            response = replica.http.get("/jobs")
            return response.status_code == 200 and "age" not in response.headers

        def ready() -> bool:
            return replica.http.get("/readyz?verbose").text.splitlines()[-1] == "readyz check passed"

        wait_until(current, "the watch to be open again", 60)
        wait_until(ready, "the API to say that it is ready", 60)


def test_calls_and_jobs_are_measured(api: Replica) -> None:
    api.submit()
    text = api.http.get("/metrics").text
    assert 'climatejobs_api_cluster_call_seconds_count{status="201",verb="post"} 1.0' in text
    assert 'climatejobs_api_request_seconds_count{operation="execute",status="202"} 1.0' in text
    assert "climatejobs_api_cached_jobs 1.0" in text
    # A second time where the watch has lost its place.
    assert re.search(r"^climatejobs_api_cache_lists_total [12]\.0$", text, re.MULTILINE)


def test_the_program_stops_at_once_and_answers_those_who_wait(start: StartReplica) -> None:
    with start() as replica:
        answers: list[int] = []
        request = Thread(
            target=lambda: answers.append(
                replica.http.post("/processes/echo/execution", json={"message": "x"}).status_code
            )
        )
        request.start()
        wait_until(lambda: httpx.get(f"{replica.url}/jobs", timeout=30).json()["jobs"], "the job", 10)
        begun = time.monotonic()
        assert replica.stop() == 0
        assert time.monotonic() - begun < 8, "far less than what is waited for an answer"
        request.join(20)
        assert answers == [202]


def test_a_download_that_is_under_way_comes_to_its_end(start: StartReplica, tmp_path: Path) -> None:
    store = write_dataset(tmp_path)
    content = os.urandom(64 << 20)  # far more than is on its way at a time
    (store / "large").write_bytes(content)
    with start() as replica:
        stopping = Thread(target=replica.stop)
        with httpx.stream("GET", f"{replica.url}/datasets/{DATASET['id']}/zarr/large", timeout=30) as answer:
            pieces = answer.iter_bytes()
            received = next(pieces)
            stopping.start()
            wait_until(lambda: refuses(replica.url), "it to be stopping", 30)
            stopping.join(2)
            assert stopping.is_alive(), "it waits for who reads slowly"
            received += b"".join(pieces)
        stopping.join(30)
        assert received == content
        assert replica.stop() == 0


def refuses(url: str) -> bool:
    """Whether nobody listens there any more."""
    try:
        httpx.get(f"{url}/livez", timeout=30)
    except httpx.ConnectError:
        return True
    except httpx.ReadError:  # in line to be let in when the door was shut
        return False
    return False


def test_reads_go_on_while_the_cluster_is_away(
    control_plane: ControlPlane, namespace: str, tmp_path: Path, climate_jobs: ClimateJobs
) -> None:
    """Jobs stay readable, writes say when to come again, and nothing is missed of what happened meanwhile."""
    gateway, target = Gateway(control_plane.kubeconfig), tmp_path / "by-the-gateway"
    with gateway.run():
        gateway.write_kubeconfig(target)
        with Replica(target, namespace, tmp_path) as replica:
            before, other = replica.submit(), replica.submit()
            gateway.close()
            assert replica.http.get(f"/jobs/{before}").status_code == 200
            assert sorted(replica.ids()) == sorted([before, other])
            body, headers = {"message": "x"}, {"Prefer": "respond-async"}
            for refused in (
                replica.http.post("/processes/echo/execution", json=body, headers=headers),
                replica.http.delete(f"/jobs/{before}"),
            ):
                assert refused.status_code == 503
                assert int(refused.headers["retry-after"]) > 0
            climate_jobs.create("meanwhile")
            control_plane.objects.delete(names.KIND, other, namespace, version=names.API_VERSION)
            assert replica.http.get("/livez").status_code == 200
            gateway.open()
            wait_until(
                lambda: sorted(replica.ids()) == sorted([before, "meanwhile"]), "the news", 60, replica.log.read_text
            )
            replica.submit()
