"""Where the cluster's API server is, and who we are to it: the one module that imports the Kubernetes client.

That client reads kubeconfigs and service accounts, and renews tokens. Its calls are not used: between finding types,
copying bodies and looking for passwords in files, one costs more than the API server takes to store a job.
"""

import os
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, Self, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import config_exception, incluster_config, kube_config

from climatejobs_api.store import NoStore

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/token"
LIMIT = 100
"""Connections at a time."""
KEEP_SECONDS = 60
# The client names no types: these say what is relied on.
_LoadFile = Callable[..., Awaitable[object]]
_LoadPod = Callable[..., None]


class _Configuration(Protocol):
    """What is used of the client's configuration."""

    host: str
    ssl_ca_cert: str | None
    ca_cert_data: str | bytes | None
    cert_file: str | None
    key_file: str | None
    verify_ssl: bool
    disable_strict_ssl_verification: bool
    tls_server_name: str | None
    proxy: str | None

    async def get_api_key_with_prefix(self, identifier: str, alias: str | None = None) -> str | None: ...


class Connection:
    """Kept-alive connections to one API server."""

    def __init__(self, configuration: _Configuration) -> None:
        """Has to be called in the loop that the connections are used in."""
        self._configuration = configuration
        self._base = configuration.host.rstrip("/")
        connector = aiohttp.TCPConnector(limit=LIMIT, keepalive_timeout=KEEP_SECONDS, ssl=_trust(configuration))
        # Cookies and netrc files have no place here.
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=True
        )
        self._proxy = configuration.proxy or _find_proxy(self._base)

    @classmethod
    async def open(cls, kubeconfig: str | None = None) -> Self:
        """Find the cluster: the given kubeconfig, else $KUBECONFIG, else the service account of the pod."""
        configuration = Configuration()
        try:
            await _configure(configuration, kubeconfig or os.environ.get("KUBECONFIG"))
        except config_exception.ConfigException as error:
            raise NoStore(f"no cluster is configured ({error}); set KUBECONFIG or run in a pod") from error
        return cls(cast(_Configuration, configuration))

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        """Send a request; the answer, its body still to be read."""
        token = await self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        return await self._session.request(
            method,
            self._base + path,
            headers={**headers, "Authorization": token} if token else headers,
            data=body,
            timeout=limits,
            proxy=self._proxy,
            server_hostname=self._configuration.tls_server_name,
        )


async def _configure(configuration: Configuration, kubeconfig: str | None) -> None:
    if kubeconfig or not os.path.exists(SERVICE_ACCOUNT):  # noqa: ASYNC240  # once, before anything is served
        load_file = cast(_LoadFile, kube_config.load_kube_config)  # pyright: ignore[reportUnknownMemberType]
        await load_file(config_file=kubeconfig, client_configuration=configuration)
    else:
        load_pod = cast(_LoadPod, incluster_config.load_incluster_config)  # pyright: ignore[reportUnknownMemberType]
        load_pod(client_configuration=configuration)


def _trust(configuration: _Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.disable_strict_ssl_verification:
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _find_proxy(base: str) -> str | None:
    """The proxy that the environment names for this server; read once, not for every call."""
    parts = urlsplit(base)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
