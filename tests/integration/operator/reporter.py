"""The test in the runner's place: asks for tokens as a kubelet does, and reports with them."""

import json
import socket
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import jwt
from kubernetes import client, config
from prometheus_client.parser import text_string_to_metric_families

from climatejobs import names
from tests.cluster_objects import Manifest

MIN_SECONDS = 600
"""The shortest life that the API server gives a token."""


class Kiosk:
    """Gives out tokens of a service account, bound to a pod or not."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self._api: Any = client.CoreV1Api(config.new_client_from_config(str(kubeconfig)))  # pyright: ignore[reportUnknownMemberType] - untyped in kubernetes
        self._namespace = namespace

    def token(self, pod: Manifest | None, *, audience: str = names.REPORT_AUDIENCE, account: str = "default") -> str:
        spec: Manifest = {"audiences": [audience], "expirationSeconds": MIN_SECONDS}
        if pod is not None:
            metadata = pod["metadata"]
            spec["boundObjectRef"] = {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": metadata["name"],
                "uid": metadata["uid"],
            }
        made = self._api.create_namespaced_service_account_token(account, self._namespace, {"spec": spec})
        return made.status.token


def sign_again(token: str, key: str, **claims: object) -> str:
    """The token with other claims, signed with the cluster's own key."""
    old: Manifest = jwt.decode(token, options={"verify_signature": False})
    header = jwt.get_unverified_header(token)
    return jwt.encode({**old, **claims}, key, algorithm=header["alg"], headers={"kid": header["kid"]})


def read_measurements(port: int) -> str:
    """What an operator's /metrics says."""
    return read_page(port, "/metrics")


def measure(port: int, name: str, **labels: str) -> float:
    """A figure of an operator's /metrics, over all that has those labels; 0 where there is none."""
    families = text_string_to_metric_families(read_measurements(port))
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def read_page(port: int, path: str) -> str:
    """What an operator answers at its port for probes, whatever the status."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


class Reporter:
    """Posts reports to an operator."""

    def __init__(self, port: int) -> None:
        self._port = port

    def send(self, token: str | None, body: object) -> tuple[int, str]:
        """Status, and the reason of a refusal."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=20)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        try:
            connection.request("POST", names.REPORT_PATH, json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        return response.status, json.loads(text)["reason"] if text else ""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
