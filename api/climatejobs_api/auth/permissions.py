"""What an operation takes to be allowed. Pure.

The rule follows from address and method, so an operation that is added later is never open by oversight.
"""

from climatejobs_api.auth.callers import Permission, Resource, Verb

_VERBS: dict[str, Verb] = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "patch", "PATCH": "patch"}


def find_permission(method: str, path: str) -> Permission | None:
    """The permission for a method at a path template such as /jobs/{jobId}; None where it is enough to be known.

    Deleting a job says `get` here, since the answer shows the job: whether it is stopped (`patch`) or removed
    (`delete`) depends on how it stands.
    """
    first = path.split("/", 2)[1]
    if first == "processes":
        return Permission("create") if method == "POST" else None
    resource: Resource = "datasets" if first == "datasets" else "climatejobs"
    if method == "DELETE":
        return Permission("get" if resource == "climatejobs" else "delete", resource)
    verb = _VERBS.get(method, "patch")
    return Permission("list" if verb == "get" and "{" not in path else verb, resource)


def find_name(permission: Permission, parameters: dict[str, str]) -> str | None:
    """The name of the object that a request with these path parameters is about, if it is about one."""
    return parameters.get("jobId" if permission.resource == "climatejobs" else "dataset_id")
