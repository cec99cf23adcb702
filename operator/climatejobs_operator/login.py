"""Who the operator is to the API server: the pod's service account, else a kubeconfig.

One source for kopf's connections and our own. The token of a service account is replaced on disk every hour or
so; it is read again for as long as the process lives.
"""

import dataclasses
import os
import ssl
import time
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import kopf

TOKEN_PATH = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
TOKEN_AGE_SECONDS = 60


class NoCredentials(Exception):
    """Neither a service account nor a kubeconfig is to be had."""


class Credentials:
    """Address and identity, with which sessions are opened."""

    def __init__(self, info: kopf.ConnectionInfo, token_path: Path | None) -> None:
        self.server = info.server.rstrip("/")
        self._headers = dict(info.as_http_headers())
        self._tls: ssl.SSLContext = info.as_ssl_context()
        self._token_path = token_path
        self._token_read_at = time.monotonic()

    @classmethod
    def find(cls, environ: Mapping[str, str] = os.environ) -> "Credentials":
        """The pod's service account, else the kubeconfig of $KUBECONFIG or the home folder."""
        settings = kopf.OperatorSettings()
        if TOKEN_PATH.exists():
            info = kopf.login_with_service_account(settings=settings)
            if info is not None:
                # By address, as every client in a pod does it: the operator must start before DNS does.
                host, port = environ["KUBERNETES_SERVICE_HOST"], environ["KUBERNETES_SERVICE_PORT"]
                host = f"[{host}]" if ":" in host else host
                return cls(dataclasses.replace(info, server=f"https://{host}:{port}"), TOKEN_PATH)
        info = kopf.login_with_kubeconfig(settings=settings)
        if info is None:
            raise NoCredentials("there is no service account and no kubeconfig; set KUBECONFIG to the path of one")
        return cls(info, None)

    def open_session(self, *middlewares: aiohttp.ClientMiddlewareType) -> aiohttp.ClientSession:
        """A new session that authenticates itself; whoever opens it closes it."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls),
            middlewares=(*middlewares, self._authenticate),
        )

    async def _authenticate(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        now = time.monotonic()
        if self._token_path is not None and now - self._token_read_at > TOKEN_AGE_SECONDS:
            self._headers["Authorization"] = f"Bearer {self._token_path.read_text().strip()}"
            self._token_read_at = now
        request.headers.update(self._headers)
        return await handler(request)
