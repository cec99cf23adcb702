"""Tokens of an issuer whose keys the test makes; their key set comes over real HTTP where that is what is tested."""

import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.utils import base64url_encode

from climatejobs_api.auth.callers import BadToken, NoVerdict
from climatejobs_api.auth.keys import KeySource
from climatejobs_api.auth.oidc import Claims, OidcAuthenticator

ISSUER = "https://login.example.org/"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
KEYS: list[dict[str, Any]] = [
    {**RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True), "kid": "r", "use": "sig"},
    {**ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": "e", "alg": "ES256"},
    {"kty": "RSA", "kid": "enc", "use": "enc"},
]
CLAIMS = Claims(issuer=ISSUER, audience="climatejobs", username_prefix="oidc:", groups_prefix="oidc:")


def sign(key: Any = RSA_KEY, algorithm: str = "RS256", key_id: str | None = "r", **claims: object) -> str:
    payload = {"iss": ISSUER, "aud": "climatejobs", "sub": "alice", "exp": int(time()) + 3600, **claims}
    kept = {name: value for name, value in payload.items() if value is not None}
    return jwt.encode(kept, key, algorithm=algorithm, headers={"kid": key_id} if key_id else None)


class Issuer:
    def __init__(self) -> None:
        self.keys = list(KEYS)
        self.fetches = 0
        self.away = False

    async def fetch(self) -> Mapping[str, Any]:
        self.fetches += 1
        if self.away:
            raise NoVerdict("away")
        return {"keys": self.keys}


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


def authenticator(
    issuer: Issuer, claims: Claims = CLAIMS, clock: Callable[[], float] = lambda: 0.0
) -> OidcAuthenticator:
    return OidcAuthenticator(claims, issuer.fetch, clock=clock)


@pytest.mark.parametrize(
    ("key", "algorithm", "key_id"),
    [(RSA_KEY, "RS256", "r"), (RSA_KEY, "RS512", "r"), (RSA_KEY, "PS256", "r"), (EC_KEY, "ES256", "e")],
)
async def test_a_good_token_names_somebody(issuer: Issuer, key: Any, algorithm: str, key_id: str) -> None:
    token = sign(key, algorithm, key_id, groups=["science"])
    caller = await authenticator(issuer).identify(token)
    assert caller.name == "oidc:alice"
    assert caller.groups == ("oidc:science", "system:authenticated")


@pytest.mark.parametrize(
    "token",
    [
        "no.token",
        sign(exp=int(time()) - 60),
        sign(exp=None),
        sign(iss="https://login.example.org"),
        sign(iss=None),
        sign(aud="other"),
        sign(aud=None),
        sign(sub=None),
        sign(sub=""),
        sign(nbf=int(time()) + 3600),
        sign(OTHER_RSA_KEY),
        sign(key_id="unknown"),
        sign(key_id=None),
        sign(key_id="e"),
        sign(key_id="enc"),
        sign("secret" * 8, "HS256"),
        sign("", "none"),
        sign(groups=[1]),
        sign(groups={"a": 1}),
        sign()[:-10] + "AAAAAAAAAA",
    ],
)
async def test_any_other_token_is_refused(issuer: Issuer, token: str) -> None:
    with pytest.raises(BadToken):
        await authenticator(issuer).identify(token)


async def test_the_public_key_is_no_shared_secret(issuer: Issuer) -> None:
    """The oldest trick: an HS256 token whose secret is the public key, which everybody has."""
    public = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    payload = {"iss": ISSUER, "aud": "climatejobs", "sub": "alice", "exp": int(time()) + 3600}
    parts = [base64url_encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": "r"}, payload)]
    signature = hmac.digest(public, b".".join(parts), "sha256")
    token = b".".join([*parts, base64url_encode(signature)]).decode()
    with pytest.raises(BadToken, match="HS256"):
        await authenticator(issuer).identify(token)


@pytest.mark.parametrize("token", [sign(sub="system:admin"), sign(groups=["system:masters"])])
async def test_nobody_becomes_one_of_the_clusters_own(issuer: Issuer, token: str) -> None:
    bare = Claims(issuer=ISSUER, audience="climatejobs")
    with pytest.raises(BadToken, match="system:"):
        await authenticator(issuer, bare).identify(token)


async def test_an_email_has_to_be_verified(issuer: Issuer) -> None:
    claims = Claims(issuer=ISSUER, audience="climatejobs", username="email")
    with pytest.raises(BadToken, match="verified"):
        await authenticator(issuer, claims).identify(sign(email="a@example.org", email_verified=False))
    assert (await authenticator(issuer, claims).identify(sign(email="a@example.org"))).name == "a@example.org"


async def test_new_keys_are_looked_for_but_not_at_everybodys_bidding(issuer: Issuer) -> None:
    now = 0.0
    believer = authenticator(issuer, clock=lambda: now)
    await believer.identify(sign())
    for _ in range(5):
        with pytest.raises(BadToken):
            await believer.identify(sign(OTHER_RSA_KEY, key_id="new"))
    assert issuer.fetches == 1
    issuer.keys.append({**RSAAlgorithm.to_jwk(OTHER_RSA_KEY.public_key(), as_dict=True), "kid": "new"})
    now += 11
    await believer.identify(sign(OTHER_RSA_KEY, key_id="new"))
    assert issuer.fetches == 2


async def test_keys_outlast_the_issuers_absence_but_have_to_be_there_once(issuer: Issuer) -> None:
    now = 0.0
    believer = authenticator(issuer, clock=lambda: now)
    issuer.away = True
    with pytest.raises(NoVerdict):
        await believer.identify(sign())
    issuer.away = False
    await believer.identify(sign())
    issuer.away = True
    now += 601
    await believer.identify(sign())
    assert issuer.fetches == 3


@pytest.fixture
def loopback() -> Iterator[tuple[str, dict[str, bytes]]]:
    """A server on loopback, and what it answers by path; anything else is a 404."""
    pages: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path)
            self.send_response(200 if page is not None else 404)
            self.end_headers()
            self.wfile.write(page or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield f"http://127.0.0.1:{server.server_port}", pages
        server.shutdown()


async def test_the_issuer_says_where_its_keys_are(loopback: tuple[str, dict[str, bytes]]) -> None:
    url, pages = loopback
    pages["/.well-known/openid-configuration"] = json.dumps({"issuer": url, "jwks_uri": f"{url}/keys"}).encode()
    pages["/keys"] = json.dumps({"keys": KEYS}).encode()
    assert await KeySource(url).fetch() == {"keys": KEYS}
    assert await KeySource("https://elsewhere.example.org", f"{url}/keys").fetch() == {"keys": KEYS}


@pytest.mark.parametrize(
    "configuration",
    [None, b"<html>", b"[]", b"{}", b'{"issuer": "https://other.example.org"}', b"x" * 300000],
)
async def test_an_issuer_that_makes_no_sense_is_no_verdict(
    loopback: tuple[str, dict[str, bytes]], configuration: bytes | None
) -> None:
    url, pages = loopback
    if configuration is not None:
        pages["/.well-known/openid-configuration"] = configuration
    with pytest.raises(NoVerdict, match="cannot be had"):
        await KeySource(url).fetch()
