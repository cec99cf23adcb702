"""The real application over ASGI, with jobs in memory and data in a temporary folder."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from climatejobs_api.app import create_app
from climatejobs_api.settings import Settings
from tests.unit.api.memory_jobs import MemoryJobs

BASE = "http://api.test"


@pytest.fixture
def jobs() -> MemoryJobs:
    return MemoryJobs()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def settings(data: Path) -> Settings:
    return Settings(data=data, sync_wait_seconds=5)


@pytest.fixture
async def client(settings: Settings, jobs: MemoryJobs) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(settings, jobs) as opened:
        yield opened


async def until(condition: Callable[[], object]) -> None:
    """Return as soon as the condition holds; TimeoutError after five seconds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # what is waited for has no event of its own
            await asyncio.sleep(0.001)


def open_client(settings: Settings, jobs: MemoryJobs) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(create_app(settings, jobs)), base_url=BASE)
