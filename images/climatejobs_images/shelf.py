"""The folder of the cache where built images lie as archives, each with a record that is written last."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from climatejobs_images.parts import Part

KEPT = 2
"""Archives of one part: the present one and the one before, which another checkout may be about to load."""


@dataclass(frozen=True)
class Image:
    """A built image: its name, the archive that holds it, and its size unpacked."""

    reference: str
    archive: str
    bytes: int


@dataclass(frozen=True)
class Shelf:
    """Finds, adds and forgets images."""

    folder: Path

    def archive(self, part: Part) -> Path:
        """Where a part's archive lies, or is to be written."""
        return self._file(part.reference, ".tar")

    def find(self, part: Part) -> Image | None:
        """The image of exactly this name, if it was built."""
        try:
            image = Image(**json.loads(self._file(part.reference, ".json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        return image if Path(image.archive).is_file() else None

    def add(self, part: Part) -> Image:
        """Record that a part's archive is complete."""
        archive = self.archive(part)
        # The archive holds the layers as they are, so its size is that of the image on a node's disk.
        image = Image(part.reference, str(archive), archive.stat().st_size)
        record = self._file(part.reference, ".json")
        partial = record.with_name(record.name + ".partial")
        partial.write_text(json.dumps(asdict(image)), encoding="utf-8")
        partial.rename(record)
        return image

    def forget_old(self, part: Part) -> list[str]:
        """Remove all but the latest archives of a part, and unfinished ones; the names of the images that are gone."""
        records = list(self.folder.glob(f"{part.name}-*.json"))
        records.sort(key=lambda record: record.stat().st_mtime, reverse=True)
        gone: list[str] = []
        for record in records[KEPT:]:
            image = Image(**json.loads(record.read_text(encoding="utf-8")))
            record.unlink()
            Path(image.archive).unlink(missing_ok=True)
            gone.append(image.reference)
        for archive in self.folder.glob(f"{part.name}-*.tar"):
            if not archive.with_suffix(".json").exists():
                archive.unlink()
        return gone

    def _file(self, reference: str, suffix: str) -> Path:
        return self.folder / (reference.rsplit("/", 1)[-1].replace(":", "-") + suffix)
