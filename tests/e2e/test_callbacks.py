"""A subscriber in a pod of its own is told of a job that runs in another."""

import json
from collections.abc import Iterator

import httpx
import pytest

from climatejobs_demo.installation import Images, Installation
from tests.cluster_objects import ClimateJobs, Manifest, wait_until

pytestmark = pytest.mark.e2e
RECEIVER = "receiver"
PROGRAM = """
import http.server

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.path, self.rfile.read(int(self.headers["content-length"])).decode(), flush=True)
        self.send_response(204)
        self.end_headers()

http.server.HTTPServer(("", 8000), Receiver).serve_forever()
"""


def receiver_pod(image: str) -> Manifest:
    container = {
        "name": RECEIVER,
        "image": image,
        "command": ["python", "-c", PROGRAM],
        "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": RECEIVER},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "securityContext": security,
            "containers": [container],
        },
    }


@pytest.fixture
def receiver(installation: Installation, images: Images) -> Iterator[str]:
    """Address of a pod that takes what is posted to it, and logs it."""
    installation.kubectl("apply", "--filename", "-", stdin=json.dumps(receiver_pod(images.references["api"])))
    try:
        installation.kubectl("wait", "--for=condition=Ready", f"pod/{RECEIVER}", "--timeout=60s")
        address = installation.kubectl("get", "pod", RECEIVER, "--output", "jsonpath={.status.podIP}")
        yield f"http://{address}:8000"
    finally:
        installation.kubectl("delete", "pod", RECEIVER, "--wait")


def test_a_subscriber_is_told_of_start_and_success(
    api: httpx.Client, installation: Installation, climate_jobs: ClimateJobs, receiver: str
) -> None:
    subscriber = {f"{event}Uri": f"{receiver}/{event}" for event in ("success", "inProgress", "failed")}
    body = {"inputs": {"message": "hello", "pause": 15}, "subscriber": subscriber}
    answer = api.post("/processes/echo/execution", json=body, headers={"Prefer": "respond-async"})
    assert answer.status_code == 202, answer.text
    name = answer.json()["jobID"]
    climate_jobs.wait_for(name, "Succeeded")

    def delivered() -> bool:
        records = climate_jobs.get(name)["status"].get("callbacks", [])
        return [record["state"] for record in records] == ["Delivered", "Delivered"]

    wait_until(delivered, "both callbacks to be delivered", 60, lambda: str(climate_jobs.get(name)["status"]))
    lines = [line for line in installation.kubectl("logs", RECEIVER).splitlines() if line.startswith("/")]
    told = {path: json.loads(text) for path, _, text in (line.partition(" ") for line in lines)}
    assert told.keys() == {"/inProgress", "/success"}
    assert told["/success"] == {"message": "hello"}
    state = told["/inProgress"]
    assert (state["jobID"], state["status"]) == (name, "running")
    assert state["links"][0]["href"] == str(api.base_url.join(f"/jobs/{name}")), "where the submitter found the API"
