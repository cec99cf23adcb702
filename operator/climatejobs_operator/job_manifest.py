"""The batch/v1 Job of a ClimateJob, as a manifest. Pure; what it must hold is fixed by the tests' golden file."""

import json
from collections.abc import Mapping
from typing import cast

from pydantic import JsonValue

from climatejobs import names
from climatejobs.model import ClimateJob
from climatejobs.names import Environment, ExitCode
from climatejobs_operator.actions import CreateJob
from climatejobs_operator.attempts import backoff_limit
from climatejobs_operator.pods import COMPLETION_INDEX
from climatejobs_operator.settings import Settings

type Manifest = dict[str, JsonValue]

DATA_PATH = "/data"
TOKEN_FOLDER = "/var/run/secrets/climatejobs.io"  # noqa: S105 - a path
TOKEN_VOLUME = "report-token"  # noqa: S105 - a name
TOKEN_SECONDS = 3600
"""The kubelet replaces a token in time, for as long as the pod lives."""
RESULT_PATH = "/dev/termination-log"
MAX_REQUEST_ID = 128
NODE_LOSS_SECONDS = 60
"""How long a pod stays bound to a node that does not answer; the default would be 300."""


def build_job(climatejob: ClimateJob, create: CreateJob, settings: Settings) -> Manifest:
    """The Job that runs what is left of a ClimateJob's attempts."""
    spec = climatejob.spec
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": climatejob.metadata.name,
            "namespace": climatejob.metadata.namespace,
            "labels": build_labels(climatejob),
            "ownerReferences": [_owner(climatejob)],
        },
        "spec": {
            **_completion(spec.parallelism, backoff_limit(spec.max_attempts, create.attempts_before)),
            "activeDeadlineSeconds": create.deadline_seconds,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": _pod_failure_policy(),
            "template": {
                "metadata": {"labels": build_labels(climatejob)},
                "spec": lay_over(_pod_spec(climatejob, settings), settings.runner_pod),
            },
        },
    }


def build_labels(climatejob: ClimateJob) -> Manifest:
    """The labels by which Job and pods are found again."""
    return {
        names.LABEL_MANAGED_BY: names.MANAGED_BY,
        names.LABEL_JOB_NAME: climatejob.metadata.name,
        names.LABEL_JOB_UID: climatejob.metadata.uid,
        names.LABEL_PROCESS: climatejob.spec.process,
    }


def memory_limit(climatejob: ClimateJob, settings: Settings) -> str:
    """The memory that one attempt may use, as a quantity."""
    resources = climatejob.spec.resources
    return (resources.memory if resources is not None else None) or settings.runner_memory


def lay_over(base: Mapping[str, JsonValue], top: Mapping[str, JsonValue]) -> Manifest:
    """`base` with the members of `top`: objects are merged, lists joined, anything else replaced."""
    merged: Manifest = dict(base)
    for key, value in top.items():
        present = merged.get(key)
        if isinstance(present, dict) and isinstance(value, dict):
            merged[key] = lay_over(present, value)
        elif isinstance(present, list) and isinstance(value, list):
            merged[key] = [*present, *value]
        else:
            merged[key] = value
    return merged


def _owner(climatejob: ClimateJob) -> Manifest:
    # blockOwnerDeletion stays unset: where OwnerReferencesPermissionEnforcement is on, setting it needs the right
    # to update climatejobs/finalizers, and all it brings is that a foreground deletion waits for the Job.
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "name": climatejob.metadata.name,
        "uid": climatejob.metadata.uid,
        "controller": True,
    }


def _completion(parallelism: int, retries: int) -> Manifest:
    """One pod that has to succeed; or one for each share, with retries of its own, of which none may fail for good."""
    if parallelism == 1:
        return {"completions": 1, "parallelism": 1, "backoffLimit": retries}
    return {
        "completionMode": "Indexed",
        "completions": parallelism,
        "parallelism": parallelism,
        "backoffLimitPerIndex": retries,
        "maxFailedIndexes": 0,
    }


def _pod_failure_policy() -> Manifest:
    """First match wins: a permanent error ends the Job, a disruption costs nothing, all else is counted."""
    return {
        "rules": [
            {
                "action": "FailJob",
                "onExitCodes": {
                    "containerName": names.RUNNER_CONTAINER,
                    "operator": "In",
                    "values": [int(ExitCode.PERMANENT)],
                },
            },
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        ]
    }


def _pod_spec(climatejob: ClimateJob, settings: Settings) -> Manifest:
    return {
        "restartPolicy": "Never",
        "serviceAccountName": settings.runner_service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": settings.runner_grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": settings.runner_user,
            "runAsGroup": settings.runner_group,
            "fsGroup": settings.runner_group,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{trouble}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": NODE_LOSS_SECONDS,
            }
            for trouble in ("not-ready", "unreachable")
        ],
        "containers": [_container(climatejob, settings)],
        "volumes": [
            *_claims(settings),
            {"name": "tmp", "emptyDir": {}},
            *([_token_volume()] if settings.report_url else []),
        ],
    }


def _container(climatejob: ClimateJob, settings: Settings) -> Manifest:
    return {
        "name": names.RUNNER_CONTAINER,
        "image": settings.runner_image,
        "imagePullPolicy": settings.runner_pull_policy,
        "args": ["run"],
        "env": _environment(climatejob, settings),
        "resources": _resources(climatejob, settings),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        # The runner writes its result document; of one that died without a word, the kubelet keeps the log's end.
        # That can not be mistaken for a result, because it only happens for an exit status other than 0.
        "terminationMessagePath": RESULT_PATH,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            *([{"name": names.DATA_VOLUME, "mountPath": DATA_PATH}] if settings.data_claim else []),
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a path in the container, on an emptyDir of its own
            *([{"name": TOKEN_VOLUME, "mountPath": TOKEN_FOLDER, "readOnly": True}] if settings.report_url else []),
        ],
    }


def _token_volume() -> Manifest:
    """A token that names this pod and is good for reports to the operator alone; the pod has no other."""
    token: Manifest = {"path": "token", "audience": names.REPORT_AUDIENCE, "expirationSeconds": TOKEN_SECONDS}
    return {"name": TOKEN_VOLUME, "projected": {"sources": [{"serviceAccountToken": token}]}}


def _environment(climatejob: ClimateJob, settings: Settings) -> list[JsonValue]:
    values: dict[Environment, str] = {
        Environment.PROCESS: climatejob.spec.process,
        Environment.INPUTS: json.dumps(climatejob.spec.inputs, separators=(",", ":"), ensure_ascii=False),
        Environment.DATA: settings.data_bucket or DATA_PATH,
        Environment.RESULT: RESULT_PATH,
        Environment.JOB_NAME: climatejob.metadata.name,
        Environment.JOB_UID: climatejob.metadata.uid,
        Environment.IMAGE: settings.runner_image,
    }
    request_id = climatejob.metadata.annotations.get(names.ANNOTATION_REQUEST_ID)
    if request_id:
        # An annotation may be long; anybody may have written it.
        values[Environment.REQUEST_ID] = request_id[:MAX_REQUEST_ID]
    if settings.report_url:
        values |= {Environment.REPORT_URL: settings.report_url, Environment.REPORT_TOKEN: f"{TOKEN_FOLDER}/token"}
    sources: dict[Environment, Manifest] = {
        Environment.POD_UID: {"fieldRef": {"fieldPath": "metadata.uid"}},
        Environment.MEMORY_LIMIT: {
            "resourceFieldRef": {"containerName": names.RUNNER_CONTAINER, "resource": "limits.memory"}
        },
    }
    if climatejob.spec.parallelism > 1:
        values[Environment.SHARDS] = str(climatejob.spec.parallelism)
        sources[Environment.SHARD] = {"fieldRef": {"fieldPath": f"metadata.annotations['{COMPLETION_INDEX}']"}}
    return [
        # The kubelet expands $(NAME) in a value and reads $$ as $.
        *({"name": name.value, "value": text.replace("$", "$$")} for name, text in values.items()),
        *({"name": name.value, "valueFrom": cast(JsonValue, source)} for name, source in sources.items()),
        *_bucket_environment(settings),
    ]


def _claims(settings: Settings) -> list[JsonValue]:
    if settings.data_claim is None:
        return []
    return [{"name": names.DATA_VOLUME, "persistentVolumeClaim": {"claimName": settings.data_claim}}]


def _bucket_environment(settings: Settings) -> list[JsonValue]:
    """What a client of the object store needs to know."""
    if settings.data_bucket is None:
        return []
    variables: list[JsonValue] = [{"name": "AWS_REGION", "value": settings.data_region}]
    if settings.data_endpoint:
        variables.append({"name": "AWS_ENDPOINT_URL", "value": settings.data_endpoint})
    if settings.data_secret:
        for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            reference: JsonValue = {"secretKeyRef": {"name": settings.data_secret, "key": key}}
            variables.append({"name": key, "valueFrom": reference})
    return variables


def _resources(climatejob: ClimateJob, settings: Settings) -> Manifest:
    asked = climatejob.spec.resources
    amounts: Manifest = {
        "cpu": (asked.cpu if asked is not None else None) or settings.runner_cpu,
        "memory": memory_limit(climatejob, settings),
    }
    return {"requests": amounts, "limits": dict(amounts)}
