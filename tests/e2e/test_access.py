"""A release that asks who its callers are, as its notes and docs/how-to/secure-it.md say: real tokens, real RBAC."""

from collections.abc import Iterator

import httpx
import pytest

from climatejobs_demo.cluster import Cluster
from climatejobs_demo.installation import Images, Installation
from tests.cluster_objects import wait_until
from tests.e2e.conftest import reach_api

pytestmark = pytest.mark.e2e

NAMESPACE = "e2e-access"
SETTINGS = "auth.mode=kubernetes,auth.keepSeconds=1,crds.enabled=false"


@pytest.fixture(scope="module")
def guarded(cluster: Cluster, images: Images, installation: Installation) -> Iterator[Installation]:
    """A second release in a namespace of its own; the first has brought the definition."""
    assert installation.namespace != NAMESPACE
    second = Installation(cluster, NAMESPACE)
    try:
        second.install(images, ("--set", SETTINGS))
        yield second
    finally:
        cluster.helm("uninstall", "climatejobs", "--namespace", NAMESPACE, "--ignore-not-found", "--wait")
        cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="module")
def api(guarded: Installation) -> Iterator[httpx.Client]:
    with reach_api(guarded) as client:
        yield client


def sign_in(installation: Installation, name: str, role: str) -> dict[str, str]:
    """The header of an account that is given a role of the cluster."""
    installation.kubectl("create", "serviceaccount", name)
    account = f"{NAMESPACE}:{name}"
    installation.kubectl("create", "rolebinding", name, f"--clusterrole={role}", f"--serviceaccount={account}")
    return {"Authorization": f"Bearer {installation.kubectl('create', 'token', name).strip()}"}


def test_rest_follows_the_roles_of_the_cluster(guarded: Installation, api: httpx.Client) -> None:
    editor = sign_in(guarded, "scientist", "edit") | {"Prefer": "respond-async"}
    viewer = sign_in(guarded, "visitor", "view")
    assert api.get("/conformance").status_code == 200
    assert api.get("/jobs").status_code == 401
    body = {"inputs": {"message": "who am I"}, "response": "document"}

    def submitted() -> httpx.Response | None:
        # The cluster gathers the rules of its roles a moment after the chart has brought new ones.
        answer = api.post("/processes/echo/execution", json=body, headers=editor)
        return answer if answer.status_code != 403 else None

    answer = wait_until(submitted, "the role to count", 30)
    assert answer.status_code == 202, answer.text
    job = f"/jobs/{answer.json()['jobID']}"
    wait_until(
        lambda: api.get(job, headers=viewer).json()["status"] == "successful",
        "the job to succeed",
        120,
        lambda: api.get(job, headers=viewer).text,
    )
    submitter = guarded.kubectl("get", "climatejob", answer.json()["jobID"], "-o", "jsonpath={.spec.submittedBy}")
    assert submitter == f"system:serviceaccount:{NAMESPACE}:scientist"
    assert api.get(f"{job}/results", headers=viewer).json() == {"message": "who am I"}
    assert api.get("/datasets", headers=viewer).status_code == 200
    for refused in (api.post("/processes/echo/execution", json=body, headers=viewer), api.delete(job, headers=viewer)):
        assert refused.status_code == 403
        assert "visitor may not" in refused.json()["detail"]
    assert api.delete(job, headers=editor).status_code == 200


def test_the_release_s_own_test_finds_it_closed(guarded: Installation) -> None:
    said = guarded.cluster.helm("test", "climatejobs", "--namespace", NAMESPACE, "--timeout", "2m")
    assert "Succeeded" in said
