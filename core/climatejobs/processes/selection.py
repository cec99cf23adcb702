"""Inputs that several processes share: which data set, which of its variables, and which time."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from climatejobs import times
from climatejobs.datasets import DATASET_ID, Dataset, check_dataset_id
from climatejobs.errors import Fault, InvalidInput
from climatejobs.footprints import MIB, Footprint, dataset_memory, decoded_bytes, worthwhile_shards
from climatejobs.processes.base import Inputs
from climatejobs.times import Moment, parse_moment

_DATE_LENGTH = len("2025-02-01")


def _check_moment(text: str) -> str:
    parse_moment(text)
    return text


def _check_variables(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise InvalidInput("a variable is named twice", hint="Name each variable once.")
    return names


DatasetName = Annotated[str, AfterValidator(check_dataset_id)]
MomentText = Annotated[str, AfterValidator(_check_moment)]


_BESIDE_BYTES = 64 * MIB
"""What is made of a block, beside the block itself."""


class Selection(Inputs):
    """A data set, and what is taken of it."""

    source_dataset_id: DatasetName = Field(
        title="Source data set",
        description="Id of the data set to read; GET /datasets lists them.",
        json_schema_extra={"pattern": DATASET_ID},
    )
    variables: Annotated[list[str], AfterValidator(_check_variables)] | None = Field(
        default=None, title="Variables", description="Names of the variables to take; all where absent.", min_length=1
    )
    start: MomentText | None = Field(
        default=None,
        title="Start",
        description="First time step to take, in UTC unless it carries an offset.",
        json_schema_extra={"pattern": times.PATTERN},
    )
    end: MomentText | None = Field(
        default=None,
        title="End",
        description="Last time step to take; a date stands for the whole day.",
        json_schema_extra={"pattern": times.PATTERN},
    )

    @model_validator(mode="after")
    def _end_follows_start(self) -> Self:
        first, last = self.first_moment, self.last_moment
        if first is not None and last is not None and last < first:
            fault = Fault("/end", f"end {self.end} is before start {self.start}")
            raise InvalidInput.of([fault], hint="Exchange start and end.")
        return self

    @property
    def first_moment(self) -> Moment | None:
        """`start` in UTC."""
        return parse_moment(self.start) if self.start is not None else None

    @property
    def last_moment(self) -> Moment | None:
        """`end` in UTC, the last second of the day where it is a date."""
        if self.end is None:
            return None
        moment = parse_moment(self.end)
        whole_day = len(self.end.strip()) == _DATE_LENGTH
        return moment._replace(hour=23, minute=59, second=59) if whole_day else moment


def selection_memory(source: Dataset, threads: int) -> int:
    """Bytes that going once through a data set takes, whatever is made of it: blocks of it, and as much again."""
    return dataset_memory(source, threads=threads) + _BESIDE_BYTES


class SelectionMeasure:
    """What going once through a data set takes, whatever is made of it."""

    def source_id(self, inputs: Inputs) -> str:
        """The data set to read."""
        if not isinstance(inputs, Selection):
            raise TypeError(f"{type(inputs).__name__} do not select from a data set")
        return inputs.source_dataset_id

    def footprint(self, inputs: Inputs, source: Dataset, cpus: int) -> Footprint:
        """Memory from chunks and grid; shards from how much there is to read."""
        del inputs
        memory, least = (selection_memory(source, threads) for threads in (cpus, 1))
        time = next(iter(source.shape))
        chunks = -(-source.shape[time] // source.chunks[time])
        return Footprint(memory=memory, least_memory=least, shards=worthwhile_shards(decoded_bytes(source), chunks))
