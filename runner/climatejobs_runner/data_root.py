"""The data root: what is read from it, and never anything outside it. Paths are made of checked ids only."""

import re
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from climatejobs import datasets
from climatejobs.datasets import Dataset
from climatejobs.errors import DataError, NoSuchDataset
from climatejobs_runner.folders import FolderStorage
from climatejobs_runner.storage import Place, Storage

BUCKET = "s3://"
"""How the address of a data root in a bucket begins."""
_LISTED = 10


class DataRoot:
    """Data sets and results, in a folder or in a bucket."""

    def __init__(self, root: Path | str) -> None:
        self.storage: Storage = _open_storage(str(root))

    def place(self, relative: PurePosixPath) -> Place:
        """Where something below the root is; raises `DataError` if a symbolic link is in the way."""
        return self.storage.place(relative)

    def store(self, dataset: Dataset) -> Place:
        """Where a data set's store is; raises `DataError` if it is not there, or a symbolic link in the way."""
        relative = datasets.store_path(dataset.id, dataset.version)
        self.storage.check_store(relative)
        return self.place(relative)

    def read_dataset(self, dataset_id: str) -> Dataset:
        """The data set of that id at its current version.

        Raises `NoSuchDataset` naming some that there are, and `DataError` where the pointer cannot be read.
        """
        relative = datasets.pointer_path(dataset_id)
        try:
            text = self.storage.read(relative)
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
        return [
            name
            for name in self.storage.folders(PurePosixPath("datasets"))
            if re.fullmatch(datasets.DATASET_ID[1:-1], name) and self.storage.exists(datasets.pointer_path(name))
        ]

    def versions(self, dataset_id: str) -> list[str]:
        """Published versions of a data set, the newest last."""
        found = [
            (entry.modified, entry.name.removesuffix(".zarr"))
            for entry in self.storage.published(datasets.versions_path(dataset_id))
        ]
        return [version for _, version in sorted(found) if re.fullmatch(datasets.VERSION[1:-1], version)]

    def _known(self) -> str:
        ids = self.dataset_ids()
        if not ids:
            return "The data root holds no data set yet; climatejobs-runner import brings one in."
        more = f" and {len(ids) - _LISTED} more" if len(ids) > _LISTED else ""
        return f"Data sets are: {', '.join(ids[:_LISTED])}{more}."


def _open_storage(root: str) -> Storage:
    if not root.startswith(BUCKET):
        return FolderStorage(Path(root))
    from climatejobs_runner.buckets import (  # noqa: PLC0415 - brings the client, which a folder does without
        BucketStorage,
    )

    return BucketStorage(root.removeprefix(BUCKET))
