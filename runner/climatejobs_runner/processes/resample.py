"""`resample`: a data set aggregated to longer periods, published as a version of a data set of its own."""

from dataclasses import dataclass, replace
from typing import Self

from climatejobs import datasets
from climatejobs.datasets import Dataset, DatasetOutput
from climatejobs.footprints import dataset_memory
from climatejobs.processes.resample import QUANTILES, ResampleInputs, ResampleOutputs
from climatejobs_runner import timeaxis
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.machine import limit_to_machine
from climatejobs_runner.making import Order, make
from climatejobs_runner.memory import fit_threads
from climatejobs_runner.resampling import result
from climatejobs_runner.resampling.engine import Advance
from climatejobs_runner.resampling.plan import Plan, Request, make_plan
from climatejobs_runner.storage import Place
from climatejobs_runner.stores import StoreReader


@dataclass(frozen=True)
class Aggregate:
    """The recipe of a result."""

    plan: Plan
    source: StoreReader
    dataset: Dataset
    threads: int

    @property
    def words(self) -> str:
        """What is being done, for people."""
        names = ", ".join(variable.name for variable in self.dataset.variables)
        return f"Aggregating {names} to {self.plan.frequency} {self.plan.method}"

    @property
    def chunks(self) -> int:
        """How many chunks along time there are."""
        return result.output_chunks(self.dataset)

    def pinned(self, dataset: Dataset) -> Self:
        """The same, for a result that others have described."""
        return replace(self, dataset=dataset)

    def prepare(self, store: Place) -> None:
        """Create the store with metadata and coordinates."""
        result.prepare(self.plan, self.source, self.dataset, store)
        result.finish(self.dataset, store)

    def count(self, chunks: range) -> int:
        """Steps of the source that make some chunks."""
        return result.count_work(self.plan, self.source, self.dataset, chunks)

    def compute(self, store: Place, chunks: range, advance: Advance) -> None:
        """Write the values of some chunks."""
        result.compute(
            self.plan, self.source, self.dataset, store, chunks=chunks, advance=advance, threads=self.threads
        )


def compute(inputs: ResampleInputs, attempt: Attempt) -> ResampleOutputs | None:
    """Aggregate the source's current version, or find that it has been done; None where others still have parts."""
    limit_to_machine()
    result_id = datasets.derived_id(inputs.source_dataset_id, inputs.target.slug, inputs.method)

    def recipe(source: Dataset) -> Aggregate:
        return _make_recipe(inputs, source, attempt)

    made = make(Order(inputs, inputs.source_dataset_id, result_id, inputs.overwrite, recipe), attempt)
    return ResampleOutputs(dataset=DatasetOutput.describing(made.dataset, reused=made.reused)) if made else None


def _make_recipe(inputs: ResampleInputs, source: Dataset, attempt: Attempt) -> Aggregate:
    store = StoreReader(attempt.data.store(source))
    time = store.array(next(iter(source.shape)))
    axis = timeaxis.decode(time.read(), time.spec.attributes)
    plan = make_plan(source, axis, Request.of(inputs))
    threads = fit_threads(
        f"aggregating {source.id}",
        lambda threads: dataset_memory(source, threads=threads, sorts=plan.method in QUANTILES),
        attempt.memory_limit,
    )
    version = f"{plan.version}-{attempt.short_uid}" if inputs.overwrite else plan.version
    result_id = datasets.derived_id(source.id, plan.frequency.slug, plan.method)
    described = result.describe(plan, result.Identity(result_id, version, attempt.image))
    return Aggregate(plan, store, described, threads)
