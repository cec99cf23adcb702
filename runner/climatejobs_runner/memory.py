"""Keeping to the memory that a job may use, or refusing before it starts what cannot fit."""

from collections.abc import Callable

from climatejobs.errors import TooLarge
from climatejobs.footprints import MIB, threads_within
from climatejobs_runner.machine import usable_cpus


def check_memory(words: str, needed: int, limit: int | None) -> None:
    """Raise `TooLarge` where `words`, such as ``aggregating x``, takes more bytes than a limit, if there is one."""
    if limit is not None and needed > limit:
        raise TooLarge(
            f"{words} takes {-(-needed // MIB)} MiB of memory; this job may use {limit // MIB} MiB",
            hint=f"Ask for at least {-(-needed // MIB)}Mi in resources.memory.",
        )


def fit_threads(words: str, needed: Callable[[int], int], limit: int | None) -> int:
    """As many threads as there are CPUs, if their buffers fit; raises `TooLarge` where not even one's do.

    `needed` gives the bytes that so many threads take.
    """
    check_memory(words, needed(1), limit)
    return threads_within(limit, needed, cpus=usable_cpus())
