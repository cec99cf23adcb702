"""What the tests of the requirements send, and how they read what comes back."""

import asyncio
from email import message_from_bytes
from email.message import Message
from typing import Any

import httpx

from tests.unit.api.conftest import until
from tests.unit.api.memory_jobs import MemoryJobs

ECHO = {"inputs": {"message": "hello", "numbers": [1, 2]}}
ECHOED = {"message": "hello", "numbers": [1, 2]}
ASYNC = {"Prefer": "respond-async"}
EXECUTION = "/processes/echo/execution"
RELATION = "http://www.opengis.net/def/rel/ogc/1.0/"


def rels(body: dict[str, Any]) -> dict[str, str]:
    return {link["rel"]: link["href"] for link in body["links"]}


def parts_of(response: httpx.Response) -> list[Message]:
    head = f"Content-Type: {response.headers['content-type']}\r\n\r\n".encode()
    whole = message_from_bytes(head + response.content)
    return [part for part in whole.walk() if part is not whole]


async def run(api: httpx.AsyncClient, jobs: MemoryJobs, body: dict[str, Any], **headers: str) -> httpx.Response:
    """Execute and wait, with the job succeeding meanwhile."""
    before = set(jobs.names())
    request = asyncio.create_task(api.post(EXECUTION, json=body, headers=headers))
    await until(lambda: request.done() or set(jobs.names()) - before)
    for name in set(jobs.names()) - before:
        jobs.succeed(name, **ECHOED)
    return await request


async def submit(api: httpx.AsyncClient) -> str:
    return (await api.post(EXECUTION, json=ECHO, headers=ASYNC)).json()["jobID"]
