"""Which part of a computation is whose, and the records by which those who share it know of each other.

What can be computed on its own is a chunk of the result along time; a shard is a run of whole ones, so no two
shards ever write the same chunk. Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import JsonValue

from climatejobs.datasets import DataModel, Dataset
from climatejobs.errors import DataError, InvalidInput


@dataclass(frozen=True)
class Shard:
    """One of those that share a computation."""

    index: int = 0
    """Counted from 0."""
    of: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.of:
            raise InvalidInput(
                f"there is no shard {self.index} of {self.of}", hint="Shards are counted from 0: the last of 3 is 2."
            )

    @property
    def alone(self) -> bool:
        """Whether nobody shares the computation."""
        return self.of == 1

    def part(self, chunks: int) -> range:
        """Its chunks of all there are; empty where there are fewer chunks than shards and none is left for it."""
        return range(chunks * self.index // self.of, chunks * (self.index + 1) // self.of)


ALONE = Shard()


class Pin(DataModel):
    """What all shards of a job compute, written once by the first of them.

    The source is pinned at its version: whatever becomes of the data set meanwhile, no shard sees another one.
    """

    shards: int
    inputs: dict[str, JsonValue]
    source: Dataset | None
    """None where it is no data set, but brought in."""
    result: Dataset
    """Complete: with the version and the provenance that every shard writes."""
    store: str
    """Name of the folder in which it is built."""

    def check(self, shard: Shard, inputs: dict[str, JsonValue]) -> None:
        """Raise `InvalidInput` where somebody joins who was asked for something else."""
        if self.shards != shard.of:
            raise InvalidInput(
                f"this job was begun with {self.shards} shards, not {shard.of}",
                hint="Give every shard the same number, or a new computation a job uid of its own.",
            )
        if self.inputs != inputs:
            raise InvalidInput(
                "this job was begun with other inputs",
                hint="Give every shard the same inputs, or a new computation a job uid of its own.",
            )

    def check_version(self, version: str) -> None:
        """Raise `DataError` where this program would make another version of the same."""
        if self.result.version != version:
            raise DataError(
                "this job was begun by another version of the program, which divides the work in another way",
                hint="Submit the job again.",
            )


class PartDone(DataModel):
    """Written last, when everything a shard has made lies there for good: its part is done."""

    shard: int
    chunks: tuple[int, int]
    """The first chunk of the part, and the one after the last."""
    files: dict[str, int]
    """Size in bytes of each file it has written, by path within the store. Chunks without values have none."""


def check_parts(parts: Iterable[PartDone], chunks: int) -> dict[str, int]:
    """The files that a finished store must have, by path; raises `DataError` where parts do not make the whole."""
    files: dict[str, int] = {}
    expected = 0
    for part in sorted(parts, key=lambda part: part.chunks):
        start, stop = part.chunks
        if start != expected:
            raise DataError(f"the parts of this computation leave out chunk {expected}")
        expected = stop
        files |= part.files
    if expected != chunks:
        raise DataError(f"the parts of this computation end at chunk {expected} of {chunks}")
    return files
