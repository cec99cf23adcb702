"""Making a version part by part, so that whoever is killed goes on where it was.

The parts and their records are those of `sharing`, with one process that does all parts, one after the other. The
folder is called after what is made, not after a job: the next one that makes the same finds what is done.
"""

from dataclasses import replace

from climatejobs_runner import publication, sharing
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.building import Recipe, build_part
from climatejobs_runner.shards import Pin, Shard
from climatejobs_runner.sharing import Shared


def build_resumably(recipe: Recipe, name: str, parts: int, attempt: Attempt) -> None:
    """Make a version that nobody shares the work of, in so many parts, and publish it.

    `name` tells it from all others. Two who make the same at the same time do no harm: both write the same.
    """
    attempt = _named(attempt, name, Shard(0, parts))
    pin = sharing.find_pin(attempt, recipe.dataset.id)
    if pin is None:
        draft = Pin(shards=parts, inputs={}, source=None, result=recipe.dataset, store=f"{attempt.pod_uid}.zarr")
        pin = sharing.begin(attempt, draft, recipe.prepare)
    else:
        attempt.progress.note("Going on where another one of the same was ended")
    pin.check(attempt.shard, {})
    pin.check_version(recipe.dataset.version)
    pinned = recipe.pinned(pin.result)
    shards = [Shard(index, parts) for index in range(parts)]
    shared = Shared.of(attempt, pin)
    open_parts = [shard.part(recipe.chunks) for shard in shards if not shared.has_done(shard.index)]
    attempt.progress.begin(recipe.words, total=sum(map(recipe.count, open_parts)), unit="steps")
    for shard in shards:
        build_part(pinned, pin, replace(attempt, shard=shard), piece=True)
    forget(attempt, recipe.dataset.id, name)


def forget(attempt: Attempt, dataset_id: str, name: str) -> None:
    """Remove what is left of a version that is published."""
    publication.clear(_named(attempt, name), dataset_id)


def _named(attempt: Attempt, name: str, shard: Shard | None = None) -> Attempt:
    return replace(attempt, job_uid=name, shard=shard or attempt.shard)
