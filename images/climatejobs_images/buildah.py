"""Images built by buildah, where there is no Docker: as root, without a daemon, in folders of the cache alone.

All mounts are made in a mount namespace of this process, so however it ends, the kernel takes them away.
"""

import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from climatejobs_cluster.commands import run_logged
from climatejobs_cluster.errors import ClusterError
from climatejobs_cluster.interrupts import without_interruption
from climatejobs_cluster.mounts import MS_REC, mount
from climatejobs_images import debian
from climatejobs_images.engine import Session, Workplace, build_arguments, write_secrets
from climatejobs_images.parts import REPOSITORY, ROOT, Part, layers_key

INSTALLER = ROOT / "tools" / "debian-packages"
MS_PRIVATE = 1 << 18
STORES_KEPT = 2
"""Layer stores: the present one, and one for a checkout with other dependencies."""


class BuildahEngine:
    """Builds on a base of Debian packages."""

    base = debian.key()

    @contextmanager
    def session(self, workplace: Workplace) -> Generator[Session]:
        if os.geteuid() != 0:
            raise ClusterError(
                "Building images without Docker needs root.", hint="Run this as root, or install and start Docker."
            )
        run_logged(
            [str(INSTALLER), *debian.NEEDED],
            log=workplace.log("packages"),
            environment=workplace.environment,
            console=workplace.console,
            what="installing Debian packages",
        )
        os.unshare(os.CLONE_NEWNS)
        mount("none", Path("/"), flags=MS_REC | MS_PRIVATE)
        for left in workplace.folder.glob(".work-*"):
            shutil.rmtree(left, ignore_errors=True)
        root_archive = _ensure_root_archive(workplace, self.base)
        with TemporaryDirectory(prefix=".work-", dir=workplace.folder) as folder:
            secrets = write_secrets(Path(folder), workplace.environment)
            session = BuildahSession(workplace, Path(folder), layers_key(self.base), secrets)
            session.open(root_archive)
            try:
                yield session
            finally:
                with without_interruption():
                    session.close()
        _forget_stores(workplace.folder)


@dataclass(frozen=True)
class BuildahSession:
    """Builds with `buildah build`, in a store of layers.

    The store's name says what the layers come from, because buildah itself notices less than that.
    """

    workplace: Workplace
    folder: Path
    """For this session alone."""
    key: str
    secrets: list[str]

    @property
    def base(self) -> str:
        """The image that all others stand on; there is one to a store."""
        return f"{REPOSITORY}/base:{self.key}"

    def open(self, root_archive: Path) -> None:
        """Make the store ready, with the base image in it."""
        for name in ("run", "tmp", "base"):
            (self.folder / name).mkdir()
        # What buildah notes here holds for the mounts of one session.
        mount("tmpfs", self.folder / "run", kind="tmpfs")
        self._remove_containers()
        os.utime(self._store, None)
        if self._ask("inspect", "--type", "image", self.base):
            return
        context = self.folder / "base"
        os.link(root_archive, context / "root.tar")
        (context / "Dockerfile").write_text('FROM scratch\nADD root.tar /\nCMD ["python3"]\n', encoding="utf-8")
        self._run("base-image", "importing the base image", "build", "--tag", self.base, str(context))

    def build(self, part: Part, archive: Path) -> None:
        options = ("--layers", "--pull-never", "--isolation", "chroot", "--build-arg", f"BASE_IMAGE={self.base}")
        arguments = build_arguments(part, self.secrets)
        self._run(part.name, f"building the {part.name} image", "build", *options, *arguments)
        # Not compressed: written and read in half the time, and it lies here only to be loaded into a node.
        target = f"docker-archive:{archive}:{part.reference}"
        self._run(f"{part.name}-archive", f"writing the {part.name} image", "push", "--quiet", part.reference, target)

    def forget(self, reference: str) -> None:
        self._ask("rmi", reference)

    def close(self) -> None:
        """Remove what an interrupted build leaves in the store."""
        self._remove_containers()
        subprocess.run(["umount", "--recursive", str(self.folder / "run")], check=False, capture_output=True)

    @property
    def _store(self) -> Path:
        store = self.workplace.folder / f"store-{self.key}"
        store.mkdir(exist_ok=True)
        return store

    def _remove_containers(self) -> None:
        self._ask("rm", "--all")

    def _command(self, *words: str) -> list[str]:
        driver = "overlay" if self._overlay_works() else "vfs"
        places = ("--root", str(self._store), "--runroot", str(self.folder / "run"))
        return ["buildah", *places, "--storage-driver", driver, *words]

    def _overlay_works(self) -> bool:
        """Whether layers can lie on each other here; not where the cache itself lies on an overlay."""
        trial = self.folder / "trial"
        paths = {name: trial / name for name in ("lowerdir", "upperdir", "workdir", "merged")}
        for path in paths.values():
            path.mkdir(parents=True, exist_ok=True)
        merged = paths.pop("merged")
        try:
            mount("overlay", merged, kind="overlay", options=",".join(f"{name}={path}" for name, path in paths.items()))
        except OSError:
            return False
        subprocess.run(["umount", str(merged)], check=True)
        return True

    @property
    def _environment(self) -> dict[str, str]:
        kept = {name: text for name, text in self.workplace.environment.items() if not name.startswith("STORAGE_")}
        return {**kept, "TMPDIR": str(self.folder / "tmp")}

    def _ask(self, *words: str) -> bool:
        command = self._command(*words)
        return subprocess.run(command, check=False, capture_output=True, env=self._environment).returncode == 0

    def _run(self, log: str, what: str, *words: str) -> None:
        run_logged(
            self._command(*words),
            log=self.workplace.log(log),
            environment=self._environment,
            console=self.workplace.console,
            what=what,
        )


def _ensure_root_archive(workplace: Workplace, key: str) -> Path:
    archive = workplace.folder / f"base-{key}.tar"
    if not archive.exists():
        workplace.console.say(f"making the base image from Debian packages ({debian.SUITE}), once: half a minute")
        partial = archive.with_name("base.partial.tar")
        partial.unlink(missing_ok=True)
        debian.write_root(partial, workplace)
        partial.rename(archive)
    return archive


def _forget_stores(folder: Path) -> None:
    stores = sorted(folder.glob("store-*"), key=lambda store: store.stat().st_mtime, reverse=True)
    for store in stores[STORES_KEPT:]:
        shutil.rmtree(store, ignore_errors=True)
