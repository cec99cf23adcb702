"""The shape of the tree that everything else relies on."""

import importlib.util
import operator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("folder", ["api", "operator", "runner", "core", "client"])
def test_part_folders_are_no_packages(folder: str) -> None:
    assert not (ROOT / folder / "__init__.py").exists(), f"{folder}/__init__.py would shadow other modules"


def test_operator_is_the_standard_library_s() -> None:
    assert operator.itemgetter(1)("ab") == "b"
    spec = importlib.util.find_spec("operator")
    assert spec is not None
    assert spec.origin is not None
    assert not spec.origin.startswith(str(ROOT / "operator"))


def test_requirement_files_are_hashed_and_name_no_index() -> None:
    files = sorted((ROOT / "requirements").glob("*.txt"))
    assert files
    for file in files:
        text = file.read_text()
        assert "--hash=sha256:" in text, file
        assert "://" not in text, file
