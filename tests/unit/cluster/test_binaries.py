"""What is built, under which name, with which compiler."""

import io
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from climatejobs_cluster import binaries, toolchain
from climatejobs_cluster.console import Console
from climatejobs_cluster.errors import ClusterError, Interrupted
from climatejobs_cluster.processes import end, find_by_words

QUIET = Console(io.StringIO())


@pytest.mark.parametrize(
    ("words", "enough"),
    [
        ("go version go1.26.8 linux/amd64", True),
        ("go version go1.27rc1 linux/amd64", True),
        ("go version go1.30.0 linux/arm64", True),
        ("go version go1.25.9 linux/amd64", False),
        ("go version devel", False),
        ("", False),
    ],
)
def test_whether_a_compiler_is_new_enough(words: str, enough: bool):
    assert toolchain.is_new_enough(words) is enough


def test_the_version_is_built_in():
    flags = binaries.version_flags("v1.35.4")
    assert "-X k8s.io/component-base/version.gitVersion=v1.35.4" in flags
    assert "-X k8s.io/component-base/version.gitMinor=35" in flags


def test_the_version_has_one_source():
    assert binaries.kubernetes_version().startswith("v1.")
    assert binaries.kubernetes_version() in binaries.kubernetes().name


def test_other_sources_are_another_build(tmp_path: Path):
    for name in ("go.mod", "go.sum", "main.go"):
        (tmp_path / name).write_text("a", encoding="utf-8")
    before = binaries.source_digest(tmp_path)
    (tmp_path / "main.go").write_text("b", encoding="utf-8")
    changed = binaries.source_digest(tmp_path)
    (tmp_path / "another.go").write_text("c", encoding="utf-8")
    assert len({before, changed, binaries.source_digest(tmp_path)}) == 3
    (tmp_path / "another.go").unlink()
    (tmp_path / "README.md").write_text("no source", encoding="utf-8")
    assert binaries.source_digest(tmp_path) == changed


def test_the_checksums_of_the_module_hold():
    assert "-mod=readonly" in binaries.kubernetes().arguments(Path("/t"))


def test_the_persons_caches_hold_and_their_flags_do_not():
    environment = {"HOME": "/h", "GOCACHE": "/c", "GOPROXY": "p", "GOFLAGS": "-mod=mod", "GOOS": "plan9"}
    made = binaries.go_environment(environment, Path("/target"))
    assert made["GOCACHE"] == "/c"
    assert made["GOPROXY"] == "p"
    assert made["CGO_ENABLED"] == "0"
    assert made["GOTMPDIR"] == "/target"
    assert not {"GOFLAGS", "GOOS"} & made.keys()


def fake_go(folder: Path, script: str) -> dict[str, str]:
    program = folder / "go"
    program.write_text(f'#!/bin/sh\n[ "$1" = version ] && {{ echo go version go1.26.0 x/y; exit; }}\n{script}\n')
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder)}


BUILD = binaries.Build(name="trial-v1", words="a trial", arguments=lambda target: [str(target)], links=("other",))


def test_a_build_is_kept(tmp_path: Path):
    environment = fake_go(tmp_path, 'echo x >> "$HOME/calls"; touch "$1/climatejobs-node"; mkdir "$1/go-build1"')
    cache = tmp_path / "cache"
    for _ in range(2):
        folder = binaries.ensure(BUILD, cache, environment=environment, console=QUIET)
        assert sorted(path.name for path in folder.iterdir()) == ["climatejobs-node", "other"]
    assert (tmp_path / "calls").read_text() == "x\n"
    assert [path.name for path in (cache / "bin").iterdir()] == ["trial-v1"]


def test_a_failed_build_leaves_only_its_log(tmp_path: Path):
    environment = fake_go(tmp_path, "echo no such module; exit 1")
    with pytest.raises(ClusterError, match="no such module") as failure:
        binaries.ensure(BUILD, tmp_path / "cache", environment=environment, console=QUIET)
    assert [path.name for path in (tmp_path / "cache/bin").iterdir()] == ["trial-v1.log"]
    assert failure.value.log == tmp_path / "cache/bin/trial-v1.log"


def test_an_interrupted_build_ends_with_all_its_children(tmp_path: Path):
    environment = fake_go(tmp_path, 'sleep 61.5 & touch "$HOME/begun"; wait')

    class ImpatientConsole(Console):
        def heartbeat(self, what: str) -> Callable[[], None]:
            del what
            return self.interrupt

        def interrupt(self) -> None:
            if (tmp_path / "begun").exists():
                raise Interrupted(signal.SIGINT)

    with pytest.raises(Interrupted):
        binaries.ensure(BUILD, tmp_path / "cache", environment=environment, console=ImpatientConsole(io.StringIO()))
    for process in find_by_words("sleep", "61.5"):
        # It has been killed already: this signal ends nothing, and only the waiting counts.
        assert end(process, seconds=5, number=signal.SIGCHLD)
    assert not list((tmp_path / "cache/bin").glob(".*"))


def test_what_a_killed_build_left_is_removed_by_the_next(tmp_path: Path):
    leftover = tmp_path / "cache/bin/.building-old"
    leftover.mkdir(parents=True)
    environment = fake_go(tmp_path, 'touch "$1/climatejobs-node"')
    binaries.ensure(BUILD, tmp_path / "cache", environment=environment, console=QUIET)
    assert not leftover.exists()
