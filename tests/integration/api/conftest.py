"""The real API as a process of its own, against the real API server; the test plays the operator."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import pytest

from tests.cluster_objects import wait_until
from tests.integration.conftest import ControlPlane


class Replica:
    """One running `climatejobs-api`."""

    def __init__(self, kubeconfig: Path, namespace: str, folder: Path, **settings: object) -> None:
        self._environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "TMPDIR": str(folder),  # one that is killed leaves files of its own
            "CLIMATEJOBS_NAMESPACE": namespace,
            "CLIMATEJOBS_API_HOST": "127.0.0.1",
            "CLIMATEJOBS_API_PORT": "0",
            "CLIMATEJOBS_API_DATA": str(folder),
            "CLIMATEJOBS_API_LOG_FORMAT": "text",
            **{f"CLIMATEJOBS_API_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self.log = folder / f"api-{id(self)}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._client: httpx.Client | None = None

    @property
    def http(self) -> httpx.Client:
        assert self._client is not None, "the replica does not run"
        return self._client

    @property
    def url(self) -> str:
        return str(self.http.base_url).rstrip("/")

    @property
    def open_files(self) -> int:
        """How many files and connections the process holds."""
        assert self._process is not None
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", "from climatejobs_api.main import main; main()"],
                env=self._environment,
                stderr=log,
            )
        try:
            address = wait_until(self._address, "the API to listen", 60, self.log.read_text)
            self._client = httpx.Client(base_url=address, timeout=30)
            wait_until(
                lambda: self.http.get("/readyz").status_code == 200, "the API to be ready", 60, self.log.read_text
            )
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.http.close()
        self.stop()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the process; gives its exit status."""
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(30)

    def _address(self) -> str | None:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        found = [line for line in self.log.read_text().splitlines() if "running on http://" in line]
        return found[0].split("running on ", 1)[1].split()[0] if found else None

    def submit(self, **inputs: Any) -> str:
        """Submit an `echo` job and give its id."""
        response = self.http.post(
            "/processes/echo/execution",
            json={"inputs": {"message": "hello", **inputs}},
            headers={"Prefer": "respond-async"},
        )
        assert response.status_code == 202, response.text
        return response.json()["jobID"]

    def ids(self) -> list[str]:
        """Ids of all jobs in the order of the list, read page by page."""
        found: list[str] = []
        href: str | None = "/jobs?limit=20"
        while href:
            page = self.http.get(href).json()
            found += [job["jobID"] for job in page["jobs"]]
            href = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
        return found


type StartReplica = Callable[..., Replica]


@pytest.fixture
def start(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> StartReplica:
    def make(**settings: object) -> Replica:
        return Replica(control_plane.kubeconfig, namespace, tmp_path, **settings)

    return make


@pytest.fixture
def api(start: StartReplica) -> Iterator[Replica]:
    with start() as replica:
        yield replica
