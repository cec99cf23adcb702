"""Kubernetes objects as plain manifests, for tests: the official client's dynamic part behind a typed surface."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# The dynamic client is untyped by nature; this module is where that ends.

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, cast

from kubernetes import config, dynamic
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import DynamicApiError, NotFoundError

from climatejobs import names

type Manifest = dict[str, Any]


class Refused(Exception):
    """The API server refused a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class ClusterObjects:
    """All objects of a cluster, addressed by apiVersion, kind, name and namespace."""

    def __init__(self, kubeconfig: Path) -> None:
        # The client would keep what it discovers in the folder for temporary files; below a file it can keep nothing.
        nowhere = str(kubeconfig / "discovery")
        self._client = dynamic.DynamicClient(config.new_client_from_config(str(kubeconfig)), cache_file=nowhere)
        self._discovery = Lock()

    def create(self, manifest: Manifest, namespace: str | None = None) -> Manifest:
        return self._call(manifest, "create", body=manifest, namespace=namespace)

    def replace(self, manifest: Manifest) -> Manifest:
        return self._call(manifest, "replace", body=manifest, namespace=manifest["metadata"].get("namespace"))

    def replace_status(self, manifest: Manifest) -> Manifest:
        resource = self._resource(manifest["apiVersion"], manifest["kind"])
        return self._answer(
            lambda: resource.status.replace(body=manifest, namespace=manifest["metadata"].get("namespace"))
        )

    def patch(self, kind: str, name: str, namespace: str | None, body: Manifest, *, version: str = "v1") -> Manifest:
        return self._call(
            {"apiVersion": version, "kind": kind},
            "patch",
            name=name,
            namespace=namespace,
            body=body,
            content_type="application/merge-patch+json",
        )

    def patch_status(self, kind: str, name: str, namespace: str, body: Manifest, *, version: str = "v1") -> Manifest:
        resource = self._resource(version, kind)
        return self._answer(
            lambda: resource.status.patch(
                name=name, namespace=namespace, body=body, content_type="application/merge-patch+json"
            )
        )

    def bind(self, pod: str, namespace: str, node: str) -> None:
        """Give a pod to a node, as the scheduler does."""
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod}, "target": target}
        binding = self._resource("v1", "Pod").subresources["binding"]
        self._answer(lambda: binding.create(name=pod, namespace=namespace, body=body))

    def evict(self, pod: str, namespace: str) -> None:
        """Have a pod leave its node, as a drain does."""
        body: Manifest = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
        eviction = self._resource("v1", "Pod").subresources["eviction"]
        self._answer(lambda: eviction.create(name=pod, namespace=namespace, body=body))

    def find(self, kind: str, name: str, namespace: str | None = None, *, version: str = "v1") -> Manifest | None:
        try:
            return self._resource(version, kind).get(name=name, namespace=namespace).to_dict()
        except NotFoundError:
            return None

    def list(self, kind: str, namespace: str | None = None, *, version: str = "v1", **selectors: str) -> list[Manifest]:
        found = self._call({"apiVersion": version, "kind": kind}, "get", namespace=namespace, **selectors)
        return cast(list[Manifest], found["items"])

    def delete(
        self,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        version: str = "v1",
        grace_seconds: int | None = None,
    ) -> None:
        body: Manifest = {"propagationPolicy": "Background"}
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
        self._call({"apiVersion": version, "kind": kind}, "delete", name=name, namespace=namespace, body=body)

    def _call(self, manifest: Manifest, verb: str, **arguments: object) -> Manifest:
        resource = self._resource(manifest["apiVersion"], manifest["kind"])
        return self._answer(lambda: getattr(resource, verb)(**arguments))

    def _resource(self, version: str, kind: str) -> Any:
        with self._discovery:  # what is not known yet is asked for, in a way that several threads get wrong
            return self._client.resources.get(api_version=version, kind=kind)

    @staticmethod
    def _answer(call: Callable[[], Any]) -> Manifest:
        try:
            return call().to_dict()
        except (ApiException, DynamicApiError) as error:
            raise Refused(error.status or 0, str(error.body)) from None


class ClimateJobs:
    """The ClimateJobs of one namespace."""

    def __init__(self, objects: ClusterObjects, namespace: str) -> None:
        self._objects = objects
        self.namespace = namespace

    def create(self, name: str = "job", **spec: object) -> Manifest:
        """Create an `echo` job, or whatever `spec` says instead."""
        return self._objects.create(
            {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "metadata": {"name": name},
                "spec": {"process": "echo", "inputs": {"message": "hello", "numbers": [1, 2]}, **spec},
            },
            self.namespace,
        )

    def get(self, name: str) -> Manifest:
        found = self._objects.find(names.KIND, name, self.namespace, version=names.API_VERSION)
        if found is None:
            raise LookupError(f"there is no ClimateJob {name} in {self.namespace}")
        return found

    def event_reasons(self) -> set[str]:
        """The reasons of all events about them."""
        found = self._objects.list("Event", self.namespace, version="events.k8s.io/v1")
        return {event["reason"] for event in found if event["regarding"]["kind"] == names.KIND}

    def patch_spec(self, name: str, **spec: object) -> Manifest:
        return self._objects.patch(names.KIND, name, self.namespace, {"spec": spec}, version=names.API_VERSION)

    def list(self, **selectors: str) -> list[Manifest]:
        return self._objects.list(names.KIND, self.namespace, version=names.API_VERSION, **selectors)

    def wait_for(self, name: str, *phases: str, seconds: float = 60) -> Manifest:
        """The job once it is in one of `phases`."""
        return wait_until(
            lambda: next((job for job in [self.get(name)] if job.get("status", {}).get("phase") in phases), None),
            f"ClimateJob {name} to be {' or '.join(phases)}",
            seconds,
            lambda: str(self.get(name).get("status")),
        )


def wait_until[T](
    look: Callable[[], T | None], what: str, seconds: float = 60, describe: Callable[[], str] | None = None
) -> T:
    """Look until there is something (not None, not False), and return it; TimeoutError says what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if seen is not None and seen is not False:
            return seen
        if time.monotonic() > deadline:
            state = f"; last seen: {describe()}" if describe else ""
            raise TimeoutError(f"waited {seconds:.0f} s for {what}{state}")
        time.sleep(0.1)  # between two looks at the condition
