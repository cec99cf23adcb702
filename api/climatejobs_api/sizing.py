"""How much memory and how many pods a job gets that does not say so itself. Pure.

A computation that cannot fit is refused here, before anything runs.
"""

from math import ceil

from climatejobs.datasets import Dataset
from climatejobs.errors import TooLarge
from climatejobs.footprints import MIB
from climatejobs.model import Resources
from climatejobs.processes import Process
from climatejobs.quantities import parse_quantity
from climatejobs_api.execution import ExecuteRequest
from climatejobs_api.settings import Settings

_STEP_MIB = 64
"""Requests are rounded up to a multiple of this."""
_DEFAULT_CPUS = 2


def source_of(process: Process, request: ExecuteRequest) -> str | None:
    """Id of the data set that says what a checked request takes; None where nothing is to be filled in or checked."""
    if process.measure is None:
        return None
    return process.measure.source_id(process.validate_inputs(request.inputs))


def size_request(process: Process, request: ExecuteRequest, source: Dataset, settings: Settings) -> ExecuteRequest:
    """The request with memory and parallelism filled in where it leaves them out.

    Raises `TooLarge` where the computation does not fit what the request or the installation gives it.
    """
    if process.measure is None:
        return request
    options = request.job
    resources = options.resources or Resources()
    cpus = max(1, ceil(parse_quantity(resources.cpu))) if resources.cpu else _DEFAULT_CPUS
    footprint = process.measure.footprint(process.validate_inputs(request.inputs), source, cpus)
    filled: dict[str, object] = {}
    if resources.memory is not None:
        _check(source, footprint.least_memory, resources.memory, "the request gives it", _ASK)
    else:
        if settings.max_memory is not None:
            _check(source, footprint.least_memory, settings.max_memory, "this installation gives a job", _RAISE)
        wanted = _round_up(footprint.memory)
        if settings.max_memory is not None:
            wanted = min(wanted, int(parse_quantity(settings.max_memory)) // MIB)
        filled["resources"] = resources.model_copy(update={"memory": f"{wanted}Mi"})
    if options.parallelism is None and process.shareable:
        filled["parallelism"] = min(footprint.shards, settings.max_parallelism)
    return request.model_copy(update={"job": options.model_copy(update=filled)})


_ASK = "Ask for at least {needed}Mi in job.resources.memory, or leave it out."
_RAISE = "Store the data in smaller chunks, or have api.limits.maxMemory raised to {needed}Mi."


def _check(source: Dataset, needed: int, given: str, whose: str, hint: str) -> None:
    if needed > parse_quantity(given):
        mebibytes = -(-needed // MIB)
        raise TooLarge(
            f"a pod that works on {source.id} takes {mebibytes} MiB of memory; {whose} {given}",
            hint=hint.format(needed=_round_up(needed)),
        )


def _round_up(needed: int) -> int:
    """Mebibytes to ask for."""
    return -(-needed // (_STEP_MIB * MIB)) * _STEP_MIB
