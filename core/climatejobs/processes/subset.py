"""Description of `subset`: a part of a data set, in space, in time, and of its variables."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from climatejobs.datasets import DatasetOutput
from climatejobs.errors import InvalidInput
from climatejobs.processes.base import Outputs, Process
from climatejobs.processes.selection import Selection, SelectionMeasure


def _check_box(box: list[float]) -> list[float]:
    if len(box) == 4 and box[1] > box[3]:
        raise InvalidInput(
            f"the box's south {box[1]:g} lies north of its north {box[3]:g}",
            hint="Write west, south, east, north. West may be greater than east, across the date line.",
        )
    return box


class SubsetInputs(Selection):
    """What to cut out."""

    bbox: Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], AfterValidator(_check_box)] | None = Field(
        default=None,
        title="Bounding box",
        description="West, south, east, north, in degrees (or the units of the grid): cells whose centres lie in it, "
        "or on its edge, are taken. Longitudes may count from -180 or from 0, whatever the grid does.",
        min_length=4,
        max_length=4,
    )
    overwrite: bool = Field(
        default=False, title="Overwrite", description="Compute even where an equal result is there already."
    )

    @model_validator(mode="after")
    def _something_is_cut(self) -> Self:
        if self.bbox is None and self.variables is None and self.start is None and self.end is None:
            raise InvalidInput("nothing says what to cut out", hint="Give bbox, variables, start or end.")
        return self


class SubsetOutputs(Outputs):
    """What `subset` gives."""

    dataset: DatasetOutput = Field(
        title="Data set", description="The part as a data set of its own, at the version that this job made or found."
    )


SUBSET = Process(
    id="subset",
    title="Cut out a part of a data set",
    description="Takes a box, a span of time, or some of the variables of a data set, and makes a data set of its own "
    "of them. Values are not changed.",
    version="1.0.0",
    inputs=SubsetInputs,
    outputs=SubsetOutputs,
    shareable=True,
    measure=SelectionMeasure(),
    keywords=("subset", "bounding box", "climate"),
    examples=(
        {
            "source_dataset_id": "era5-land-hourly",
            "bbox": [-13.5, 7.0, -11.0, 9.0],
            "start": "2025-02-01",
            "end": "2025-02-07",
        },
    ),
)
