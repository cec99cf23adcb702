"""The name of an image says what is in it: it changes with its sources, and with nothing else."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from climatejobs_images.parts import BUILD_STEPS, PARTS, ROOT, layers_key, parts, source_files, version_of


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of everything that images are made of."""
    names = {*BUILD_STEPS, "pyproject.toml"}
    for part in PARTS:
        names |= {str(path.relative_to(ROOT)) for path in source_files(part)}
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / name)
    return tmp_path


def references(checkout: Path, base: str = "debian") -> dict[str, str]:
    return {part.name: part.reference for part in parts(base, checkout)}


def changed(checkout: Path, change: Callable[[], object]) -> set[str]:
    """The parts that get a new name by a change."""
    before = references(checkout)
    change()
    after = references(checkout)
    return {part for part in PARTS if before[part] != after[part]}


def append(path: Path) -> Callable[[], object]:
    return lambda: path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")


def test_the_same_sources_give_the_same_names_anywhere(checkout: Path) -> None:
    again = checkout.with_name("elsewhere")
    shutil.copytree(checkout, again)
    assert references(checkout) == references(again)


def test_a_name_holds_part_and_version(checkout: Path) -> None:
    assert references(checkout)["runner"].startswith(f"localhost/climatejobs/runner:{version_of(checkout)}-")


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_alone_in_its_image(checkout: Path, part: str) -> None:
    assert changed(checkout, append(checkout / part / f"climatejobs_{part}" / "__init__.py")) == {part}
    assert changed(checkout, append(checkout / f"requirements/{part}.txt")) == {part}


@pytest.mark.parametrize("name", ["core/climatejobs/names.py", *BUILD_STEPS])
def test_what_all_share_changes_all(checkout: Path, name: str) -> None:
    assert changed(checkout, append(checkout / name)) == set(PARTS)


def test_a_new_file_a_renamed_file_and_a_mode_count(checkout: Path) -> None:
    package = checkout / "runner" / "climatejobs_runner"
    assert changed(checkout, (package / "new.py").touch) == {"runner"}
    assert changed(checkout, lambda: (package / "new.py").rename(package / "other.py")) == {"runner"}
    assert changed(checkout, lambda: (package / "other.py").chmod(0o755)) == {"runner"}


def test_times_and_bytecode_do_not_count(checkout: Path) -> None:
    cache = checkout / "core" / "climatejobs" / "__pycache__"

    def compile_and_touch() -> None:
        cache.mkdir()
        (cache / "names.cpython-313.pyc").write_bytes(b"x")
        (checkout / "core/climatejobs/names.py").touch()

    assert changed(checkout, compile_and_touch) == set()


def test_another_base_gives_other_names(checkout: Path) -> None:
    debian, docker = references(checkout, "debian"), references(checkout, "docker")
    assert not set(debian.values()) & set(docker.values())


def test_layers_below_our_sources_outlive_a_change_of_them(checkout: Path) -> None:
    before = layers_key("debian", checkout)
    append(checkout / "core/climatejobs/names.py")()
    assert layers_key("debian", checkout) == before
    append(checkout / "requirements/api.txt")()
    assert layers_key("debian", checkout) != before
