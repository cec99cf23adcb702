"""The three images, and the name that each has for its present content.

The tag says what went into an image. So a changed source gives a new tag, a cluster never runs an old image under the
name of a new one, and an image whose name is there already need not be built.
"""

import hashlib
import platform
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("api", "operator", "runner")
REPOSITORY = "localhost/climatejobs"
"""`localhost` keeps every engine from looking for the image in a registry."""
BUILD_STEPS = ("Dockerfile", ".dockerignore", "images/install", "images/assemble")


@dataclass(frozen=True)
class Part:
    """One image: its part of the project, and its full name."""

    name: str
    version: str
    reference: str


def version_of(root: Path = ROOT) -> str:
    """The project's version."""
    return str(tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def parts(base: str, root: Path = ROOT) -> list[Part]:
    """The images to be built from the sources as they are; `base` names what they stand on."""
    version = version_of(root)
    return [
        Part(name, version, f"{REPOSITORY}/{name}:{version}-{digest((version, base), root, source_files(name, root))}")
        for name in PARTS
    ]


def layers_key(base: str, root: Path = ROOT) -> str:
    """Names everything that layers below our own sources come from."""
    files = [root / name for name in (*BUILD_STEPS, *(f"requirements/{part}.txt" for part in PARTS))]
    return digest((version_of(root), base), root, files)


def source_files(part: str, root: Path = ROOT) -> list[Path]:
    """The files that make up an image."""
    named = [root / name for name in (*BUILD_STEPS, f"requirements/{part}.txt")]
    packages = (root / "core" / "climatejobs", root / part / f"climatejobs_{part}")
    found = (path for package in packages for path in package.rglob("*") if path.is_file())
    return [*named, *(path for path in found if path.suffix != ".pyc")]


def digest(words: Iterable[str], root: Path, files: Iterable[Path]) -> str:
    """12 hexadecimal digits that stand for these words and for name, mode and content of these files."""
    whole = hashlib.sha256("\0".join((*words, platform.machine())).encode())
    for path in sorted(files):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        executable = bool(path.stat().st_mode & 0o100)
        whole.update(f"\0{path.relative_to(root)}\0{executable}\0{content}".encode())
    return whole.hexdigest()[:12]
