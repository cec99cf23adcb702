"""What is generated from the code and committed is up to date."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("generator", "files", "folder", "command"),
    [
        ("tools/crd.py", "TEMPLATE_FILES", "charts/climatejobs/templates", "make crd"),
        ("tools/reference.py", "PAGES", "docs/reference", "make reference"),
    ],
)
def test_generated_files_are_up_to_date(generator: str, files: str, folder: str, command: str) -> None:
    renderers = cast(dict[str, Callable[[], str]], runpy.run_path(str(ROOT / generator))[files])
    for name, render in renderers.items():
        assert (ROOT / folder / name).read_text(encoding="utf-8") == render(), f"run `{command}`: {name} is stale"
