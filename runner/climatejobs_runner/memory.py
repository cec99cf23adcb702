"""Refusing before it starts what cannot fit the memory it may use."""

from climatejobs.errors import TooLarge
from climatejobs.footprints import MIB


def check_memory(words: str, needed: int, limit: int | None) -> None:
    """Raise `TooLarge` where `words`, such as ``aggregating x``, takes more bytes than a limit, if there is one."""
    if limit is not None and needed > limit:
        raise TooLarge(
            f"{words} takes {-(-needed // MIB)} MiB of memory; this job may use {limit // MIB} MiB",
            hint=f"Ask for at least {-(-needed // MIB)}Mi in resources.memory.",
        )
