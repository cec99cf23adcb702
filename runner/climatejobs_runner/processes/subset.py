"""`subset`: a part of a data set, published as a version of a data set of its own."""

from functools import partial

from climatejobs import datasets
from climatejobs.datasets import Dataset, DatasetOutput
from climatejobs.processes.selection import selection_memory
from climatejobs.processes.subset import SubsetInputs, SubsetOutputs
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.cutting import Subset, plan_subset
from climatejobs_runner.machine import limit_to_machine
from climatejobs_runner.making import Order, make
from climatejobs_runner.memory import fit_threads
from climatejobs_runner.selection import OpenDataset


def compute(inputs: SubsetInputs, attempt: Attempt) -> SubsetOutputs | None:
    """Cut a part of the source's current version out, or find that it has been done; None where others go on."""
    limit_to_machine()
    facts = inputs.model_dump(mode="json", include={"bbox", "variables", "start", "end"})
    result_id = datasets.part_id(inputs.source_dataset_id, "subset", facts)

    def recipe(source: Dataset) -> Subset:
        needed = partial(selection_memory, source)
        threads = fit_threads(f"cutting out of {source.id}", needed, attempt.memory_limit)
        return plan_subset(inputs, OpenDataset.of(source, attempt), result_id, attempt, threads=threads)

    made = make(Order(inputs, inputs.source_dataset_id, result_id, inputs.overwrite, recipe), attempt)
    return SubsetOutputs(dataset=DatasetOutput.describing(made.dataset, reused=made.reused)) if made else None
