"""A result as it lies on disk opens over plain HTTP, in few requests and without complaints."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from tests.integration.runner.conftest import Runner, open_zarr, weather, write_netcdf


class Handler(SimpleHTTPRequestHandler):
    """Serves files, lists no folders, and keeps the paths it was asked for."""

    asked: list[str]

    def __init__(self, asked: list[str], *arguments: object, **options: object) -> None:
        self.asked = asked
        super().__init__(*arguments, **options)  # pyright: ignore[reportArgumentType] - passed on as they come

    def do_GET(self) -> None:
        """Answer with a file."""
        self.asked.append(self.path)
        super().do_GET()

    def list_directory(self, path: object) -> None:
        """Refuse to list folders, as the API does."""
        del path
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Stay quiet."""


@pytest.fixture
def served(runner: Runner) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, asked, directory=str(runner.data)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_result_opens_over_http(runner: Runner, tmp_path: Path, served: tuple[str, list[str]]) -> None:
    address, asked = served
    runner.bring(write_netcdf(tmp_path / "t2m.nc", weather(480), np.arange(480)), "source")
    dataset = runner.resample("source", "1D").dataset
    over_http = open_zarr(f"{address}/{dataset['store']}")
    assert over_http.identical(runner.open(dataset))
    chunks = [path for path in asked if "/c/" in path]
    assert len(asked) - len(chunks) <= 4, asked
    assert len(set(chunks)) == 5, chunks
