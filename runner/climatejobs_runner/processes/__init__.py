"""The compute functions: one a file, found by the id of the process that core describes.

A function is loaded only when it runs, so that one process does not pay for the imports of another.
"""

from collections.abc import Mapping
from pkgutil import resolve_name
from types import MappingProxyType
from typing import Protocol, cast

from climatejobs.processes.base import Inputs, Outputs
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.loading import modules_loading


class Compute(Protocol):
    """Computes the outputs of a process from inputs that have been checked against its description.

    None where the attempt has done its shard and others have not yet done theirs; the last one gives the outputs.
    """

    def __call__(self, inputs: Inputs, attempt: Attempt) -> Outputs | None: ...


COMPUTE: Mapping[str, str] = MappingProxyType(
    {
        "resample": "climatejobs_runner.processes.resample:compute",
        "subset": "climatejobs_runner.processes.subset:compute",
        "zonal_stats": "climatejobs_runner.processes.zonal_stats:compute",
        "echo": "climatejobs_runner.processes.echo:compute",
    }
)
"""Where the compute function of each process is."""


def load_compute(process_id: str) -> Compute:
    """The compute function of a process that core knows."""
    with modules_loading():
        return cast(Compute, resolve_name(COMPUTE[process_id]))
