"""`resample`: a data set aggregated to longer periods, published as a version of a data set of its own."""

from climatejobs import datasets
from climatejobs.datasets import Dataset, DatasetOutput
from climatejobs.errors import TooLarge
from climatejobs.footprints import MIB, dataset_memory
from climatejobs.processes.resample import ResampleInputs, ResampleOutputs
from climatejobs_runner import publication, timeaxis
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.machine import limit_to_machine
from climatejobs_runner.resampling import result
from climatejobs_runner.resampling.plan import Plan, Request, make_plan
from climatejobs_runner.stores import StoreReader


def compute(inputs: ResampleInputs, attempt: Attempt) -> ResampleOutputs:
    """Aggregate the source's current version, or find that it has been done."""
    limit_to_machine()
    source = attempt.data.read_dataset(inputs.source_dataset_id)
    store = StoreReader(attempt.data.store(source))
    time = store.array(next(iter(source.shape)))
    axis = timeaxis.decode(time.read(), time.spec.attributes)
    plan = make_plan(source, axis, Request(inputs.target, inputs.method, inputs.first_moment, inputs.last_moment))
    _check_memory(source, attempt.memory_limit)

    result_id = datasets.derived_id(source.id, plan.frequency.slug, plan.method)
    version = plan.version
    if inputs.overwrite:
        version += f"-{attempt.job_uid.replace('-', '')[:8].lower()}"
    if found := _find(attempt, result_id, version, inputs.overwrite):
        return ResampleOutputs(dataset=DatasetOutput.describing(found, reused=not inputs.overwrite))
    with publication.staging(attempt, result_id) as place:
        dataset = result.describe(plan, result.Identity(result_id, version, attempt.image))
        _write(plan, store, dataset, place)
        publication.publish(place, dataset)
    return ResampleOutputs(dataset=DatasetOutput.describing(dataset, reused=False))


def _write(plan: Plan, source: StoreReader, dataset: Dataset, place: publication.Staging) -> None:
    """Build the result's store: metadata and coordinates first, then the values."""
    result.prepare(plan, source, dataset, place.store)
    chunks = range(result.output_chunks(dataset))
    names = ", ".join(variable.name for variable in dataset.variables)
    total = result.count_work(plan, source, dataset, chunks)
    place.attempt.progress.begin(f"Aggregating {names} to {plan.frequency} {plan.method}", total=total, unit="steps")

    def advance(steps: int) -> None:
        place.beat()
        place.attempt.progress.advance(steps)

    result.compute(plan, source, dataset, place.store, chunks=chunks, advance=advance)
    result.finish(dataset, place.store)


def _find(attempt: Attempt, result_id: str, version: str, overwrite: bool) -> Dataset | None:
    """The newest equal result that is there already; with `overwrite` only one that this very job has made."""
    found = [
        name
        for name in attempt.data.versions(result_id)
        if name == version or (not overwrite and name.startswith(f"{version}-"))
    ]
    if not found:
        return None
    record = StoreReader(attempt.data.place(datasets.store_path(result_id, found[-1]))).record
    if publication.is_unfinished(attempt, record):
        publication.point_to(attempt, record)
    return record


def _check_memory(source: Dataset, limit: int | None) -> None:
    needed = dataset_memory(source)
    if limit is not None and needed > limit:
        raise TooLarge(
            f"aggregating {source.id} takes {-(-needed // MIB)} MiB of memory; this job may use {limit // MIB} MiB",
            hint=f"Ask for at least {-(-needed // MIB)}Mi in resources.memory.",
        )
