"""What is in the images as they are built: each part's own programs, and nothing that it must do without."""

import json
import subprocess
import tarfile
from dataclasses import dataclass
from typing import Any, cast

import pytest

from climatejobs_images.parts import PARTS, ROOT

pytestmark = pytest.mark.e2e

MOST_MEGABYTES = {"api": 230, "operator": 250, "runner": 900}
ABSENT = {
    "api": {"climatejobs_operator", "climatejobs_runner", "kopf", "numpy", "xarray"},
    "operator": {"climatejobs_api", "climatejobs_runner", "fastapi", "kubernetes", "numpy"},
    "runner": {"climatejobs_api", "climatejobs_operator", "fastapi", "kopf", "kubernetes"},
}
PRESENT = {
    "api": {"climatejobs", "climatejobs_api", "fastapi", "kubernetes"},
    "operator": {"climatejobs", "climatejobs_operator", "kopf"},
    "runner": {"climatejobs", "climatejobs_runner", "numpy", "zarr"},
}


@dataclass(frozen=True)
class Built:
    """An image, read from its archive."""

    part: str
    bytes: int
    config: dict[str, Any]
    history: str
    files: frozenset[str]

    @property
    def packages(self) -> set[str]:
        """The import packages that the image's Python finds beyond the standard library."""
        found: set[str] = set()
        for file in self.files:
            _, separator, rest = file.partition("/site-packages/")
            if not separator:
                _, separator, rest = file.partition("opt/climatejobs/lib/")
            if separator and "/" in rest:
                found.add(rest.split("/", 1)[0])
        return found


@pytest.fixture(scope="module", params=PARTS)
def image(request: pytest.FixtureRequest) -> Built:
    answer = subprocess.run([ROOT / "images" / "build", "--json"], check=True, capture_output=True, text=True).stdout
    described = cast(dict[str, dict[str, Any]], json.loads(answer))[request.param]
    with tarfile.open(described["archive"]) as archive:

        def read(name: str) -> Any:
            member = archive.extractfile(name)
            assert member is not None
            return json.load(member)

        (manifest,) = read("manifest.json")
        assert manifest["RepoTags"] == [described["reference"]]
        description = read(manifest["Config"])
        files: set[str] = set()
        for name in manifest["Layers"]:
            with tarfile.open(fileobj=archive.extractfile(name)) as layer:
                files |= {member.name.removeprefix("./") for member in layer if not member.isdir()}
    history = " ".join(step.get("created_by", "") for step in description["history"])
    return Built(request.param, described["bytes"], description["config"], history, frozenset(files))


def test_it_is_small(image: Built) -> None:
    assert image.bytes < MOST_MEGABYTES[image.part] * 1e6


def test_it_runs_its_program_under_an_init_as_an_ordinary_user(image: Built) -> None:
    assert image.config["Entrypoint"] == ["catatonit", "--", f"climatejobs-{image.part}"]
    assert image.config["User"] == "10001:10001"
    assert f"opt/climatejobs/bin/climatejobs-{image.part}" in image.files
    assert "usr/bin/catatonit" in image.files


def test_it_holds_what_its_part_needs_and_no_other_part(image: Built) -> None:
    assert PRESENT[image.part] <= image.packages
    assert not ABSENT[image.part] & image.packages


def test_it_holds_no_build_tools(image: Built) -> None:
    assert not {"pip", "setuptools", "uv", "hatchling"} & image.packages
    assert not any(file.startswith(("opt/build/", "run/secrets/")) for file in image.files)


def test_all_of_it_is_compiled(image: Built) -> None:
    sources = {file for file in image.files if file.startswith("opt/") and file.endswith(".py")}
    compiled = {
        file.rsplit("/__pycache__/")[0] + "/" + file.rsplit("/", 1)[1].split(".cpython-")[0] + ".py"
        for file in image.files
        if "/__pycache__/" in file
    }
    assert len(sources) > 100
    assert sources - compiled == set()


def test_nothing_of_the_host_is_left(image: Built) -> None:
    for trace in ("etc/pip.conf", "root/.config/pip/pip.conf", "etc/apt/apt.conf.d/99mmdebstrap"):
        assert trace not in image.files
    assert not any(name.startswith(("PIP_", "SSL_", "http", "HTTP")) for name in image.config["Env"])
    assert "://" not in image.history


def test_it_says_what_it_is(image: Built) -> None:
    labels = image.config["Labels"]
    assert labels["org.opencontainers.image.title"] == f"climatejobs {image.part}"
    assert labels["org.opencontainers.image.version"]
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
