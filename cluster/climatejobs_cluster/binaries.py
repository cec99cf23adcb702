"""The programs of a node, built from Go modules once and kept in the cache.

What a build depends on is in the name of its folder, so that a new version is built beside the old one and a folder
that is there is complete: builds happen in a folder of another name that is renamed at the end.
"""

import hashlib
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from climatejobs_cluster.commands import run_logged
from climatejobs_cluster.console import Console
from climatejobs_cluster.state import locked
from climatejobs_cluster.toolchain import find_go

NODE_MODULE = Path(__file__).parent.parent / "node"
NODE_PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
)
SMALL = "-s -w"


def kubernetes_version() -> str:
    """The version that go.mod asks for, the one place where it is written."""
    text = (NODE_MODULE / "go.mod").read_text(encoding="utf-8")
    found = re.search(r"^\s+k8s\.io/kubernetes (v\S+)$", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"{NODE_MODULE / 'go.mod'} requires no k8s.io/kubernetes")
    return found[1]


def version_flags(version: str) -> str:
    """What makes the API server report its version instead of v0.0.0."""
    major, minor, _patch = version.removeprefix("v").split(".", 2)
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    settings = [f"-X {package}.{key}={value}" for package in packages for key, value in values.items()]
    return " ".join([SMALL, *settings])


def source_digest(folder: Path = NODE_MODULE) -> str:
    """A short name of exactly these sources."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in {".go", ".mod", ".sum"}:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


@dataclass(frozen=True)
class Build:
    """Something to build: the name of its folder, what to tell people, and Go's arguments for a given folder."""

    name: str
    words: str
    arguments: Callable[[Path], list[str]]
    folder: Path | None = None
    links: tuple[str, ...] = ()


def kubernetes() -> Build:
    version = kubernetes_version()
    return Build(
        name=f"kubernetes-{version}-{source_digest()}-{platform.machine()}",
        words=f"Kubernetes {version} and etcd from source, once: 4 to 8 minutes on two cores",
        arguments=lambda target: [
            "build",
            "-mod=readonly",
            "-trimpath",
            # The state of the checkout has no part in it, and Go refuses to ask git in a folder of another person.
            "-buildvcs=false",
            f"-ldflags={version_flags(version)}",
            "-o",
            str(target / "climatejobs-node"),
            ".",
        ],
        folder=NODE_MODULE,
        links=NODE_PROGRAMS,
    )


def _program(package: str, version: str, minutes: str) -> Build:
    name = package.rsplit("/", 1)[-1]
    return Build(
        name=f"{name}-{version}-{platform.machine()}",
        words=f"{name} {version} from source, once: {minutes}",
        arguments=lambda _target: ["install", "-trimpath", f"-ldflags={SMALL}", f"{package}@{version}"],
    )


HELM = _program("helm.sh/helm/v3/cmd/helm", "v3.22.0", "1 to 2 minutes")
COREDNS = _program("github.com/coredns/coredns", "v1.15.0", "1 to 2 minutes")
KIND = _program("sigs.k8s.io/kind", "v0.33.0", "half a minute")
VERSITYGW = _program("github.com/versity/versitygw/cmd/versitygw", "v1.8.0", "a minute")
"""An object store that speaks S3, for tests."""


def go_environment(environment: Mapping[str, str], target: Path) -> dict[str, str]:
    """Static programs for this machine, whatever the person's own Go settings say; their caches and proxies hold."""
    kept = {key: value for key, value in environment.items() if key not in {"GOFLAGS", "GOOS", "GOARCH"}}
    # `go` keeps its caches below HOME, which not every environment has.
    kept.setdefault("HOME", str(Path.home()))
    settings = {
        "CGO_ENABLED": "0",
        "GOBIN": str(target),
        # Within the folder that is removed in any case, since Go leaves its work folder when it is interrupted.
        "GOTMPDIR": str(target),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    return {**kept, **settings}


def ensure(build: Build, cache: Path, *, environment: Mapping[str, str], console: Console) -> Path:
    """The folder of a build's programs, built now if that has not happened before."""
    home = cache / "bin"
    folder = home / build.name
    if folder.is_dir():
        return folder
    with locked(home / ".lock", console=console, what=f"building (needed here: {build.words})"):
        if folder.is_dir():
            return folder
        for leftover in home.glob(".building-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        go = find_go(cache, environment=environment, console=console)
        console.say(f"building {build.words}")
        begun = time.monotonic()
        temporary = Path(tempfile.mkdtemp(prefix=".building-", dir=home))
        log = home / f"{build.name}.log"
        try:
            run_logged(
                [go, *build.arguments(temporary)],
                log=log,
                environment=go_environment(environment, temporary),
                console=console,
                what=f"building {build.name.split('-')[0]}",
                folder=build.folder,
            )
            for leftover in temporary.glob("go-build*"):
                shutil.rmtree(leftover)
            for link in build.links:
                os.symlink("climatejobs-node", temporary / link)
            temporary.chmod(0o755)
            temporary.rename(folder)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        log.unlink()
        console.say(f"  built in {time.monotonic() - begun:.0f} s")
    return folder
