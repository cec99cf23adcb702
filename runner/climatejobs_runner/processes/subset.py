"""`subset`: a part of a data set, published as a version of a data set of its own."""

from climatejobs import datasets
from climatejobs.datasets import Dataset, DatasetOutput
from climatejobs.processes.selection import selection_memory
from climatejobs.processes.subset import SubsetInputs, SubsetOutputs
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.cutting import Subset, plan_subset
from climatejobs_runner.machine import limit_to_machine
from climatejobs_runner.making import Order, make
from climatejobs_runner.memory import check_memory
from climatejobs_runner.selection import OpenDataset


def compute(inputs: SubsetInputs, attempt: Attempt) -> SubsetOutputs | None:
    """Cut a part of the source's current version out, or find that it has been done; None where others go on."""
    limit_to_machine()
    facts = inputs.model_dump(mode="json", include={"bbox", "variables", "start", "end"})
    result_id = datasets.part_id(inputs.source_dataset_id, "subset", facts)

    def recipe(source: Dataset) -> Subset:
        check_memory(f"cutting out of {source.id}", selection_memory(source), attempt.memory_limit)
        return plan_subset(inputs, OpenDataset.of(source, attempt), result_id, attempt)

    made = make(Order(inputs, inputs.source_dataset_id, result_id, inputs.overwrite, recipe), attempt)
    return SubsetOutputs(dataset=DatasetOutput.describing(made.dataset, reused=made.reused)) if made else None
