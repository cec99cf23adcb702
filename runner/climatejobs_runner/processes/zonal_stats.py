"""`zonal_stats`: a data set summed up over polygons, published as a data set by time and zone, and as a table."""

from functools import partial

from climatejobs import datasets
from climatejobs.datasets import Dataset, DatasetOutput
from climatejobs.processes.selection import selection_memory
from climatejobs.processes.zonal_stats import ZonalStatsInputs, ZonalStatsOutputs
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.machine import limit_to_machine
from climatejobs_runner.making import Order, make
from climatejobs_runner.memory import fit_threads
from climatejobs_runner.selection import OpenDataset
from climatejobs_runner.tables import write_tables
from climatejobs_runner.zonal import ZonalStats, plan_zonal_stats
from climatejobs_runner.zones import find_zones


def compute(inputs: ZonalStatsInputs, attempt: Attempt) -> ZonalStatsOutputs | None:
    """Sum the source's current version up, or find that it has been done; None where others still have parts."""
    limit_to_machine()
    zones = find_zones(inputs, attempt)
    facts = inputs.model_dump(mode="json", include={"name_property", "variables", "statistics"})
    facts["zones"] = zones.provenance["sha256"]
    result_id = datasets.part_id(inputs.source_dataset_id, "zonal", facts)

    def recipe(source: Dataset) -> ZonalStats:
        needed = partial(selection_memory, source)
        threads = fit_threads(f"summing {source.id} up over zones", needed, attempt.memory_limit)
        return plan_zonal_stats(inputs, zones, OpenDataset.of(source, attempt), result_id, attempt, threads=threads)

    made = make(Order(inputs, inputs.source_dataset_id, result_id, inputs.overwrite, recipe), attempt)
    if made is None:
        return None
    table = write_tables(made.dataset, attempt)
    return ZonalStatsOutputs(dataset=DatasetOutput.describing(made.dataset, reused=made.reused), table=table)
