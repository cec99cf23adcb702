"""From a recipe to a published data set: made alone, or shared with others, or found to be there already."""

from collections.abc import Callable
from dataclasses import dataclass

from climatejobs.datasets import Dataset
from climatejobs.errors import DataError
from climatejobs.processes.base import Inputs
from climatejobs_runner import building, publication, sharing
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.building import Recipe
from climatejobs_runner.shards import Pin


@dataclass(frozen=True)
class Made:
    """A data set that is there now."""

    dataset: Dataset
    reused: bool
    """Whether it was before."""


@dataclass(frozen=True)
class Order:
    """What is to be made."""

    inputs: Inputs
    source_id: str
    result_id: str
    overwrite: bool
    recipe: Callable[[Dataset], Recipe]
    """The recipe for a version of the source."""


def make(order: Order, attempt: Attempt) -> Made | None:
    """Make what is asked for of the source's current version; None where others still have parts to do.

    All who share a job pin the version of the source that the first of them found.
    """
    asked = order.inputs.model_dump(mode="json")
    pin = None if attempt.shard.alone else sharing.find_pin(attempt, order.result_id)
    if pin is None:
        source = attempt.data.read_dataset(order.source_id)
        recipe = order.recipe(source)
        dataset = recipe.dataset
        if found := publication.find(attempt, dataset, or_equal=not order.overwrite):
            return Made(found, reused=not order.overwrite)
        if attempt.shard.alone:
            building.build(recipe, attempt)
            return Made(dataset, reused=False)
        draft = Pin(
            shards=attempt.shard.of, inputs=asked, source=source, result=dataset, store=f"{attempt.pod_uid}.zarr"
        )
        pin = sharing.begin(attempt, draft, recipe.prepare)
    pin.check(attempt.shard, asked)
    if pin.source is None:
        raise DataError("this job was begun as an import", hint="Give the computation a job uid of its own.")
    recipe = order.recipe(pin.source)
    pin.check_version(recipe.dataset.version)
    if not building.build_part(recipe.pinned(pin.result), pin, attempt):
        return None
    return Made(pin.result, reused=False)
