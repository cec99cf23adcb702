"""Accounts of a real cluster: their tokens, and the rights that they are given."""

from base64 import b64decode
from pathlib import Path

import yaml
from kubernetes import client, config

from climatejobs import names
from tests.cluster_objects import ClusterObjects, Manifest, wait_until

API_RULES: list[Manifest] = [
    {
        "apiGroups": [names.GROUP],
        "resources": [names.PLURAL],
        "verbs": ["get", "list", "watch", "create", "patch", "delete"],
    }
]
"""What the chart gives the API in its own namespace."""
REVIEWS: list[Manifest] = [
    {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
    {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
]
"""What it gives the API in the whole cluster where callers are authenticated."""
_RBAC = "rbac.authorization.k8s.io"


def make_account(objects: ClusterObjects, namespace: str, name: str, rules: list[Manifest] | None = None) -> None:
    """Make a service account, and a role of these rules for it."""
    objects.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}, namespace)
    if rules:
        give(objects, namespace, name, rules, {"kind": "ServiceAccount", "name": name, "namespace": namespace})


def give(objects: ClusterObjects, namespace: str, name: str, rules: list[Manifest], subject: Manifest) -> None:
    """Make a role of these rules, and bind the subject to it."""
    head = {"apiVersion": f"{_RBAC}/v1", "metadata": {"name": name}}
    objects.create({**head, "kind": "Role", "rules": rules}, namespace)
    reference = {"apiGroup": _RBAC, "kind": "Role", "name": name}
    objects.create({**head, "kind": "RoleBinding", "roleRef": reference, "subjects": [subject]}, namespace)
    wait_for_right(objects, rules[0], subject, namespace)


def wait_for_right(objects: ClusterObjects, rule: Manifest, subject: Manifest, namespace: str | None = None) -> None:
    """Wait until the subject has a right of its own, which the API server hears of a moment after it was given."""
    match subject["kind"]:
        case "ServiceAccount":
            who: Manifest = {"user": f"system:serviceaccount:{subject['namespace']}:{subject['name']}"}
        case "Group":
            who = {"groups": [subject["name"]]}
        case _:
            who = {"user": subject["name"]}
    what = {
        "group": rule["apiGroups"][0],
        "resource": rule["resources"][0],
        "verb": rule["verbs"][0],
        "name": rule.get("resourceNames", [""])[0],
        "namespace": namespace or "",
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {**who, "resourceAttributes": what},
    }
    wait_until(lambda: objects.create(review)["status"]["allowed"], f"the right {what} of {who}", 30)


def token_of(kubeconfig: Path, namespace: str, name: str, *, audience: str | None = None) -> str:
    """A token as `kubectl create token` gives it."""
    api = client.CoreV1Api(config.new_client_from_config(str(kubeconfig)))  # pyright: ignore[reportUnknownMemberType]
    spec = client.V1TokenRequestSpec(audiences=[audience] if audience else [], expiration_seconds=3600)
    request = client.AuthenticationV1TokenRequest(spec=spec)
    answer = api.create_namespaced_service_account_token(name, namespace, request)
    assert answer.status is not None
    assert answer.status.token is not None
    return answer.status.token


def write_kubeconfig(objects: ClusterObjects, namespace: str, name: str, admin: Path, target: Path) -> None:
    """A kubeconfig that is nobody but that account, for as long as the namespace is there."""
    objects.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/service-account-token",
            "metadata": {"name": name, "annotations": {"kubernetes.io/service-account.name": name}},
        },
        namespace,
    )
    secret = wait_until(
        lambda: found if (found := objects.find("Secret", name, namespace)) and found.get("data") else None,
        "the token of the account",
    )
    content: Manifest = yaml.safe_load(admin.read_text())
    token = b64decode(secret["data"]["token"]).decode()
    content["users"] = [{"name": user["name"], "user": {"token": token}} for user in content["users"]]
    target.write_text(yaml.safe_dump(content))
