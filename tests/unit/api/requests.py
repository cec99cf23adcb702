"""What tests send to the API, and what they expect of every problem that comes back."""

from typing import Any

import httpx

ECHO = {"inputs": {"message": "hello"}}
ASYNC = {"Prefer": "respond-async"}


async def submit(client: httpx.AsyncClient, process: str = "echo", **body: Any) -> str:
    response = await client.post(f"/processes/{process}/execution", json=body or ECHO, headers=ASYNC)
    assert response.status_code == 202, response.text
    return response.json()["jobID"]


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert {"type", "title", "detail", "instance"} <= body.keys()
    assert "Traceback" not in response.text
    return body
