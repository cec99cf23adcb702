"""The command line of `images/build`."""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from climatejobs_cluster.console import Console
from climatejobs_cluster.errors import ClusterError, Interrupted
from climatejobs_cluster.interrupts import raise_on_signals
from climatejobs_cluster.state import cache_home, locked
from climatejobs_images import docker
from climatejobs_images.buildah import BuildahEngine
from climatejobs_images.docker import DockerEngine
from climatejobs_images.engine import Engine, Workplace
from climatejobs_images.parts import Part, parts
from climatejobs_images.shelf import Image, Shelf


def main(arguments: Sequence[str]) -> int:
    """Build what has changed; exit status 0 if all images are there."""
    options = _parser().parse_args(arguments)
    console = Console(sys.stderr if options.json else None)
    raise_on_signals()
    try:
        images = build(os.environ, console)
    except ClusterError as error:
        sys.stdout.flush()
        lines = [f"error: {error}", error.hint, f"The log is {error.log}" if error.log else None]
        print("\n".join(line for line in lines if line), file=sys.stderr)
        return error.exit_status
    except Interrupted as interruption:
        print(f"images/build: {interruption}", file=sys.stderr)
        return interruption.exit_status
    if options.json:
        print(json.dumps({name: asdict(image) for name, image in images.items()}, indent=2))
    else:
        for name, image in images.items():
            console.say(f"{name:<9} {image.bytes / 1e6:4.0f} MB  {image.reference}")
    return 0


def build(environment: Mapping[str, str], console: Console) -> dict[str, Image]:
    """All images by part, those that are not there built now."""
    engine: Engine = DockerEngine() if docker.is_running(environment) else BuildahEngine()
    workplace = Workplace(cache_home(environment) / "images", environment, console)
    shelf = Shelf(workplace.folder)
    wanted = parts(engine.base)
    if not _missing(shelf, wanted):
        console.say("the images are up to date")
    else:
        with locked(workplace.folder / ".lock", console=console, what="building images"):
            if missing := _missing(shelf, wanted):
                _build(engine, workplace, shelf, missing)
    return {part.name: image for part in wanted if (image := shelf.find(part)) is not None}


def _missing(shelf: Shelf, wanted: Sequence[Part]) -> list[Part]:
    return [part for part in wanted if shelf.find(part) is None]


def _build(engine: Engine, workplace: Workplace, shelf: Shelf, missing: Sequence[Part]) -> None:
    with engine.session(workplace) as session:
        for part in missing:
            workplace.console.say(f"building {part.reference}")
            archive = shelf.archive(part)
            archive.unlink(missing_ok=True)
            session.build(part, archive)
            if part not in parts(engine.base):
                raise ClusterError(
                    f"The sources of the {part.name} image changed while it was built.", hint="Run images/build again."
                )
            shelf.add(part)
            for reference in shelf.forget_old(part):
                session.forget(reference)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="images/build", description="Builds the images whose sources have changed; all of them the first time."
    )
    parser.add_argument("--json", action="store_true", help="print name, archive and size of each image as JSON")
    return parser
