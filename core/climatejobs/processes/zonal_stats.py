"""Description of `zonal_stats`: a data set summed up over areas."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from climatejobs.datasets import DATASET_ID, DatasetOutput, TableOutput, check_dataset_id
from climatejobs.errors import Fault, InvalidInput
from climatejobs.processes.base import Outputs, Process
from climatejobs.processes.geojson import read_zones
from climatejobs.processes.selection import Selection, SelectionMeasure

type Statistic = Literal["mean", "sum", "min", "max", "count"]
STATISTICS: tuple[Statistic, ...] = ("mean", "sum", "min", "max", "count")


def _check_statistics(names: list[Statistic]) -> list[Statistic]:
    if len(set(names)) < len(names):
        raise InvalidInput("a statistic is named twice", hint="Name each statistic once.")
    return names


class ZonalStatsInputs(Selection):
    """What to sum up, over which areas, and how."""

    zones: dict[str, JsonValue] | None = Field(
        default=None,
        title="Zones",
        description="Polygons as GeoJSON in longitude and latitude: a FeatureCollection, a Feature or one geometry; "
        "themselves, or by reference. The inputs take at most 32 KiB in all; larger zones are stored and named.",
    )
    zones_id: Annotated[str, AfterValidator(check_dataset_id)] | None = Field(
        default=None,
        title="Stored zones",
        description="Id of zones that were brought in with climatejobs-runner import-zones, in place of zones.",
        json_schema_extra={"pattern": DATASET_ID},
    )
    name_property: str | None = Field(
        default=None,
        title="Name property",
        description="Property of the features that names the zones; name, else the feature's id, where absent.",
        min_length=1,
        max_length=100,
    )
    statistics: Annotated[list[Statistic], AfterValidator(_check_statistics)] = Field(
        default=list(STATISTICS),
        title="Statistics",
        description="mean is weighted by the area of each cell that lies in the zone; sum and count weigh each cell by "
        "the fraction of it that does; min and max take every cell that is touched. Missing values are left out.",
        min_length=1,
    )
    overwrite: bool = Field(
        default=False, title="Overwrite", description="Compute even where an equal result is there already."
    )

    @model_validator(mode="after")
    def _zones_are_given_once(self) -> Self:
        if (self.zones is None) == (self.zones_id is None):
            raise InvalidInput.of([Fault("/zones", "zones and zones_id: one of them is needed, and only one")])
        if self.zones is not None:
            try:
                read_zones(self.zones, self.name_property)
            except InvalidInput as error:
                raise InvalidInput.of([Fault("/zones", error.detail)], hint=error.hint) from None
        return self


class ZonalStatsOutputs(Outputs):
    """What `zonal_stats` gives."""

    dataset: DatasetOutput = Field(
        title="Data set",
        description="One variable for each variable and statistic, by time and zone, at the version that this job made "
        "or found.",
    )
    table: TableOutput = Field(
        title="Table", description="The same as a table with a row for each time and zone, as Parquet and as CSV."
    )


ZONAL_STATS = Process(
    id="zonal_stats",
    title="Statistics over areas",
    description="Sums up every variable of a data set over polygons, such as districts, at every time step. How much "
    "of each cell lies in a polygon is computed exactly.",
    version="1.0.0",
    inputs=ZonalStatsInputs,
    outputs=ZonalStatsOutputs,
    shareable=True,
    measure=SelectionMeasure(),
    keywords=("zonal statistics", "polygons", "districts", "climate"),
    examples=(
        {
            "source_dataset_id": "era5-land-hourly",
            "zones": {
                "type": "Feature",
                "properties": {"name": "West"},
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[[-13.2, 7.2], [-11.8, 7.2], [-11.8, 8.6], [-13.2, 8.6], [-13.2, 7.2]]],
                },
            },
            "statistics": ["mean", "max"],
        },
    ),
)
