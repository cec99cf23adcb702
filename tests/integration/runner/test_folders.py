"""What a folder promises: that all of a store has reached the disk before it gets its name, and that others may remove
what is theirs at any time.
"""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import pytest

from climatejobs_runner.folders import FolderStorage
from climatejobs_runner.storage import Entry

STORE = PurePosixPath("stores/one.zarr")
NAMES = {"zarr.json": 1, "t2m/zarr.json": 1, **{f"t2m/c/{number}/0/0": 1 for number in range(20)}}


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    """A folder with a store of 22 files in 43 folders, the store's own among them."""
    for name in NAMES:
        file = tmp_path / STORE / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    return FolderStorage(tmp_path)


def test_every_file_and_every_folder_is_synced(
    storage: FolderStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    beats: list[None] = []
    storage.settle(STORE, NAMES, lambda: beats.append(None))
    expected = {str(path) for path in (tmp_path / STORE).rglob("*")} | {str(tmp_path / STORE)}
    assert set(synced) == expected
    assert len(synced) == len(beats) == len(expected)


def test_a_file_that_is_gone_is_no_success(storage: FolderStorage, tmp_path: Path) -> None:
    (tmp_path / STORE / "t2m/c/13/0/0").unlink()
    with pytest.raises(FileNotFoundError, match="t2m/c/13/0/0"):
        storage.settle(STORE, NAMES, lambda: None)


def test_a_disk_that_fails_is_no_success(
    storage: FolderStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = str(tmp_path / STORE / "t2m/c/7/0/0")
    fsync = os.fsync

    def fail(descriptor: int) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}") == broken:
            raise OSError(5, "Input/output error", broken)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        storage.publish(STORE, PurePosixPath("stores/two.zarr"), lambda: None)
    assert not (tmp_path / "stores" / "two.zarr").exists()


@pytest.mark.parametrize("look", [FolderStorage.files, FolderStorage.published])
def test_what_others_remove_while_it_lists_is_not_there(
    look: Callable[[FolderStorage, PurePosixPath], list[Entry]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    @contextmanager
    def lose_one(folder: Path) -> Generator[Iterator[os.DirEntry[str]]]:
        with scandir(folder) as entries:
            found = list(entries)
        (folder / "one").unlink()
        (folder / "one.zarr").rmdir()
        yield iter(found)

    for number in ("one", "two"):
        (tmp_path / number).write_text("x")
        (tmp_path / f"{number}.zarr").mkdir()
    storage = FolderStorage(tmp_path)
    monkeypatch.setattr(os, "scandir", lose_one)
    assert [entry.name.removesuffix(".zarr") for entry in look(storage, PurePosixPath())] == ["two"]
