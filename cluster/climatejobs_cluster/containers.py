"""The container runtime of a local node: images are brought into it here, and nothing else is asked of it."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from climatejobs_cluster import images
from climatejobs_cluster.commands import capture
from climatejobs_cluster.errors import ClusterError
from climatejobs_cluster.requirements import find

CTR = ("ctr", "--namespace", "k8s.io", "images")


def import_archive(enter: Sequence[str], archive: Path) -> list[str]:
    """Imports an archive into the node that `enter` leads into, and gives the names of its images."""
    with archive.open("rb") as file:
        # Given as a stream, because the file may lie where the node has something else.
        names = images.imported_names(capture([*enter, *CTR, "import", "-"], source=file))
    listed = capture([*enter, *CTR, "list", "--quiet"]).split()
    if not names or not set(names) <= set(listed):
        raise ClusterError(
            f"`{archive}` was read, but the node has no new image.",
            hint="The archive must name its image: `buildah push IMAGE oci-archive:FILE:IMAGE`.",
        )
    return names


def import_built(enter: Sequence[str], image: str) -> list[str]:
    """Imports an image from the store of buildah, which built it."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "image.tar"
        capture(["buildah", "push", "--quiet", image, f"oci-archive:{archive}:{image}"])
        return import_archive(enter, archive)


def import_pause_image(enter: Sequence[str], folder: Path) -> None:
    """What every pod begins with."""
    init = find("catatonit")
    if init is None:
        raise ClusterError("`catatonit` is needed and is not there.")
    archive = folder / "pause.tar"
    images.write_pause_archive(archive, Path(init))
    import_archive(enter, archive)
    archive.unlink()
