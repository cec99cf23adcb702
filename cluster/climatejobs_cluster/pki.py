"""Keys, certificates and tokens of one cluster, made with `openssl`, valid for as long as a cluster may be left up."""

import base64
import secrets
from collections.abc import Mapping
from pathlib import Path

from climatejobs_cluster.commands import capture
from climatejobs_cluster.configuration import kubeconfig
from climatejobs_cluster.layout import API_URL, CLUSTER_DOMAIN, FIRST_SERVICE_ADDRESS, NODE_ADDRESS
from climatejobs_cluster.state import write_atomically

DAYS = "3650"
API_SERVER_NAMES = (
    "IP:127.0.0.1",
    f"IP:{NODE_ADDRESS}",
    f"IP:{FIRST_SERVICE_ADDRESS}",
    "DNS:localhost",
    "DNS:kubernetes",
    "DNS:kubernetes.default",
    "DNS:kubernetes.default.svc",
    f"DNS:kubernetes.default.svc.{CLUSTER_DOMAIN}",
)

ADMIN = "admin"


def identities(node_name: str) -> dict[str, tuple[str, str | None]]:
    """Kubeconfig name -> (user name, group): who the components are to the API server."""
    return {
        ADMIN: ("climatejobs-admin", "system:masters"),
        "controller-manager": ("system:kube-controller-manager", None),
        "scheduler": ("system:kube-scheduler", None),
        "kubelet": (f"system:node:{node_name}", "system:nodes"),
        "kube-proxy": ("system:kube-proxy", None),
        "coredns": ("system:coredns", None),
    }


def token_file(tokens: Mapping[str, str], node_name: str) -> str:
    """The API server's table of static tokens: token, user name, user id, groups."""
    rows: list[str] = []
    for name, (user, group) in identities(node_name).items():
        rows.append(",".join([tokens[name], user, user, *([f'"{group}"'] if group else [])]))
    return "\n".join(rows) + "\n"


def create(folder: Path, *, node_name: str) -> None:
    """Writes `pki/` and `kubeconfigs/` into a cluster's folder."""
    pki = folder / "pki"
    pki.mkdir(mode=0o700)
    write_atomically(pki / "openssl.cnf", settings())
    _certificate(pki, "ca", "/CN=climatejobs-cluster", signed=False)
    _certificate(pki, "apiserver", "/CN=kube-apiserver")
    _certificate(pki, "kubelet-client", "/O=system:masters/CN=kube-apiserver")
    accounts = str(pki / "service-accounts.key")
    capture(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", accounts])
    tokens = {name: secrets.token_urlsafe(32) for name in identities(node_name)}
    write_atomically(pki / "tokens.csv", token_file(tokens, node_name))
    for name, token in tokens.items():
        write_kubeconfig(folder, folder / "kubeconfigs" / name, user=name, token=token, server=API_URL)
    write_atomically(pki / "admin.token", tokens[ADMIN])


def write_kubeconfig(folder: Path, path: Path, *, user: str, token: str, server: str) -> None:
    authority = base64.b64encode((folder / "pki/ca.crt").read_bytes()).decode()
    write_atomically(path, kubeconfig(user=user, token=token, authority=authority, server=server))


def settings() -> str:
    """What `openssl` is to put into the certificates. A file of our own, since the system's adds to them."""
    return f"""\
[req]
distinguished_name = subject
prompt = no
[subject]
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,digitalSignature
subjectKeyIdentifier = hash
[apiserver]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {",".join(API_SERVER_NAMES)}
[kubelet-client]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


def _certificate(pki: Path, name: str, subject: str, *, signed: bool = True) -> None:
    authority = ("-CA", str(pki / "ca.crt"), "-CAkey", str(pki / "ca.key")) if signed else ()
    capture(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-config", str(pki / "openssl.cnf"), "-extensions", name, "-subj", subject),
            *(
                "-days",
                DAYS,
                "-sha256",
                "-keyout",
                str(pki / f"{name}.key"),
                "-out",
                str(pki / f"{name}.crt"),
            ),
            *authority,
        ]
    )
