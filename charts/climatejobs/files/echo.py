"""The release's test: an `echo` job over REST, from its submission to its result.

Where callers are authenticated this has no token, and finds that nothing happens without one.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

API = os.environ["API"]
PATIENCE_SECONDS = 120
MESSAGE = "hello from helm test"


def refuses(path: str) -> bool:
    try:
        urllib.request.urlopen(API + path, timeout=30).close()  # noqa: S310  # the release's own service
    except urllib.error.HTTPError as error:
        return error.code == 401
    return False


def ask(method: str, path: str, body: object = None) -> dict[str, object]:
    headers = {"Accept": "application/json", "Content-Type": "application/json", "Prefer": "respond-async"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(API + path, data=data, headers=headers, method=method)  # noqa: S310  # as above
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # as above
            return json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(f"{method} {path} answered {error.code}: {error.read().decode(errors='replace')}")
    except urllib.error.URLError as error:
        sys.exit(f"{API} cannot be reached: {error.reason}")


if os.environ["AUTH_MODE"] != "none":
    ask("GET", "/conformance")
    sys.exit(0 if refuses("/jobs") else "GET /jobs is answered to a caller without a token")

job = ask("POST", "/processes/echo/execution", {"inputs": {"message": MESSAGE}, "response": "document"})
path = f"/jobs/{job['jobID']}"
print(f"submitted {path}", flush=True)
deadline = time.monotonic() + PATIENCE_SECONDS
while job["status"] in ("accepted", "running"):
    if time.monotonic() > deadline:
        sys.exit(f"it has not ended within {PATIENCE_SECONDS} s: {json.dumps(job)}")
    time.sleep(0.5)
    job = ask("GET", path)
print(f"it ended as {job['status']}", flush=True)
if job["status"] != "successful":
    sys.exit(json.dumps(job))
results = ask("GET", f"{path}/results")
if results.get("message") != MESSAGE:
    sys.exit(f"its result is not what was asked for: {json.dumps(results)}")
ask("DELETE", path)
