"""What every source of gridded data offers, whatever its format: chosen variables, decoded, time first."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, Self

from pydantic import JsonValue

from climatejobs_runner.accumulation import Accumulation
from climatejobs_runner.arrays import Field, Values
from climatejobs_runner.selection import Window
from climatejobs_runner.timeaxis import TimeAxis

DAILY_TOTALS = frozenset(
    {
        *("tp", "sf", "e", "pev", "ro", "sro", "ssro", "smlt", "es", "evabs", "evaow", "evatc", "evavt"),
        *("ssr", "ssrd", "str", "strd", "sshf", "slhf"),
    }
)
"""What ERA5-Land calls the variables that it accumulates over the day."""


class Source(Protocol):
    """An open source, seen through the variables that are wanted of it."""

    @property
    def kind(self) -> str:
        """The format, in a word."""
        ...

    @property
    def variables(self) -> Sequence[str]:
        """The variables that are wanted, each once."""
        ...

    @property
    def axis(self) -> TimeAxis:
        """The time steps."""
        ...

    @property
    def shape(self) -> Mapping[str, int]:
        """Length of each dimension, time first; the same for all variables."""
        ...

    @property
    def attributes(self) -> Mapping[str, JsonValue]:
        """What is said of the whole."""
        ...

    @property
    def time_attributes(self) -> Mapping[str, JsonValue]:
        """What is said of the time axis, beside units and calendar."""
        ...

    @property
    def fields(self) -> Sequence[Field]:
        """Coordinates and grid mappings that are taken over."""
        ...

    @property
    def left_out(self) -> Sequence[str]:
        """Names of coordinates that are not: texts, and what does not lie on the grid."""
        ...

    def dtype(self, name: str) -> str:
        """Type of a variable's values once decoded."""
        ...

    def units(self, name: str) -> str | None:
        """Units of a variable, where they are given."""
        ...

    def accumulation(self, name: str) -> Accumulation:
        """What the description of a variable says of running totals."""
        ...

    def variable_attributes(self, name: str) -> dict[str, JsonValue]:
        """Attributes of a variable, without those that decoding has used up."""
        ...

    def stride(self, name: str) -> int:
        """Time steps that are best read together; fewer of them cost as much."""
        ...

    def blocks(self, name: str, run: slice) -> Iterator[Values]:
        """A variable's values in a run of time steps, some at a time, time first."""
        ...

    def cut(self, window: Window) -> Self:
        """The same source, seen through a window; the one to close is the whole."""
        ...

    def close(self) -> None:
        """Close the source."""
        ...


class Origin(Protocol):
    """A source that has been recognised: how it is opened, and what tells its contents from others'."""

    def open(self, variables: Sequence[str]) -> Source:
        """Open it, with a view to some of its variables."""
        ...

    def identify(self, source: Source, window: Window) -> dict[str, JsonValue]:
        """For provenance: where it is from, and a checksum or the id of a snapshot, of what the window shows."""
        ...

    def check_unchanged(self) -> None:
        """Raise `DataError` if the source has been written to since it was recognised."""
        ...

    def close(self) -> None:
        """Give up what was fetched of it."""
        ...


PLACES = frozenset({"file", "store", "url"})
"""What an identity says of where a source lies: the same elsewhere is the same source."""
