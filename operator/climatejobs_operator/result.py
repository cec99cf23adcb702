"""From a termination message to outputs that the API may serve, or to nothing."""

from collections.abc import Mapping

from pydantic import JsonValue, ValidationError

from climatejobs.errors import ClimateJobsError
from climatejobs.processes import find_process
from climatejobs.results import ShardDone, parse_result
from climatejobs_operator.pods import Pod


def read_share(pod: Pod) -> ShardDone | None:
    """What the pod has done of a shared computation, if it has done its part and leaves the outputs to another."""
    terminated = pod.runner.terminated
    if terminated is None or terminated.exit_code != 0:
        return None
    document = parse_result(terminated.message or "")
    return document.shard if document is not None else None


def read_outputs(process_id: str, pod: Pod) -> Mapping[str, JsonValue] | None:
    """The outputs of a pod whose runner ended with success, checked against the model of the process.

    None while it has not ended, where it failed, and where what it left is not what the process gives.
    A log cannot pass for a result: the kubelet only falls back to it for an exit status other than 0.
    """
    terminated = pod.runner.terminated
    if terminated is None or terminated.exit_code != 0:
        return None
    document = parse_result(terminated.message or "")
    if document is None or document.outputs is None:
        return None
    try:
        find_process(process_id).validate_outputs(document.outputs)
    except (ClimateJobsError, ValidationError):
        return None
    return document.outputs
