"""The application with a gate: what is answered before a route is reached, and what is told of every request."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from climatejobs_api.app import create_app
from climatejobs_api.auth.callers import BadToken, Caller, Permission
from climatejobs_api.auth.gate import GuardedGate
from climatejobs_api.logs import JsonFormatter
from climatejobs_api.settings import Settings
from tests.unit.api.conftest import BASE
from tests.unit.api.memory_jobs import MemoryJobs

ECHO = {"inputs": {"message": "hello"}}
ASYNC = {"Prefer": "respond-async"}


class Authority:
    """Tokens are names; rights are `name verb resource`."""

    def __init__(self, *rights: str) -> None:
        self.rights = set(rights)

    async def identify(self, token: str) -> Caller:
        if token == "bad":  # noqa: S105  # said by the test
            raise BadToken("it is bad")
        return Caller(token)

    async def allows(self, caller: Caller, permission: Permission, name: str | None) -> bool:
        return f"{caller.name} {permission.verb} {permission.resource}" in self.rights


def guarded(settings: Settings, jobs: MemoryJobs, *rights: str) -> httpx.AsyncClient:
    authority = Authority(*rights)
    gate = GuardedGate(authority, authority, namespace="science", keep_seconds=0)
    app = create_app(settings, jobs, gate=gate)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE)


def as_user(name: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}", **more}


@pytest.fixture
async def science(settings: Settings, jobs: MemoryJobs) -> AsyncIterator[httpx.AsyncClient]:
    """Alice may do everything, Bob may look and submit."""
    alice = [f"alice {verb} climatejobs" for verb in ("get", "list", "create", "patch", "delete")]
    rights = [*alice, "alice get datasets", "alice list datasets", "bob get climatejobs", "bob create climatejobs"]
    async with guarded(settings, jobs, *rights) as client:
        yield client


async def test_the_way_in_is_open(science: httpx.AsyncClient) -> None:
    for path in (
        "/",
        "/conformance",
        "/openapi.json",
        "/openapi-3.0.json",
        "/api.html",
        "/livez",
        "/readyz",
        "/metrics",
    ):
        assert (await science.get(path)).status_code == 200, path


async def test_everything_else_wants_to_know_who_asks(science: httpx.AsyncClient) -> None:
    for path in ("/processes", "/processes/echo", "/jobs", "/jobs/x", "/jobs/x/results", "/datasets", "/datasets/x"):
        response = await science.get(path)
        assert response.status_code == 401, path
        assert response.headers["www-authenticate"] == 'Bearer realm="climatejobs"'
        assert response.headers["content-type"] == "application/problem+json"
    assert (await science.head("/jobs")).status_code == 401
    assert (await science.post("/processes/echo/execution", json=ECHO)).status_code == 401
    assert (await science.get("/jobs", headers=as_user("bad"))).json()[
        "detail"
    ] == "the token is not accepted: it is bad"


async def test_bad_parameters_are_not_discussed_with_strangers(science: httpx.AsyncClient) -> None:
    assert (await science.get("/jobs?limit=many")).status_code == 401
    assert (await science.get("/jobs?limit=many", headers=as_user("bob"))).status_code == 403
    assert (await science.get("/jobs?limit=many", headers=as_user("alice"))).status_code == 400


async def test_a_missing_permission_is_named(science: httpx.AsyncClient) -> None:
    assert (await science.get("/processes", headers=as_user("carol"))).status_code == 200
    response = await science.get("/jobs", headers=as_user("bob"))
    assert response.status_code == 403
    assert response.json()["detail"] == "bob may not list climatejobs.climatejobs.io in the namespace science"
    response = await science.get("/datasets", headers=as_user("bob"))
    assert response.json()["detail"] == "bob may not list datasets.climatejobs.io in the namespace science"


async def test_the_submitter_is_recorded(science: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    response = await science.post("/processes/echo/execution", json=ECHO, headers=as_user("bob", **ASYNC))
    assert response.status_code == 202
    assert jobs.manifest(response.json()["jobID"])["spec"]["submittedBy"] == "bob"


async def test_the_same_key_of_two_people_is_two_requests(science: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    names = {
        (
            await science.post(
                "/processes/echo/execution", json=ECHO, headers=as_user(name, **ASYNC, **{"Idempotency-Key": "k"})
            )
        ).json()["jobID"]
        for name in ("alice", "bob", "alice")
    }
    assert len(names) == len(jobs.names()) == 2


async def test_stopping_is_patching_and_removing_is_deleting(
    settings: Settings, jobs: MemoryJobs, science: httpx.AsyncClient
) -> None:
    response = await science.post("/processes/echo/execution", json=ECHO, headers=as_user("alice", **ASYNC))
    path = f"/jobs/{response.json()['jobID']}"
    async with guarded(
        *(settings, jobs), "p get climatejobs", "p patch climatejobs", "d get climatejobs", "d delete climatejobs"
    ) as client:
        assert (await client.delete(path, headers=as_user("d"))).json()["detail"].startswith("d may not patch")
        assert (await client.delete(path, headers=as_user("p"))).status_code == 200
        jobs.change(response.json()["jobID"], phase="Cancelled")
        assert (await client.delete(path, headers=as_user("p"))).json()["detail"].startswith("p may not delete")
        assert (await client.delete(path, headers=as_user("d"))).status_code == 200


@pytest.mark.parametrize(
    ("settings_of_mode", "scheme"),
    [
        ({"auth_mode": "kubernetes"}, {"type": "http", "scheme": "bearer"}),
        (
            {"auth_mode": "oidc", "oidc_issuer": "https://login.example.org/", "oidc_audience": "climatejobs"},
            {
                "type": "openIdConnect",
                "openIdConnectUrl": "https://login.example.org/.well-known/openid-configuration",
            },
        ),
    ],
)
async def test_the_definition_says_what_is_needed(
    jobs: MemoryJobs, settings_of_mode: dict[str, Any], scheme: dict[str, str]
) -> None:
    async with guarded(Settings(**settings_of_mode), jobs) as client:
        for path in ("/openapi.json", "/openapi-3.0.json"):
            definition = (await client.get(path)).json()
            ((name, found),) = definition["components"]["securitySchemes"].items()
            assert scheme.items() <= found.items()
            assert definition["paths"]["/jobs"]["get"]["security"] == [{name: []}]
            assert "security" not in definition["paths"]["/conformance"]["get"]


async def test_nothing_is_needed_without_authentication(client: httpx.AsyncClient) -> None:
    assert "securitySchemes" not in (await client.get("/openapi.json")).json().get("components", {})
    assert (await client.get("/jobs")).status_code == 200


async def test_whoever_submits_too_often_has_to_wait(jobs: MemoryJobs) -> None:
    settings = Settings(submissions_per_minute=2)
    async with guarded(settings, jobs, *(f"{name} create climatejobs" for name in ("alice", "bob"))) as client:
        send = [
            await client.post("/processes/echo/execution", json=ECHO, headers=as_user(name, **ASYNC))
            for name in ("alice", "alice", "alice", "bob")
        ]
        assert [response.status_code for response in send] == [202, 202, 429, 202]
        assert 1 <= int(send[2].headers["retry-after"]) <= 60
        assert send[2].json()["type"] == "urn:climatejobs:error:too-many-submissions"
        assert len(jobs.names()) == 3
        assert (await client.get("/processes", headers=as_user("alice"))).status_code == 200
        assert "climatejobs_api_rate_limited_total 1.0" in (await client.get("/metrics")).text


async def test_without_names_addresses_count(jobs: MemoryJobs) -> None:
    settings = Settings(submissions_per_minute=1, trusted_proxies="127.0.0.1")  # pyright: ignore[reportArgumentType]  # as it comes from the environment
    transport = httpx.ASGITransport(create_app(settings, jobs))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        statuses = [
            (
                await client.post(
                    "/processes/echo/execution", json=ECHO, headers={**ASYNC, "X-Forwarded-For": f"10.9.9.9, {address}"}
                )
            ).status_code
            for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1")
        ]
    assert statuses == [202, 202, 429]


async def test_a_body_may_be_only_so_large(jobs: MemoryJobs) -> None:
    transport = httpx.ASGITransport(create_app(Settings(max_body_bytes=1024), jobs))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        response = await client.post("/processes/echo/execution", json={"inputs": {"message": "x" * 1024}})
    assert response.status_code == 413
    assert "1024 bytes" in response.json()["detail"]
    assert jobs.names() == []


async def test_reads_say_by_how_much_they_may_be_behind(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    assert "age" not in (await client.get("/jobs")).headers
    jobs.age = 12.1
    assert (await client.get("/jobs")).headers["age"] == "13"
    assert (await client.get("/jobs/nothing")).headers["age"] == "13"
    assert "age" not in (await client.get("/processes")).headers


async def test_readiness_lists_its_checks(client: httpx.AsyncClient, jobs: MemoryJobs) -> None:
    response = await client.get("/readyz?verbose")
    assert response.text.splitlines() == [
        "[+]jobs-followed ok",
        "[+]jobs-read ok",
        "[+]jobs-current ok",
        "readyz check passed",
    ]
    jobs.synced = False
    response = await client.get("/readyz?verbose")
    assert response.status_code == 503
    assert "[-]jobs-read failed: the jobs have not been read from the cluster yet" in response.text
    assert response.text.endswith("readyz check failed")
    jobs.synced, jobs.age = True, 301
    response = await client.get("/readyz")
    assert (response.status_code, response.text) == (503, "the cluster has not been heard of for 301 s")


async def test_requests_are_counted_by_operation_and_never_by_address(client: httpx.AsyncClient) -> None:
    for path in ("/jobs", "/jobs/a", "/jobs/b", "/nowhere", "/elsewhere", "/livez"):
        await client.get(path)
    response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    counted = {
        (sample.labels["operation"], sample.labels["status"]): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
        if sample.name == "climatejobs_api_request_seconds_count"
    }
    assert counted == {("getJobs", "200"): 1, ("getStatus", "404"): 2, ("other", "404"): 2}


async def test_the_log_says_who_did_what(science: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "climatejobs_api.exchange"):
        await science.get("/jobs", headers=as_user("bob", **{"X-Request-ID": "r-7"}))
    (line,) = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
    expected = {"method": "GET", "path": "/jobs", "operation": "getJobs", "status": 403, "user": "bob"}
    assert expected.items() <= line.items()
