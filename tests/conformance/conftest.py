"""The application in strict mode over ASGI, as the standard's own tests would meet it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from climatejobs_api.settings import Settings
from tests.unit.api.conftest import open_client
from tests.unit.api.memory_jobs import MemoryJobs


@pytest.fixture
def jobs() -> MemoryJobs:
    return MemoryJobs()


@pytest.fixture
async def api(jobs: MemoryJobs, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(data=tmp_path, strict=True, sync_wait_seconds=5, cors_origins=["*"])
    async with open_client(settings, jobs) as client:
        yield client
