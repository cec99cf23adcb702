"""Pods whose node does not answer: when they are given up, and the status that they get then.

It is what the cluster's pod garbage collector would write as well.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from pydantic import JsonValue

from climatejobs_operator.actions import AbandonPod
from climatejobs_operator.pods import Pod
from climatejobs_operator.settings import Settings

REASON = "NodeLost"


def plan_abandonment(
    pods: Iterable[Pod], now: datetime, settings: Settings
) -> tuple[tuple[AbandonPod, ...], datetime | None]:
    """The pods to give up, whose kubelet has not answered for too long, and when there will be more."""
    lost: list[AbandonPod] = []
    later: list[datetime] = []
    for pod in pods:
        patience_ends = find_patience_end(pod, settings)
        if patience_ends is None:
            continue
        if patience_ends <= now:
            lost.append(AbandonPod(pod.metadata.name, pod.metadata.uid, pod.spec.node_name or "unknown"))
        else:
            later.append(patience_ends)
    return tuple(lost), min(later, default=None)


def find_patience_end(pod: Pod, settings: Settings) -> datetime | None:
    """Until when a pod that was asked to end is waited for; None where it was not, has ended, or is given up."""
    asked = pod.metadata.deletion_timestamp
    if asked is None or pod.ended or pod.metadata.deletion_grace_period_seconds == 0:
        return None
    return asked + timedelta(seconds=settings.lost_pod_seconds)  # a deletionTimestamp lies a grace period ahead


def describe_abandoned(node: str, now: datetime) -> dict[str, JsonValue]:
    """Failed, by a disruption: the Job controller replaces such a pod and counts no attempt."""
    message = f"the node {node} does not confirm that the pod has ended"
    return {
        "phase": "Failed",
        "reason": REASON,
        "message": message,
        "conditions": [
            {
                "type": "DisruptionTarget",
                "status": "True",
                "reason": REASON,
                "message": message,
                "lastTransitionTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        ],
    }
