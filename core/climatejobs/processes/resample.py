"""Description of `resample`: a data set aggregated to longer periods."""

from collections.abc import Mapping
from math import prod
from types import MappingProxyType
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from climatejobs import frequencies, times
from climatejobs.datasets import DATASET_ID, Dataset, DatasetOutput, check_dataset_id, derived_id
from climatejobs.errors import Fault, InvalidInput
from climatejobs.footprints import Footprint, dataset_memory, decoded_bytes, output_steps, worthwhile_shards
from climatejobs.frequencies import Frequency, parse_frequency
from climatejobs.processes.base import Inputs, Outputs, Process
from climatejobs.times import Moment, hours_of, parse_moment

type Method = Literal[
    "mean",
    "sum",
    "min",
    "max",
    "std",
    "count",
    "first",
    "last",
    "median",
    "p05",
    "p10",
    "p15",
    "p20",
    "p25",
    "p30",
    "p35",
    "p40",
    "p45",
    "p55",
    "p60",
    "p65",
    "p70",
    "p75",
    "p80",
    "p85",
    "p90",
    "p95",
]
_METHODS: tuple[Method, ...] = get_args(Method.__value__)
_SHARES: dict[Method, float] = {name: int(name[1:]) / 100 for name in _METHODS if name[1:].isdecimal()}
QUANTILES: Mapping[Method, float] = MappingProxyType({**_SHARES, "median": 0.5})
"""Methods that need all values of a period at once, and the share of them that lies below the result."""


def _check_frequency(text: str) -> str:
    parse_frequency(text)
    return text


def _canonical_method(text: object) -> object:
    return "median" if text == "p50" else text


def _check_moment(text: str) -> str:
    parse_moment(text)
    return text


MomentText = Annotated[str, AfterValidator(_check_moment)]


class ResampleInputs(Inputs):
    """What to aggregate, to which periods, and how."""

    source_dataset_id: Annotated[str, AfterValidator(check_dataset_id)] = Field(
        title="Source data set",
        description="Id of the data set to aggregate; GET /datasets lists them.",
        json_schema_extra={"pattern": DATASET_ID},
    )
    frequency: Annotated[str, AfterValidator(_check_frequency)] = Field(
        title="Frequency",
        description=f"Length of the periods to aggregate to: {frequencies.POSSIBLE}.",
        json_schema_extra={"pattern": frequencies.PATTERN},
    )
    method: Annotated[Method, BeforeValidator(_canonical_method)] = Field(
        title="Method",
        description="How the values of a period become one. Missing values are left out; "
        "where all are missing, so is the result, but for count. p05 to p95 are quantiles; p50 is the median.",
    )
    start: MomentText = Field(
        title="Start",
        description="First moment to take, in UTC unless it carries an offset. "
        "A period that begins earlier is left out.",
        json_schema_extra={"pattern": times.PATTERN},
    )
    end: MomentText | None = Field(
        default=None,
        title="End",
        description="A moment in the last period to compute, which is taken whole; "
        "the last complete period of the data where this is absent.",
        json_schema_extra={"pattern": times.PATTERN},
    )
    min_valid_fraction: float = Field(
        default=0.0,
        ge=0,
        le=1,
        title="Least share of valid values",
        description="Share of the steps a period should have that must be there and not missing, from 0 to 1; "
        "where there are fewer, the result is missing. 0 means that one value is enough.",
    )
    day_weighting: bool = Field(
        default=False,
        title="Weights by days",
        description="Let each value count by the days of the period it stands for, such as a month; for means.",
    )
    overwrite: bool = Field(
        default=False, title="Overwrite", description="Compute even where an equal result is there already."
    )
    publish: bool = Field(
        default=True,
        title="Publish",
        description="Accepted for compatibility and without effect: a result is always served.",
    )

    @model_validator(mode="after")
    def _weights_are_for_means(self) -> Self:
        if self.day_weighting and self.method != "mean":
            fault = Fault("/day_weighting", f"day_weighting is for means, not for {self.method}")
            raise InvalidInput.of([fault], hint="Leave day_weighting out.")
        return self

    @model_validator(mode="after")
    def _end_follows_start(self) -> Self:
        if self.last_moment is not None and self.last_moment < self.first_moment:
            fault = Fault("/end", f"end {self.end} is before start {self.start}")
            raise InvalidInput.of([fault], hint="Exchange start and end.")
        return self

    @model_validator(mode="after")
    def _result_has_an_id(self) -> Self:
        try:
            derived_id(self.source_dataset_id, self.target.slug, self.method)
        except InvalidInput as error:
            raise InvalidInput.of([Fault("/source_dataset_id", error.detail)], hint=error.hint) from None
        return self

    @property
    def target(self) -> Frequency:
        """The frequency in its canonical form."""
        return parse_frequency(self.frequency)

    @property
    def first_moment(self) -> Moment:
        """`start` in UTC."""
        return parse_moment(self.start)

    @property
    def last_moment(self) -> Moment | None:
        """`end` in UTC."""
        return parse_moment(self.end) if self.end is not None else None


class ResampleOutputs(Outputs):
    """What `resample` gives."""

    dataset: DatasetOutput = Field(
        title="Data set", description="The aggregated data set, at the version that this job made or found."
    )


class ResampleMeasure:
    """What resampling takes: blocks of the source, and the result chunk by chunk."""

    def source_id(self, inputs: Inputs) -> str:
        """The data set to aggregate."""
        return _own(inputs).source_dataset_id

    def footprint(self, inputs: Inputs, source: Dataset, cpus: int) -> Footprint:
        """Memory from chunks and grid; shards from how much of the data is asked for and how long the result is.

        The window is measured in the standard calendar, which in any other is only a little off.
        """
        asked = _own(inputs)
        memory, least = (
            dataset_memory(source, threads=threads, sorts=asked.method in QUANTILES) for threads in (cpus, 1)
        )
        first, last = hours_of(parse_moment(source.coverage.start)), hours_of(parse_moment(source.coverage.end))
        start = max(first, hours_of(asked.first_moment))
        end = min(last, hours_of(asked.last_moment)) if asked.last_moment else last
        share = max(0.0, min(1.0, (end - start) / (last - first))) if last > first else 1.0
        periods = max(1, int((end - start) / asked.target.longest_hours))
        lengths = tuple(source.shape.values())
        steps = min(output_steps(prod(lengths[1:]), variable.dtype, periods) for variable in source.variables)
        shards = worthwhile_shards(int(share * decoded_bytes(source)), -(-periods // steps))
        return Footprint(memory=memory, least_memory=least, shards=shards)


def _own(inputs: Inputs) -> ResampleInputs:
    if not isinstance(inputs, ResampleInputs):
        raise TypeError(f"{type(inputs).__name__} are not the inputs of resample")
    return inputs


RESAMPLE = Process(
    id="resample",
    title="Resample a data set in time",
    description="Aggregates every variable of a data set to longer periods, such as hourly temperature to "
    "daily means. Periods that the data do not cover whole are left out at either end.",
    version="1.1.0",
    inputs=ResampleInputs,
    outputs=ResampleOutputs,
    keywords=("aggregation", "time", "climate"),
    shareable=True,
    measure=ResampleMeasure(),
    examples=(
        {
            "source_dataset_id": "era5-land-hourly",
            "frequency": "1D",
            "method": "mean",
            "start": "2025-02-01",
            "end": "2025-02-28",
        },
    ),
)
