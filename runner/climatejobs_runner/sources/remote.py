"""Sources behind an address: a Zarr store is read where it is, a single file is fetched first."""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import obstore
import zarr
from obstore.store import S3Store
from pydantic import JsonValue

from climatejobs.errors import DataError, InvalidInput
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.selection import Window
from climatejobs_runner.sources import documents
from climatejobs_runner.sources.addresses import Access, Address, open_address
from climatejobs_runner.sources.chunked import open_zarr
from climatejobs_runner.sources.documents import Documents
from climatejobs_runner.sources.downloads import Download, download
from climatejobs_runner.sources.formats import is_grib, is_netcdf, open_file
from climatejobs_runner.sources.pinned import PinnedStore
from climatejobs_runner.sources.source import Origin, Source

_AT_ONCE = 16
"""Objects that a server is asked about at the same time."""
_BATCH = 1024


def recognise_remote(text: str, access: Access, attempt: Attempt) -> Origin:
    """Find out what is behind an address, and fetch it if it is a file."""
    address = open_address(text, access)
    root = documents.read_root(address)
    if root is not None:
        return RemoteStore(address, root, attempt)
    _refuse_icechunk(address)

    def check(start: bytes) -> None:
        if not is_grib(start) and not is_netcdf(start):
            raise InvalidInput(
                f"what {address.text} answers is neither netCDF nor GRIB: it begins with {start[:40]!r}",
                hint="Check that the address is that of the file, or of a Zarr store, and not of a page about it.",
            )

    return FetchedFile(download(address, attempt.data.storage.scratch, check, attempt))


def _refuse_icechunk(address: Address) -> None:
    if isinstance(address.objects, S3Store):
        try:
            with address.explaining():
                listed = obstore.list_with_delimiter(  # pyright: ignore[reportUnknownMemberType] - names optional arro3
                    address.objects
                )
        except InvalidInput:
            # May not be listed.
            return
        if {"snapshots", "manifests"} <= set(listed["common_prefixes"]):
            raise InvalidInput(
                f"{address.text} is an Icechunk repository, which is read from a folder alone", hint="Fetch it first."
            )


@dataclass
class FetchedFile:
    """A file that was fetched into a place without a name."""

    fetched: Download

    def open(self, variables: Sequence[str]) -> Source:
        """Open it, with a view to some of its variables."""
        file = self.fetched.file
        file.seek(0)
        grib = is_grib(file.read(1024))
        file.seek(0)
        return open_file(file, self.fetched.address.name, variables, grib=grib)

    def identify(self, source: Source, window: Window) -> dict[str, JsonValue]:
        """Its address, and the checksum that the same file has anywhere."""
        del source, window
        return {"url": self.fetched.address.text, "sha256": self.fetched.sha256}

    def check_unchanged(self) -> None:
        """Nothing to do: nobody else can open it."""

    def close(self) -> None:
        """Give up the file."""
        self.fetched.file.close()


@dataclass
class RemoteStore:
    """A Zarr store that is read where it is."""

    address: Address
    root: Documents
    attempt: Attempt
    _documents: Documents = field(default_factory=dict[str, bytes], init=False)
    _store: PinnedStore | None = field(default=None, init=False)

    def open(self, variables: Sequence[str]) -> Source:
        """Open it, with a view to some of its variables."""
        self._documents = {**self.root, **documents.read_arrays(self.address, self.root, variables)}
        self._store = PinnedStore(self.address, self._documents)
        return open_zarr(self._store, self.address.name, variables)

    def identify(self, source: Source, window: Window) -> dict[str, JsonValue]:
        """Its address, and a checksum of its documents and of the stamps of all chunks that are read."""
        digest = hashlib.sha256()
        for key, content in sorted(self._documents.items()):
            digest.update(f"{key}\0{len(content)}\0".encode() + content)
        runs = {next(iter(source.shape)): (window.steps,), **window.parts}
        arrays: dict[str, dict[str, tuple[slice, ...]]] = dict.fromkeys(source.variables, runs)
        arrays |= {held.name: {} for held in source.fields} | {next(iter(source.shape)): {}}
        keys = [key for name in sorted(arrays) for key in self._chunk_keys(name, arrays[name])]
        self.attempt.progress.begin(f"Looking at {self.address.name}", total=len(keys), unit="chunks")
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            for batch in itertools.batched(keys, _BATCH):
                for key, stamp in zip(batch, threads.map(self._pinned.stamp, batch), strict=True):
                    self.attempt.stop.checkpoint()
                    digest.update(f"{key}\0{stamp}\0".encode())
                    self.attempt.progress.advance(1)
        return {"url": self.address.text, "stamps": digest.hexdigest()}

    def check_unchanged(self) -> None:
        """Nothing to do: each object is checked as it is read."""

    def close(self) -> None:
        """Nothing to do."""

    @property
    def _pinned(self) -> PinnedStore:
        if self._store is None:
            raise RuntimeError("the store is not open yet")
        return self._store

    def _chunk_keys(self, name: str, runs: dict[str, tuple[slice, ...]]) -> Iterator[str]:
        """Keys of the objects that hold some runs of an array; all of it along dimensions that are not named."""
        array = zarr.open_array(  # pyright: ignore[reportUnknownMemberType] - names optional upath
            self._pinned, path=name, mode="r"
        )
        lengths = array.shards or array.chunks
        names = documents.dimensions(self._documents, name)
        if len(names) != array.ndim:
            raise DataError(f"the dimensions of {name} have no names")
        numbers = [
            sorted(
                {
                    n
                    for run in runs.get(each, (slice(0, size),))
                    for n in range(run.start // length, -(-run.stop // length))
                }
            )
            for each, size, length in zip(names, array.shape, lengths, strict=True)
        ]
        for place in itertools.product(*numbers):
            yield f"{name}/{array.metadata.encode_chunk_key(place)}"
