"""A real object store on this machine: a gateway that speaks S3 over a folder of its own."""

import os
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from climatejobs_cluster import binaries
from climatejobs_cluster.console import Console
from climatejobs_cluster.errors import ClusterError
from climatejobs_cluster.state import cache_home

BUCKET = "climate"
KEY, SECRET = "test-key", "test-secret"
_START_SECONDS = 30


@dataclass(frozen=True)
class ObjectStore:
    """A server with one bucket."""

    endpoint: str
    folder: Path
    """Where the objects of the bucket lie, as files of the same names."""

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to know."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }


def build_gateway() -> Path:
    """The program; skips the test where it can neither be found nor built."""
    try:
        folder = binaries.ensure(binaries.VERSITYGW, cache_home(os.environ), environment=os.environ, console=Console())
    except ClusterError as error:
        pytest.skip(f"no object store to test with: {error}")
    return folder / "versitygw"


@contextmanager
def serve_objects(folder: Path, host: str = "127.0.0.1") -> Generator[ObjectStore]:
    """Serve a bucket whose objects lie in a new folder."""
    bucket = folder / BUCKET
    bucket.mkdir(parents=True)
    program = build_gateway()
    with socket.socket() as free:
        free.bind((host, 0))
        port = free.getsockname()[1]
    with (folder.parent / f"{folder.name}.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "--port", f"{host}:{port}", "--quiet", "posix", folder],
            env={**os.environ, "ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET},
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for(host, port, process)
        yield ObjectStore(f"http://{host}:{port}", bucket)
    finally:
        process.terminate()
        process.wait()


def _wait_for(host: str, port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            assert process.poll() is None, "the object store has ended"
            assert time.monotonic() < deadline, "the object store does not answer"
            time.sleep(0.05)
        else:
            return
