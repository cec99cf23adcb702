"""REST and kubectl follow the same rules: real tokens, real TokenReviews, real RBAC.

The API runs as an account with exactly the rights that the chart gives it.
"""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import time

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from climatejobs import names
from tests.cluster_objects import ClimateJobs, ClusterObjects, Manifest, wait_until
from tests.integration.api.conftest import Replica
from tests.integration.api.gateway import Gateway
from tests.integration.api.identities import (
    API_RULES,
    REVIEWS,
    give,
    make_account,
    token_of,
    wait_for_right,
    write_kubeconfig,
)
from tests.integration.conftest import ControlPlane

pytestmark = pytest.mark.integration

ECHO = {"message": "hello"}
ASYNC = {"Prefer": "respond-async"}


def rule(*verbs: str, resource: str = names.PLURAL, objects: tuple[str, ...] = ()) -> Manifest:
    found: Manifest = {"apiGroups": [names.GROUP], "resources": [resource], "verbs": list(verbs)}
    return {**found, "resourceNames": list(objects)} if objects else found


@pytest.fixture
def objects(control_plane: ControlPlane) -> ClusterObjects:
    return control_plane.objects


@pytest.fixture
def reviewer(control_plane: ControlPlane, objects: ClusterObjects, namespace: str, tmp_path: Path) -> Iterator[Path]:
    """A kubeconfig of the API's own account, which may ask for reviews."""
    make_account(objects, namespace, "api", API_RULES)
    head = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": f"{namespace}-reviews"}}
    objects.create({**head, "kind": "ClusterRole", "rules": REVIEWS})
    subject = {"kind": "ServiceAccount", "name": "api", "namespace": namespace}
    objects.create(
        {
            **head,
            "kind": "ClusterRoleBinding",
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"{namespace}-reviews"},
            "subjects": [subject],
        }
    )
    wait_for_right(objects, REVIEWS[0], subject)
    target = tmp_path / "api-kubeconfig"
    write_kubeconfig(objects, namespace, "api", control_plane.kubeconfig, target)
    yield target
    for kind in ("ClusterRoleBinding", "ClusterRole"):
        objects.delete(kind, f"{namespace}-reviews", version="rbac.authorization.k8s.io/v1")


class People:
    """Accounts that the test makes, and requests that they send."""

    def __init__(self, control_plane: ControlPlane, namespace: str, api: Replica) -> None:
        self._control_plane = control_plane
        self._namespace = namespace
        self._api = api
        self._tokens: dict[str, str] = {}

    def add(self, name: str, *rules: Manifest, audience: str | None = None) -> None:
        make_account(self._control_plane.objects, self._namespace, name, list(rules))
        self._tokens[name] = token_of(self._control_plane.kubeconfig, self._namespace, name, audience=audience)

    def send(self, name: str, method: str, path: str, **more: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._tokens[name]}", **ASYNC}
        return self._api.http.request(method, path, headers=headers, **more)  # pyright: ignore[reportArgumentType]

    def submit(self, name: str) -> httpx.Response:
        return self.send(name, "POST", "/processes/echo/execution", json={"inputs": ECHO})


@pytest.fixture
def api(reviewer: Path, namespace: str, tmp_path: Path) -> Iterator[Replica]:
    with Replica(reviewer, namespace, tmp_path, auth_mode="kubernetes", auth_keep_seconds=1) as replica:
        yield replica


@pytest.fixture
def people(control_plane: ControlPlane, namespace: str, api: Replica) -> People:
    return People(control_plane, namespace, api)


def test_a_token_of_the_cluster_opens_what_its_roles_allow(
    people: People, objects: ClusterObjects, climate_jobs: ClimateJobs, namespace: str
) -> None:
    people.add("reader", rule("get", "list"))
    people.add("writer", rule("get", "list", "create", "patch", "delete"))
    people.add("nobody")
    submitted = people.submit("writer")
    assert submitted.status_code == 202, submitted.text
    job = f"/jobs/{submitted.json()['jobID']}"
    manifest = climate_jobs.get(submitted.json()["jobID"])
    assert manifest["spec"]["submittedBy"] == f"system:serviceaccount:{namespace}:writer"
    expected = {
        "reader": {"list": 200, "get": 200, "create": 403, "delete": 403},
        "nobody": {"list": 403, "get": 403, "create": 403, "delete": 403},
    }
    for name, statuses in expected.items():
        found = {
            "list": people.send(name, "GET", "/jobs").status_code,
            "get": people.send(name, "GET", job).status_code,
            "create": people.submit(name).status_code,
            "delete": people.send(name, "DELETE", job).status_code,
        }
        assert found == statuses, name
    refused = people.submit("reader").json()["detail"]
    who = f"system:serviceaccount:{namespace}:reader"
    assert refused == f"{who} may not create climatejobs.climatejobs.io in the namespace {namespace}"
    assert len(climate_jobs.list()) == 1
    assert people.send("writer", "DELETE", job).json()["status"] == "dismissed"
    give(
        objects,
        namespace,
        "late",
        [rule("list")],
        {"kind": "ServiceAccount", "name": "nobody"} | {"namespace": namespace},
    )
    wait_until(lambda: people.send("nobody", "GET", "/jobs").status_code == 200, "the new right to count", 20)


def test_rights_to_one_job_and_to_data_sets(people: People, climate_jobs: ClimateJobs) -> None:
    for name in ("mine", "other"):
        climate_jobs.create(name)
    people.add("one", rule("get", objects=("mine",)), rule("list", resource="datasets"))
    assert people.send("one", "GET", "/jobs/mine").status_code == 200
    assert people.send("one", "GET", "/jobs/other").status_code == 403
    assert people.send("one", "GET", "/datasets").status_code == 200
    response = people.send("one", "GET", "/datasets/era5")
    assert (response.status_code, "may not get datasets.climatejobs.io" in response.json()["detail"]) == (403, True)


def test_a_token_that_is_not_one_or_not_for_us(people: People, api: Replica) -> None:
    people.add("elsewhere", rule("list"), audience="another-service")
    response = people.send("elsewhere", "GET", "/jobs")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="climatejobs", error="invalid_token"'
    made_up = api.http.get("/jobs", headers={"Authorization": "Bearer made.up.token"})
    assert made_up.status_code == 401
    assert "made.up" not in api.log.read_text()


def test_tokens_can_be_for_this_service_alone(
    control_plane: ControlPlane, reviewer: Path, namespace: str, tmp_path: Path
) -> None:
    settings = {"auth_mode": "kubernetes", "auth_audiences": "climatejobs"}
    with Replica(reviewer, namespace, tmp_path, **settings) as api:
        people = People(control_plane, namespace, api)
        people.add("for-us", rule("list"), audience="climatejobs")
        people.add("for-the-cluster", rule("list"))
        assert people.send("for-us", "GET", "/jobs").status_code == 200
        assert people.send("for-the-cluster", "GET", "/jobs").status_code == 401


def test_without_the_right_to_review_nobody_gets_in_and_the_reason_is_told(
    control_plane: ControlPlane, objects: ClusterObjects, namespace: str, tmp_path: Path
) -> None:
    make_account(objects, namespace, "bare", API_RULES)
    target = tmp_path / "kubeconfig"
    write_kubeconfig(objects, namespace, "bare", control_plane.kubeconfig, target)
    with Replica(target, namespace, tmp_path, auth_mode="kubernetes") as api:
        people = People(control_plane, namespace, api)
        people.add("someone", rule("list"))
        response = people.send("someone", "GET", "/jobs")
    assert (response.status_code, response.json()["title"]) == (503, "Access cannot be checked")
    assert "tokenreviews" in response.json()["detail"]


def test_no_verdict_while_the_cluster_is_away(
    control_plane: ControlPlane, reviewer: Path, namespace: str, tmp_path: Path
) -> None:
    gateway, target = Gateway(reviewer), tmp_path / "by-the-gateway"
    with gateway.run():
        gateway.write_kubeconfig(target)
        with Replica(target, namespace, tmp_path, auth_mode="kubernetes", auth_keep_seconds=600) as api:
            people = People(control_plane, namespace, api)
            people.add("reader", rule("list"))
            people.add("newcomer", rule("list"))
            assert people.send("reader", "GET", "/jobs").status_code == 200
            gateway.close()
            response = people.send("newcomer", "GET", "/jobs")
            assert (response.status_code, response.json()["title"]) == (503, "Access cannot be checked")
            assert int(response.headers["retry-after"]) > 0
            assert people.send("reader", "GET", "/jobs").status_code == 200, "what is known of a caller still holds"
            assert people.submit("reader").status_code == 503
            gateway.open()
            wait_until(lambda: people.send("newcomer", "GET", "/jobs").status_code == 200, "an answer again", 30)


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def issuer() -> Iterator[str]:
    """An issuer on loopback: its configuration and its keys."""
    keys = {"keys": [{**RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "one", "use": "sig"}]}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = f"http://127.0.0.1:{server.server_port}"
            configuration = {"issuer": url, "jwks_uri": f"{url}/keys"}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(keys if self.path == "/keys" else configuration).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_people_of_an_issuer_have_the_rights_that_the_cluster_gives_them(
    reviewer: Path, objects: ClusterObjects, namespace: str, tmp_path: Path, climate_jobs: ClimateJobs, issuer: str
) -> None:
    group = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "oidc:science"}
    give(objects, namespace, "science", [rule("get", "list", "create")], group)
    user = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "oidc:bob@example.org"}
    give(objects, namespace, "bob", [rule("list")], user)

    def sign(email: str, *groups: str, audience: str = "climatejobs", seconds: int = 60) -> dict[str, str]:
        payload = {"iss": issuer, "aud": audience, "email": email, "groups": groups, "exp": int(time()) + seconds}
        return {"Authorization": f"Bearer {jwt.encode(payload, KEY, 'RS256', headers={'kid': 'one'})}", **ASYNC}

    settings = {"oidc_issuer": issuer, "oidc_audience": "climatejobs", "oidc_username_claim": "email"}
    with Replica(reviewer, namespace, tmp_path, auth_mode="oidc", **settings) as api:
        alice, bob = sign("alice@example.org", "science"), sign("bob@example.org")
        submitted = api.http.post("/processes/echo/execution", json={"inputs": ECHO}, headers=alice)
        assert submitted.status_code == 202, submitted.text
        assert climate_jobs.get(submitted.json()["jobID"])["spec"]["submittedBy"] == "oidc:alice@example.org"
        assert api.http.get("/jobs", headers=bob).status_code == 200
        assert api.http.get(f"/jobs/{submitted.json()['jobID']}", headers=bob).status_code == 403
        for bad in (sign("alice@example.org", audience="other"), sign("alice@example.org", seconds=-60)):
            assert api.http.get("/jobs", headers=bad).status_code == 401
