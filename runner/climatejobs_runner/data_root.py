"""The data root as a place on disk: what is read from it, and never anything outside it.

Paths are made of checked ids only, and no symbolic link below the root is followed.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from climatejobs import datasets
from climatejobs.datasets import Dataset
from climatejobs.errors import DataError, NoSuchDataset

_LISTED = 10


class DataRoot:
    """A folder that holds data sets and results."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise DataError(
                f"there is no data root at {path}",
                hint="Name the folder that holds the data sets, or check that the volume is mounted.",
            )
        self.path = path.resolve()

    def place(self, relative: PurePosixPath) -> Path:
        """The absolute path of something below the root; raises `DataError` if a symbolic link is in the way."""
        path = self.path
        for part in relative.parts:
            path = path / part
            if path.is_symlink():
                raise DataError(
                    f"{relative} leads through a symbolic link, which is not followed",
                    hint="Store the data themselves below the data root.",
                )
        return path

    def store(self, dataset: Dataset) -> Path:
        """The absolute path of a data set's store; raises `DataError` if a symbolic link is anywhere in it."""
        relative = datasets.store_path(dataset.id, dataset.version)
        path = self.place(relative)
        if not path.is_dir():
            raise DataError(f"there is no {relative}", hint="Import or compute the data set again.")
        if link := next(_links(path), None):
            raise DataError(
                f"{link.relative_to(self.path)} is a symbolic link, which is not followed",
                hint="Store the data themselves below the data root.",
            )
        return path

    def read_dataset(self, dataset_id: str) -> Dataset:
        """The data set of that id at its current version.

        Raises `NoSuchDataset` naming some that there are, and `DataError` where the pointer cannot be read.
        """
        relative = datasets.pointer_path(dataset_id)
        try:
            text = self.place(relative).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise NoSuchDataset(f"there is no data set {dataset_id!r}", hint=self._known()) from None
        try:
            dataset = Dataset.model_validate_json(text)
        except ValidationError as error:
            raise DataError(f"{relative} is not a description of a data set: {error}") from None
        if dataset.id != dataset_id:
            raise DataError(f"{relative} describes another data set, {dataset.id!r}")
        return dataset

    def dataset_ids(self) -> list[str]:
        """Ids of the data sets there are, in order."""
        folder = self.path / "datasets"
        if not folder.is_dir():
            return []
        return sorted(entry.parent.name for entry in folder.glob("*/dataset.json"))

    def versions(self, dataset_id: str) -> list[str]:
        """Published versions of a data set, the newest last."""
        folder = self.place(datasets.versions_path(dataset_id))
        found = [
            (entry.stat().st_mtime_ns, entry.name.removesuffix(".zarr"))
            for entry in folder.glob("*.zarr")
            if not entry.is_symlink() and re.fullmatch(datasets.VERSION[1:-1], entry.name.removesuffix(".zarr"))
        ]
        return [version for _, version in sorted(found)]

    def _known(self) -> str:
        ids = self.dataset_ids()
        if not ids:
            return "The data root holds no data set yet; climatejobs-runner import brings one in."
        more = f" and {len(ids) - _LISTED} more" if len(ids) > _LISTED else ""
        return f"Data sets are: {', '.join(ids[:_LISTED])}{more}."


def _links(folder: Path) -> Iterator[Path]:
    """Symbolic links below a folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                yield Path(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                yield from _links(Path(entry.path))
