"""The data sets below the data root: their pointers, read as they lie. The data themselves are never opened."""

from pathlib import PurePosixPath

from pydantic import ValidationError

from climatejobs.datasets import Dataset, pointer_path
from climatejobs.errors import DataError, InvalidInput, NoSuchDataset
from climatejobs.ogc.documents import Document, Link
from climatejobs.ogc.links import JSON, Links
from climatejobs_api.files import DataRoot, exists_below, list_below, read_below


class DatasetPage(Dataset):
    """A data set, and where it is found."""

    links: tuple[Link, ...]


class DatasetList(Document):
    """A page of data sets, by id."""

    datasets: tuple[DatasetPage, ...]
    links: tuple[Link, ...]


def read_dataset(root: DataRoot, dataset_id: str) -> Dataset:
    """The pointer of a data set; raises `NoSuchDataset`, or `DataError` where it cannot be read."""
    try:
        text = read_below(root, pointer_path(dataset_id))
    except InvalidInput as error:
        raise NoSuchDataset(f"there is no data set {dataset_id!r}", hint=error.hint) from None
    except FileNotFoundError:
        raise NoSuchDataset(f"there is no data set {dataset_id!r}", hint="GET /datasets lists them.") from None
    try:
        dataset = Dataset.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataError(
            f"dataset.json of {dataset_id} cannot be read: {place or 'the whole'}: {first['msg']}",
            hint="Import the data set again, or restore dataset.json.",
        ) from None
    if dataset.id != dataset_id:
        raise DataError(f"dataset.json in the folder {dataset_id} is that of {dataset.id}")
    return dataset


def list_ids(root: DataRoot) -> list[str]:
    """Ids of all data sets, sorted; empty where the data root holds none yet."""
    try:
        names = list_below(root, PurePosixPath("datasets"))
    except FileNotFoundError:
        return []
    return [name.removesuffix("/") for name in names if name.endswith("/") and _is_dataset(root, name[:-1])]


def describe_dataset(dataset: Dataset, links: Links) -> DatasetPage:
    """The data set as it is answered."""
    own = Link(href=links.dataset(dataset.id), rel="self", type=JSON, title=dataset.title)
    _description, *stores = links.of_dataset(dataset.id, dataset.version)
    return DatasetPage(**dataset.model_dump(), links=(own, *stores))


def _is_dataset(root: DataRoot, name: str) -> bool:
    try:
        return exists_below(root, pointer_path(name))
    except InvalidInput:
        return False
