"""The status of a pod whose node does not answer: what the cluster's pod garbage collector would write as well."""

from datetime import datetime

from pydantic import JsonValue

REASON = "NodeLost"


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
