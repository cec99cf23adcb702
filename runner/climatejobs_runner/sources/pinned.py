"""A Zarr store behind an address, as it was when it was first seen: whatever has changed since is refused.

Every object that is read has a stamp: what the server says of its version, or the checksum of its content where it says
nothing. A chunk that is not there has one too. The stamps of all that will be read identify the source.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING

import obstore
import zarr
from obstore.store import HTTPStore, S3Store
from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import ObjectStore

from climatejobs.errors import DataError
from climatejobs_runner.sources.addresses import Address
from climatejobs_runner.sources.documents import NAMES, Documents, list_names

if TYPE_CHECKING:
    # Exist for type checkers alone.
    from obstore import GetOptions, ObjectMeta

_ABSENT = "absent"


class PinnedStore(ObjectStore[S3Store | HTTPStore]):
    """The store, with documents that have been read already."""

    def __init__(self, address: Address, documents: Documents) -> None:
        super().__init__(address.objects, read_only=True)
        self._address = address
        self._documents = documents
        self._stamps: dict[str, str] = {}

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """An object or a part of it; None where there is none. Raises `DataError` where it is another one by now."""
        if key.rpartition("/")[2] in NAMES:
            return prototype.buffer.from_bytes(self._documents[key]) if key in self._documents else None
        with self._address.explaining():
            try:
                answer = await obstore.get_async(self.store, key, options=_options(byte_range))
                content = await answer.bytes_async()
            except FileNotFoundError:
                self._pin(key, _ABSENT)
                return None
        known = self._stamps.get(key, "")
        if byte_range is None or _says_version(answer.meta):
            self._pin(key, _stamp(answer.meta, bytes(content) if not _says_version(answer.meta) else b""))
        elif known and not known.endswith(f" {answer.meta['size']}"):
            self._pin(key, "")
        return prototype.buffer.from_bytes(memoryview(content))

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Parts of objects, some at a time."""
        limit = asyncio.Semaphore(zarr.config.get("async.concurrency"))

        async def part(key: str, byte_range: ByteRequest | None) -> Buffer | None:
            async with limit:
                return await self.get(key, prototype, byte_range)

        return await asyncio.gather(*(part(key, byte_range) for key, byte_range in key_ranges))

    async def list_dir(self, prefix: str) -> AsyncGenerator[str, None]:
        """What is known to be directly below a prefix."""
        for name in list_names(self._documents, prefix):
            yield name

    def stamp(self, key: str) -> str:
        """What tells an object from others of its name, asked of the server unless it is known."""
        if key not in self._stamps:
            self._pin(key, self._look(key))
        return self._stamps[key]

    def _look(self, key: str) -> str:
        with self._address.explaining():
            try:
                facts = obstore.head(self.store, key)
                if _says_version(facts):
                    return _stamp(facts, b"")
                answer = obstore.get(self.store, key)
                return _stamp(answer.meta, bytes(answer.bytes()))
            except FileNotFoundError:
                return _ABSENT

    def _pin(self, key: str, stamp: str) -> None:
        if self._stamps.setdefault(key, stamp) != stamp:
            raise DataError(f"{key} of {self._address.text} has changed while it was read", hint="Import it again.")


def _options(byte_range: ByteRequest | None) -> "GetOptions":
    if isinstance(byte_range, RangeByteRequest):
        return {"range": (byte_range.start, byte_range.end)}
    if isinstance(byte_range, OffsetByteRequest):
        return {"range": {"offset": byte_range.offset}}
    if isinstance(byte_range, SuffixByteRequest):
        return {"range": {"suffix": byte_range.suffix}}
    return {}


def _says_version(facts: "ObjectMeta") -> bool:
    """Whether a server says which version of an object it has: by a tag, or by the time of its last change."""
    return bool(facts["e_tag"]) or facts["last_modified"].timestamp() > 0


def _stamp(facts: "ObjectMeta", content: bytes) -> str:
    if facts["e_tag"]:
        version = facts["e_tag"]
    elif _says_version(facts):
        version = facts["last_modified"].isoformat()
    else:
        version = hashlib.sha256(content).hexdigest()
    return f"{version} {facts['size']}"
