"""`resample`: a data set aggregated to longer periods, published as a version of a data set of its own."""

from dataclasses import dataclass, replace

from climatejobs import datasets
from climatejobs.datasets import Dataset, DatasetOutput
from climatejobs.errors import TooLarge
from climatejobs.footprints import MIB, dataset_memory, threads_within
from climatejobs.processes.resample import QUANTILES, ResampleInputs, ResampleOutputs
from climatejobs_runner import building, publication, sharing, timeaxis
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.machine import limit_to_machine, usable_cpus
from climatejobs_runner.resampling import result
from climatejobs_runner.resampling.engine import Advance
from climatejobs_runner.resampling.plan import Plan, Request, make_plan
from climatejobs_runner.shards import Pin
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
    asked = inputs.model_dump(mode="json")
    pin = None if attempt.shard.alone else sharing.find_pin(attempt, result_id)
    if pin is None:
        recipe = _make_recipe(inputs, attempt.data.read_dataset(inputs.source_dataset_id), attempt)
        dataset = recipe.dataset
        if found := publication.find(attempt, dataset, or_equal=not inputs.overwrite):
            return _outputs(found, reused=not inputs.overwrite)
        if attempt.shard.alone:
            building.build(recipe, attempt)
            return _outputs(dataset, reused=False)
        draft = Pin(
            shards=attempt.shard.of,
            inputs=asked,
            source=recipe.plan.source,
            result=dataset,
            store=f"{attempt.pod_uid}.zarr",
        )
        pin = sharing.begin(attempt, draft, recipe.prepare)
    pin.check(attempt.shard, asked)
    recipe = _make_recipe(inputs, pin.source, attempt)
    pin.check_version(recipe.dataset.version)
    if not building.build_part(replace(recipe, dataset=pin.result), pin, attempt):
        return None
    return _outputs(pin.result, reused=False)


def _make_recipe(inputs: ResampleInputs, source: Dataset, attempt: Attempt) -> Aggregate:
    store = StoreReader(attempt.data.store(source))
    time = store.array(next(iter(source.shape)))
    axis = timeaxis.decode(time.read(), time.spec.attributes)
    plan = make_plan(source, axis, Request.of(inputs))
    threads = _fitting_threads(plan, attempt.memory_limit)
    version = f"{plan.version}-{attempt.short_uid}" if inputs.overwrite else plan.version
    result_id = datasets.derived_id(source.id, plan.frequency.slug, plan.method)
    described = result.describe(plan, result.Identity(result_id, version, attempt.image))
    return Aggregate(plan, store, described, threads)


def _outputs(dataset: Dataset, *, reused: bool) -> ResampleOutputs:
    return ResampleOutputs(dataset=DatasetOutput.describing(dataset, reused=reused))


def _fitting_threads(plan: Plan, limit: int | None) -> int:
    """As many threads as there are CPUs, if their buffers fit; raises `TooLarge` where not even one does."""
    source, sorts = plan.source, plan.method in QUANTILES
    needed = dataset_memory(source, threads=1, sorts=sorts)
    if limit is not None and needed > limit:
        raise TooLarge(
            f"aggregating {source.id} takes {-(-needed // MIB)} MiB of memory; this job may use {limit // MIB} MiB",
            hint=f"Ask for at least {-(-needed // MIB)}Mi in resources.memory.",
        )
    return threads_within(limit, source, cpus=usable_cpus(), sorts=sorts)
