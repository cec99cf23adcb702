"""Stores of chunked arrays that others wrote: Zarr of version 2 or 3, and Icechunk."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import icechunk
import xarray as xr
import zarr
from zarr.abc.store import Store
from zarr.storage import LocalStore

from climatejobs.errors import ClimateJobsError, DataError
from climatejobs_runner.machine import usable_cpus
from climatejobs_runner.sources.labelled import LabelledSource

BRANCH = "main"


def open_zarr(store: Path | Store, name: str, variables: Sequence[str]) -> LabelledSource:
    """Open a Zarr store, sharded or not, consolidated or not."""
    with _described(name, "a Zarr store"):
        opened = _open(LocalStore(store, read_only=True) if isinstance(store, Path) else store)
        return LabelledSource(opened, variables, kind="Zarr")


def open_icechunk(path: Path, snapshot: str, variables: Sequence[str]) -> LabelledSource:
    """Open one snapshot of an Icechunk repository, whatever is committed to it meanwhile."""
    with _described(path.name, "an Icechunk repository"):
        session = _repository(path).readonly_session(snapshot_id=snapshot)
        return LabelledSource(_open(session.store), variables, kind="Icechunk")


def current_snapshot(path: Path) -> str:
    """Id of the newest snapshot of an Icechunk repository's main branch."""
    with _described(path.name, "an Icechunk repository"):
        return _repository(path).lookup_branch(BRANCH)


def _repository(path: Path) -> icechunk.Repository:
    return icechunk.Repository.open(icechunk.local_filesystem_storage(str(path)))


def _open(store: Store) -> xr.Dataset:
    cpus = usable_cpus()
    limits = {"threading.max_workers": cpus, "async.concurrency": max(cpus, 2)}
    zarr.config.set(limits)  # pyright: ignore[reportUnknownMemberType] - donfig's is untyped
    # Without chunks there is no dask: values are read where they are asked for. Consolidated metadata may be stale, and
    # save nothing where folders can be listed.
    return xr.open_zarr(  # pyright: ignore[reportUnknownMemberType] - names classes of optional packages
        store, chunks=None, decode_times=False, consolidated=False
    )


@contextmanager
def _described(name: str, what: str) -> Generator[None]:
    try:
        yield
    except ClimateJobsError:
        raise
    except (OSError, ValueError, KeyError, icechunk.IcechunkError) as error:
        raise DataError(f"{name} cannot be read as {what}: {error}") from None
