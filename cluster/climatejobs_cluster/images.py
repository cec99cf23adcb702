"""Container images as files: what a node needs before it can run any pod, and how images get into it."""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from climatejobs_cluster.errors import ClusterError
from climatejobs_cluster.layout import PAUSE_IMAGE

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write_archive(target: Path, *, name: str, programs: Mapping[str, Path], entrypoint: Sequence[str]) -> None:
    """A Docker archive of an image that holds static programs, by their paths in it, and nothing else."""
    layer = _tar([(path.lstrip("/"), program.read_bytes(), 0o755) for path, program in programs.items()])
    configuration = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Entrypoint": list(entrypoint), "User": "65532:65532"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    target.write_bytes(
        _tar(
            [
                ("config.json", json.dumps(configuration).encode(), 0o644),
                ("layer.tar", layer, 0o644),
                ("manifest.json", json.dumps(manifest).encode(), 0o644),
            ]
        )
    )


def write_pause_archive(target: Path, init: Path) -> None:
    """The image that holds the namespaces of a pod: an init that waits for ever."""
    write_archive(target, name=PAUSE_IMAGE, programs={"/pause": init}, entrypoint=("/pause", "-P"))


def _tar(files: Sequence[tuple[str, bytes, int]]) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name, content, mode in files:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return output.getvalue()


def is_archive(image: str) -> bool:
    """Whether what a person names is a file, or an image in the store of the program that built it."""
    path = Path(image)
    if path.is_file():
        return True
    if image.startswith(("/", "./", "../")) or image.endswith(".tar"):
        raise ClusterError(f"There is no image archive `{image}`.")
    return False


def imported_names(output: str) -> list[str]:
    """The image names in what `ctr images import` says. Pure."""
    names: list[str] = []
    for line in output.splitlines():
        if line.startswith("unpacking "):
            names.append(line.split()[1])
    return names
