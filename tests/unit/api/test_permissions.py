"""What every operation of the API takes to be allowed."""

import pytest
from fastapi.routing import APIRoute

from climatejobs_api.auth.callers import Permission
from climatejobs_api.auth.permissions import find_name, find_permission
from climatejobs_api.routers import datasets, following, health, jobs, landing, processes


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/processes", None),
        ("GET", "/processes/{processID}", None),
        ("POST", "/processes/{processID}/execution", "create climatejobs.climatejobs.io"),
        ("GET", "/jobs", "list climatejobs.climatejobs.io"),
        ("HEAD", "/jobs", "list climatejobs.climatejobs.io"),
        ("GET", "/jobs/{jobId}", "get climatejobs.climatejobs.io"),
        ("GET", "/jobs/{jobId}/results/{outputId}", "get climatejobs.climatejobs.io"),
        ("DELETE", "/jobs/{jobId}", "get climatejobs.climatejobs.io"),
        ("GET", "/datasets", "list datasets.climatejobs.io"),
        ("GET", "/datasets/{dataset_id}", "get datasets.climatejobs.io"),
        ("GET", "/datasets/{dataset_id}/zarr/{path:path}", "get datasets.climatejobs.io"),
        ("DELETE", "/datasets/{dataset_id}", "delete datasets.climatejobs.io"),
        ("PUT", "/datasets/{dataset_id}", "patch datasets.climatejobs.io"),
    ],
)
def test_the_permission_follows_from_method_and_path(method: str, path: str, expected: str | None) -> None:
    found = find_permission(method, path)
    assert (str(found) if found else None) == expected


def test_only_processes_are_open_to_whoever_is_known() -> None:
    """An operation that is added later needs a permission without anybody having to think of it."""
    routes = [route for router in (jobs.router, following.router, datasets.router) for route in router.routes]
    assert len(routes) > 8
    for route in routes:
        assert isinstance(route, APIRoute)
        for method in route.methods or ():
            assert find_permission(method, route.path) is not None, route.path


def test_what_is_open_to_everybody_is_named_here() -> None:
    paths = {route.path for router in (landing.router, health.router) for route in router.routes}  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
    documents = {"/", "/conformance", "/openapi.json", "/openapi-3.0.json", "/api.html"}
    assert paths == documents | {"/livez", "/readyz", "/metrics"}


def test_the_object_is_the_one_in_the_address() -> None:
    assert find_name(Permission("get"), {"jobId": "a", "outputId": "b"}) == "a"
    assert find_name(Permission("get", "datasets"), {"dataset_id": "era5", "path": "x"}) == "era5"
    assert find_name(Permission("create"), {"processID": "echo"}) is None


def test_every_operation_names_its_object_as_the_permissions_expect() -> None:
    parameters = ((jobs.router, "{jobId}"), (following.router, "{jobId}"), (datasets.router, "{dataset_id}"))
    for router, parameter in parameters:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            assert "{" not in route.path or parameter in route.path, route.path


def test_processes_are_nothing_but_read_and_run() -> None:
    for route in processes.router.routes:
        assert isinstance(route, APIRoute)
        assert (route.methods or set()) <= {"GET"} or route.path.endswith("/execution")
