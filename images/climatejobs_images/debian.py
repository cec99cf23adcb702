"""The base of images that are built without a registry: a small Debian with Python, from the host's own mirror.

What is specific to the host (its mirror, its apt settings) is used while packages are fetched, and is not in the base.
"""

import hashlib
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

from climatejobs_cluster.commands import capture, run_logged
from climatejobs_images.engine import Workplace

SUITE = "trixie"
PACKAGES = ("ca-certificates", "catatonit", "libstdc++6", "python3", "python3-venv")
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*")
KEPT = ("/usr/share/doc/*/copyright",)
RECIPE = (
    # No apt either: it would be of no use without a writable root.
    "--variant=essential",
    f"--include={','.join(PACKAGES)}",
    *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
    *(f"--dpkgopt=path-include={pattern}" for pattern in KEPT),
    '--customize-hook=rm "$1"/etc/apt/apt.conf.d/99mmdebstrap && : >"$1"/etc/apt/sources.list',
)
NEEDED = ("buildah", "debian-archive-keyring", "gpg", "mmdebstrap")
"""Debian packages for building on the host."""


def key() -> str:
    """Names the base: what is in it, not when it was made."""
    return hashlib.sha256("\0".join((SUITE, platform.machine(), *RECIPE)).encode()).hexdigest()[:12]


def write_root(target: Path, workplace: Workplace) -> None:
    """Write the base's root file system as a tar archive."""
    settings = target.with_name("apt.conf")
    settings.write_text(
        capture(["apt-config", "dump", "--format", '%F "%v";%n', "Acquire"], environment=workplace.environment),
        encoding="utf-8",
    )
    run_logged(
        ["mmdebstrap", *RECIPE, f"--aptopt={settings}", SUITE, str(target), *_sources(workplace.environment)],
        log=workplace.log("base"),
        environment=workplace.environment,
        console=workplace.console,
        what="making the base image",
    )
    settings.unlink()


def _sources(environment: Mapping[str, str]) -> list[str]:
    release = Path("/etc/os-release")
    facts = dict(line.split("=", 1) for line in release.read_text(encoding="utf-8").splitlines() if "=" in line)
    if facts.get("ID") != "debian":
        return []
    targets = subprocess.run(
        ["apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    ).stdout
    return sources(targets, facts.get("VERSION_CODENAME", ""))


def sources(targets: str, codename: str) -> list[str]:
    """The host's own Debian mirrors, as sources for our suite; none where mmdebstrap's default is to be used. Pure.

    `targets` has one line of address, release and component for each index that the host's apt reads; `codename` is
    the host's release.
    """
    found: dict[str, None] = {}
    for line in targets.splitlines():
        address, release, component = line.split()
        if component == "main" and release in {codename, f"{codename}-updates", f"{codename}-security"}:
            found[f"deb {address} {SUITE}{release.removeprefix(codename)} main"] = None
    return list(found)
