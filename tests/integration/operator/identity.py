"""The operator's own account, with exactly the rights it is given in an installation."""

from base64 import b64decode
from pathlib import Path

import yaml

from climatejobs import names
from tests.cluster_objects import ClusterObjects, Manifest, wait_until

RULES: list[Manifest] = [
    {"apiGroups": [names.GROUP], "resources": [names.PLURAL], "verbs": ["get", "list", "watch", "delete"]},
    {"apiGroups": [names.GROUP], "resources": [f"{names.PLURAL}/status"], "verbs": ["update", "patch"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch", "create", "patch", "delete"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch", "delete"]},
    {"apiGroups": [""], "resources": ["pods/status"], "verbs": ["patch"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": ["climatejobs-operator"],
        "verbs": ["get", "update"],
    },
]
_NAME = "operator"


def review_rights(namespace: str) -> list[Manifest]:
    """The right to have tokens reviewed, which no namespace has."""
    name = f"{_NAME}-{namespace}"
    version = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name}}
    rules = [{"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}]
    return [
        {**version, "kind": "ClusterRole", "rules": rules},
        {
            **version,
            "kind": "ClusterRoleBinding",
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": _NAME, "namespace": namespace}],
        },
    ]


def write_kubeconfig(objects: ClusterObjects, namespace: str, admin: Path, target: Path) -> None:
    """Make the account and its role, and a kubeconfig that is nobody but that account."""
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": _NAME}}
    for manifest in review_rights(namespace):
        objects.create(manifest)
    objects.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": _NAME}}, namespace)
    objects.create({**role, "kind": "Role", "rules": RULES}, namespace)
    objects.create(
        {
            **role,
            "kind": "RoleBinding",
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": _NAME},
            "subjects": [{"kind": "ServiceAccount", "name": _NAME, "namespace": namespace}],
        },
        namespace,
    )
    objects.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/service-account-token",
            "metadata": {"name": _NAME, "annotations": {"kubernetes.io/service-account.name": _NAME}},
        },
        namespace,
    )
    secret = wait_until(
        lambda: found if (found := objects.find("Secret", _NAME, namespace)) and found.get("data") else None,
        "the token of the account",
    )
    config: Manifest = yaml.safe_load(admin.read_text())
    token = b64decode(secret["data"]["token"]).decode()
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    target.write_text(yaml.safe_dump(config))
