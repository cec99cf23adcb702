"""How the definition of the API says what a request needs to get in."""

from collections.abc import Sequence

from fastapi.params import Security
from fastapi.security import HTTPBearer, OpenIdConnect

from climatejobs_api.auth.keys import DISCOVERY
from climatejobs_api.settings import Settings


def describe_security(settings: Settings) -> Sequence[Security]:
    """Dependencies that describe the token and check nothing; none where everybody gets in."""
    match settings.auth_mode:
        case "none":
            return ()
        case "kubernetes":
            words = "A token of the cluster, such as `kubectl create token NAME` gives."
            scheme = HTTPBearer(scheme_name="cluster", description=words, auto_error=False)
            return (Security(scheme),)
        case "oidc":
            issuer = (settings.oidc_issuer or "").rstrip("/")
            words = f"A token of {issuer}, sent as a bearer token."
            return (
                Security(
                    OpenIdConnect(
                        scheme_name="oidc",
                        openIdConnectUrl=issuer + DISCOVERY,
                        description=words,
                        auto_error=False,
                    )
                ),
            )
