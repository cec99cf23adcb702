"""A single file fetched from an address, into a file without a name: it is gone with the program, however that ends.

A connection that breaks is taken up where it broke if the server sends parts and what it has is still the same; else
the file is fetched from its start again.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, NotSupportedError, PreconditionError

from climatejobs.errors import DataError, TemporaryError
from climatejobs.footprints import MIB
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.sources.addresses import Address

if TYPE_CHECKING:
    # Exist for type checkers alone.
    from obstore import GetOptions, GetResult, ObjectMeta

_PIECE_BYTES = MIB
_BEGINNINGS = 3
"""How often a file is fetched from its start."""
SPARED_BYTES = 64 * MIB
"""Left free for what others write to the volume meanwhile: about what an import writes before it records it."""


@dataclass
class Download:
    """A file that is being fetched."""

    address: Address
    file: IO[bytes]
    check: Callable[[bytes], None]
    """Refuses a file by its first bytes."""
    attempt: Attempt
    received: int = field(default=0, init=False)
    _facts: "ObjectMeta | None" = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The checksum of what was received."""
        return self._digest.hexdigest()

    def receive(self) -> None:
        """Fetch all of it; raises `TemporaryError` where the connection breaks again and again."""
        for _ in range(_BEGINNINGS):
            self._begin()
            if self._continue():
                return
        raise TemporaryError(
            f"{self.address.text} breaks off or changes each time it is fetched, and cannot be taken up where it broke",
            hint="Try again later, or fetch it by other means and import the file.",
        )

    def _begin(self) -> None:
        self.received, self._facts, self._digest = 0, None, hashlib.sha256()
        self.file.seek(0)
        self.file.truncate()

    def _continue(self) -> bool:
        """Receive from where it broke on, as long as that gets further; whether all of it is there."""
        while True:
            before = self.received
            with self.address.explaining():
                try:
                    answer = obstore.get(self.address.objects, "", options=self._options())
                except (PreconditionError, NotSupportedError):
                    if not self.received:
                        raise
                    return False
            if not self._accept(answer):
                return False
            try:
                self._take(answer)
            except BaseError:
                # Broken off. If nothing has come of it the client has tried again itself for a while.
                if self.received == before or not self._can_be_continued():
                    return False
                self.attempt.progress.note(f"The connection broke after {self.received} bytes; going on from there")
                continue
            return self.received == answer.meta["size"]

    def _options(self) -> "GetOptions":
        if not self.received or self._facts is None:
            return {}
        options: GetOptions = {"range": {"offset": self.received}}
        tag = self._facts["e_tag"]
        if tag and not tag.startswith("W/"):
            options["if_match"] = tag
        return options

    def _accept(self, answer: "GetResult") -> bool:
        """Whether an answer goes on with what has been received."""
        if self._facts is None:
            self._facts = answer.meta
            volume = os.fstatvfs(self.file.fileno())
            check_room(self.address.name, answer.meta["size"], volume.f_bavail * volume.f_frsize)
            self.attempt.progress.begin(f"Fetching {self.address.name}", total=answer.meta["size"], unit="bytes")
            return True
        return answer.range[0] == self.received and answer.meta == self._facts

    def _can_be_continued(self) -> bool:
        return self._facts is not None and (bool(self._facts["e_tag"]) or self._facts["last_modified"].timestamp() > 0)

    def _take(self, answer: "GetResult") -> None:
        for piece in answer.stream(min_chunk_size=_PIECE_BYTES):
            self.attempt.stop.checkpoint()
            content = bytes(piece)
            if not self.received:
                self.check(content)
            self.file.write(content)
            self._digest.update(content)
            self.received += len(content)
            self.attempt.progress.advance(len(content))


def check_room(name: str, size: int, free: int) -> None:
    """Refuse what would fill the volume for everybody else before it breaks off."""
    if size + SPARED_BYTES > free:
        raise TemporaryError(
            f"{name} has {-(-size // MIB)} MiB, and {free // MIB} MiB are free where it is fetched to, "
            f"{SPARED_BYTES // MIB} MiB of which are left to others",
            hint="Free space on that volume, or bring in a part of a Zarr store, which is read where it is.",
        )


def download(address: Address, folder: Path, check: Callable[[bytes], None], attempt: Attempt) -> Download:
    """Fetch what is at an address; the file takes space in the folder, but no name there."""
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - whoever reads it closes it
    fetched = Download(address, file, check, attempt)
    try:
        fetched.receive()
        if not fetched.received:
            raise DataError(f"{address.text} is empty", hint="Check the address.")
        file.flush()
    except BaseException:
        file.close()
        raise
    return fetched
