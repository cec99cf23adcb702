"""The keys of an OpenID Connect issuer, from the address that it publishes."""

import json
from collections.abc import Mapping
from typing import Any, cast

import aiohttp

from climatejobs_api.auth.callers import NoVerdict

DISCOVERY = "/.well-known/openid-configuration"
MAX_BYTES = 256 * 1024
_LIMITS = aiohttp.ClientTimeout(total=10, sock_connect=5)


class KeySource:
    """Finds the key set of one issuer."""

    def __init__(self, issuer: str, keys_url: str | None = None) -> None:
        """Without `keys_url` the issuer's own configuration says where the keys are."""
        self._issuer = issuer
        self._keys_url = keys_url

    async def fetch(self) -> Mapping[str, Any]:
        """The JSON Web Key Set; raises `NoVerdict`."""
        try:
            async with aiohttp.ClientSession(timeout=_LIMITS, trust_env=True) as session:
                return await _read(session, self._keys_url or await self._discover(session))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise NoVerdict(f"the keys of {self._issuer} cannot be had: {error or type(error).__name__}") from error

    async def _discover(self, session: aiohttp.ClientSession) -> str:
        document = await _read(session, self._issuer.rstrip("/") + DISCOVERY)
        if document.get("issuer") != self._issuer:
            raise ValueError(f"its configuration is that of {document.get('issuer')!r}")
        return str(document["jwks_uri"])


async def _read(session: aiohttp.ClientSession, url: str) -> Mapping[str, Any]:
    async with session.get(url) as response:
        response.raise_for_status()
        content = await response.content.read(MAX_BYTES + 1)
        while len(content) <= MAX_BYTES and (more := await response.content.read(MAX_BYTES)):
            content += more
    if len(content) > MAX_BYTES:
        raise ValueError(f"{url} answers more than {MAX_BYTES} bytes")
    document = cast(object, json.loads(content))
    if not isinstance(document, dict):
        raise ValueError(f"{url} is no JSON object")
    return cast(Mapping[str, Any], document)
