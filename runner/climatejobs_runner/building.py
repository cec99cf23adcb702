"""Making a version of a data set by a recipe, alone or as one of several who share the work."""

from typing import Protocol, Self

from climatejobs.datasets import Dataset
from climatejobs_runner import publication
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.resampling.engine import Advance
from climatejobs_runner.shards import Pin
from climatejobs_runner.sharing import Published, Shared
from climatejobs_runner.storage import Place


class Recipe(Protocol):
    """How a store is made: its metadata at once, its values chunk by chunk along time."""

    @property
    def dataset(self) -> Dataset:
        """What is made."""
        ...

    @property
    def words(self) -> str:
        """What is being done, for people."""
        ...

    @property
    def chunks(self) -> int:
        """How many chunks along time there are; each can be computed on its own."""
        ...

    def pinned(self, dataset: Dataset) -> Self:
        """The same recipe, for a result as another one has described it."""
        ...

    def prepare(self, store: Place) -> None:
        """Create the store, complete but for the values that `compute` writes."""
        ...

    def count(self, chunks: range) -> int:
        """Steps that `compute` will report for some chunks."""
        ...

    def compute(self, store: Place, chunks: range, advance: Advance) -> None:
        """Write the values of some chunks, whole and always the same, and touch nothing else."""
        ...


def build(recipe: Recipe, attempt: Attempt) -> None:
    """Make a version alone, and publish it."""
    with publication.staging(attempt, recipe.dataset.id) as place:
        recipe.prepare(place.store)

        def advance(steps: int) -> None:
            place.beat()
            attempt.progress.advance(steps)

        chunks = range(recipe.chunks)
        attempt.progress.begin(recipe.words, total=recipe.count(chunks), unit="steps")
        recipe.compute(place.store, chunks, advance)
        publication.publish(place, recipe.dataset)


def build_part(recipe: Recipe, pin: Pin, attempt: Attempt, *, piece: bool = False) -> bool:
    """Do one shard's part, and publish the version if that was the last one; whether it is this one's to tell.

    A `piece` of something larger advances a progress that was begun before.
    """
    attempt.stop.defer()
    shared = Shared.of(attempt, pin)
    if not piece and (shared.is_published() or shared.has_done(attempt.shard.index)):
        _count_part(recipe, attempt)
    if not shared.is_published() and not _take_part(recipe, shared, piece=piece):
        return False
    shared.settle()
    return shared.publisher() in (None, attempt.shard.index)


def _take_part(recipe: Recipe, shared: Shared, *, piece: bool) -> bool:
    """Compute what is not done yet; whether the version is published then."""
    try:
        if not shared.has_done(shared.attempt.shard.index):
            _compute_part(recipe, shared, piece=piece)
        if not shared.is_complete():
            return shared.is_published()
        if shared.claim() != shared.attempt.shard.index:
            return False
        shared.publish(recipe.chunks)
    except Published:
        shared.attempt.progress.note("The others have done everything")
    except FileNotFoundError:
        # The store has got its name while this shard, started twice, was still writing to it.
        if not shared.is_published():
            raise
    return True


def _count_part(recipe: Recipe, attempt: Attempt) -> None:
    """Say of a part that an attempt before has done how much it was."""
    steps = recipe.count(attempt.shard.part(recipe.chunks))
    attempt.progress.begin("This part was done before", total=steps, unit="steps", done=steps)


def _compute_part(recipe: Recipe, shared: Shared, *, piece: bool) -> None:
    attempt = shared.attempt
    part = attempt.shard.part(recipe.chunks)
    place = f"shard {attempt.shard.index} of {attempt.shard.of}"
    if not part:
        attempt.progress.note(f"Nothing to do for {place}: the result has {recipe.chunks} chunks along time")
    else:

        def advance(steps: int) -> None:
            shared.beat()
            attempt.progress.advance(steps)

        if not piece:
            attempt.progress.begin(f"{recipe.words}, {place}", total=recipe.count(part), unit="steps")
        recipe.compute(shared.staging.store, part, advance)
    shared.complete(part)
