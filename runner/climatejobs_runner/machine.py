"""What the process may use of the machine it runs on, and keeping to it."""

import ctypes
import os
from pathlib import Path

_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_M_MMAP_THRESHOLD = -3
"""The name that glibc's malloc.h gives the parameter."""
_MMAP_THRESHOLD_BYTES = 1024 * 1024


def cpus_within(quota: str, available: int) -> int:
    """CPUs that a container's quota lets it keep busy; `quota` is what ``cpu.max`` says, empty if it is not there."""
    match quota.split():
        case [limit, period] if limit.isdecimal():
            return max(1, min(available, -(-int(limit) // int(period))))
        case _:
            return available


def usable_cpus() -> int:
    """CPUs that this process may keep busy."""
    quota = _CPU_QUOTA.read_text(encoding="ascii") if _CPU_QUOTA.exists() else ""
    return cpus_within(quota, len(os.sched_getaffinity(0)))


def limit_to_machine() -> None:
    """Give large buffers back as soon as they are freed."""
    # Without a limit glibc learns to keep freed blocks for later, for every thread: memory then grows with the
    # number of blocks that have been read. Another C library has no such function, and no such habit.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES)
