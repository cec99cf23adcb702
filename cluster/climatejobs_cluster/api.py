"""The cluster's API server, asked with the standard library alone: enough to apply objects and to see conditions."""

import base64
import http.client
import json
import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from climatejobs_cluster.errors import ClusterError

SECONDS = 10.0
FIELD_MANAGER = "climatejobs-cluster"

type Object = dict[str, object]


class ApiError(ClusterError):
    """The API server refused a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"The API server answered {status}: {message}")
        self.status = status


def member(value: object, *path: str | int) -> object:
    """What lies at a path within JSON; None where the path leads nowhere."""
    for key in path:
        if isinstance(value, dict):
            value = cast(dict[object, object], value).get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(cast(list[object], value)):
            value = cast(list[object], value)[key]
        else:
            return None
    return value


def items(value: object) -> list[Object]:
    """The objects of a list answer."""
    found = member(value, "items")
    return cast(list[Object], found) if isinstance(found, list) else []


@dataclass(frozen=True)
class Access:
    """How to reach an API server and who to be there, as a kubeconfig says."""

    server: str
    context: ssl.SSLContext
    token: str | None

    @classmethod
    def of(cls, kubeconfig: Path) -> "Access":
        try:
            data: object = json.loads(kubeconfig.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ClusterError(f"The kubeconfig `{kubeconfig}` cannot be read: {error}") from error
        cluster = member(data, "clusters", 0, "cluster")
        user = member(data, "users", 0, "user")
        authority = base64.b64decode(str(member(cluster, "certificate-authority-data")))
        context = ssl.create_default_context(cadata=authority.decode())
        certificate, key = member(user, "client-certificate-data"), member(user, "client-key-data")
        if isinstance(certificate, str) and isinstance(key, str):
            _load_client_certificate(context, base64.b64decode(certificate) + base64.b64decode(key))
        token = member(user, "token")
        return cls(str(member(cluster, "server")), context, token if isinstance(token, str) else None)

    def request(self, method: str, path: str, body: object = None, *, kind: str = "application/json") -> object:
        """The JSON answer to one request."""
        parts = urlsplit(self.server)
        headers = {"Accept": "application/json", "Content-Type": kind}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=SECONDS, context=self.context
        )
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise ClusterError(
                f"The API server at {self.server} does not answer: {error or type(error).__name__}"
            ) from error
        finally:
            connection.close()
        data = _json(text)
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise ApiError(answer.status, str(member(data, "message") or text[:200]))
        return data

    def get(self, path: str) -> object:
        return self.request("GET", path)

    def find(self, path: str) -> object:
        """An object, or None where there is none."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == http.HTTPStatus.NOT_FOUND:
                return None
            raise

    def apply(self, path: str, value: Object) -> object:
        """Makes an object as given, or makes the existing one so."""
        address = f"{path}?fieldManager={FIELD_MANAGER}&force=true"
        return self.request("PATCH", address, value, kind="application/apply-patch+yaml")


def _load_client_certificate(context: ssl.SSLContext, pem: bytes) -> None:
    # The ssl module takes them from files only.
    descriptor, name = tempfile.mkstemp()
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        context.load_cert_chain(name)
    finally:
        os.unlink(name)


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
