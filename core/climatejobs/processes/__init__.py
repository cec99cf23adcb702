"""The catalogue of processes: one description a file here, one compute function a file in the runner."""

from collections.abc import Mapping
from types import MappingProxyType

from climatejobs.errors import NoSuchProcess
from climatejobs.faults import quote
from climatejobs.processes.base import Process
from climatejobs.processes.echo import ECHO
from climatejobs.processes.resample import RESAMPLE
from climatejobs.processes.subset import SUBSET
from climatejobs.processes.zonal_stats import ZONAL_STATS

__all__ = ["PROCESSES", "Process", "find_process"]

PROCESSES: Mapping[str, Process] = MappingProxyType(
    {process.id: process for process in (RESAMPLE, SUBSET, ZONAL_STATS, ECHO)}
)
"""Every process by id, in the order in which they are listed."""


def find_process(process_id: str) -> Process:
    """The process of that id; raises `NoSuchProcess` that names those there are."""
    try:
        return PROCESSES[process_id]
    except KeyError:
        known = ", ".join(PROCESSES)
        raise NoSuchProcess(f"there is no process {quote(process_id)}", hint=f"Processes are: {known}.") from None
