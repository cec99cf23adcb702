"""The way to the operator: progress while the work goes on, and the result as soon as it is published.

Nothing here can hurt the work. Progress is sent by a thread of its own, and what cannot be sent is dropped; the
result is sent again for a few seconds, and lies in the result document in any case.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from pydantic import JsonValue

from climatejobs.model import Progress
from climatejobs.names import Environment

INTERVAL_SECONDS = 1.0
"""Between two reports of progress, and before the first: who is done by then reports the result alone."""
PROGRESS_SECONDS = 2.0
"""For one report of progress."""
RESULT_SECONDS = 5.0
"""For all attempts to report the result together."""
PAUSE_SECONDS = 0.3
"""Between two such attempts."""
TAKEN = 204
ASK_AGAIN = 503


@dataclass(frozen=True)
class Operator:
    """Where reports go, and the file with the token that says whose they are."""

    url: str
    token_file: Path

    def send(self, body: Mapping[str, JsonValue], seconds: float) -> tuple[int, str]:
        """Post one report; the HTTP status and what was said. Raises `OSError` or `HTTPException`."""
        from http.client import HTTPConnection  # noqa: PLC0415 - slow to load, and needed in a pod alone
        from urllib.parse import urlsplit  # noqa: PLC0415 - as above

        place = urlsplit(self.url)
        connection = HTTPConnection(place.hostname or "", place.port, timeout=seconds)
        try:
            # Read each time: the kubelet replaces it while the pod lives.
            token = self.token_file.read_text(encoding="ascii").strip()
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            connection.request("POST", place.path, json.dumps(body, separators=(",", ":")), headers)
            response = connection.getresponse()
            return response.status, response.read(1024).decode(errors="replace")
        finally:
            connection.close()


@dataclass
class Channel:
    """Reports of one attempt; also a sink for its progress."""

    operator: Operator
    clock: Callable[[], float] = time.monotonic
    _latest: Progress | None = field(default=None, init=False)
    _news: threading.Condition = field(default_factory=threading.Condition, init=False)
    _closed: bool = field(default=False, init=False)
    _refused: bool = field(default=False, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()

    @classmethod
    def find(cls, environment: Mapping[str, str]) -> Self | None:
        """The channel that the environment names; None on a laptop, or where reports are switched off."""
        url, token = environment.get(Environment.REPORT_URL), environment.get(Environment.REPORT_TOKEN)
        return cls(Operator(url, Path(token))) if url and token else None

    def report(self, progress: Progress) -> None:
        """Have progress sent, soon; a later report takes its place."""
        with self._news:
            if self._closed:
                return
            self._latest = progress
            self._news.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._send_progress, name="reports", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Send no more progress."""
        with self._news:
            self._closed = True
            self._news.notify()

    def finish(self) -> None:
        """Send the last progress if it has not been, once: of work that is shared, the others report the result."""
        with self._news:
            progress, self._latest = self._latest, None
        self.close()
        if self._thread is not None:
            self._thread.join(PROGRESS_SECONDS)
        if progress is not None and not self._refused:
            self._try({"progress": progress.to_manifest()}, PROGRESS_SECONDS)

    def deliver(self, outputs: Mapping[str, JsonValue]) -> bool:
        """Report the result; whether it was taken. Gives up after a few seconds, or as soon as it is refused."""
        self.close()
        body: dict[str, JsonValue] = {"outputs": dict(outputs), "seconds": round(self.clock() - self._began, 3)}
        until = self.clock() + RESULT_SECONDS
        while True:
            status, said = self._try(body, max(0.1, until - self.clock()))
            if status == TAKEN:
                return True
            if status not in (None, ASK_AGAIN) or self.clock() + PAUSE_SECONDS >= until:
                _log(f"The operator did not take the result, and will find it when the pod has ended: {said}")
                return False
            time.sleep(PAUSE_SECONDS)

    def _send_progress(self) -> None:
        due = self._began + INTERVAL_SECONDS
        failing = False
        while True:
            with self._news:
                while (progress := self._latest) is None or self.clock() < due:
                    if self._closed:
                        return
                    self._news.wait(None if progress is None else max(0.0, due - self.clock()))
                self._latest = None
                if self._closed:
                    return
            status, said = self._try({"progress": progress.to_manifest()}, PROGRESS_SECONDS)
            due = self.clock() + INTERVAL_SECONDS
            if status not in (None, TAKEN, ASK_AGAIN):
                self._refused = True
                _log(f"The operator takes no reports of progress: {said}")
                return
            if status != TAKEN and not failing:
                _log(f"The operator cannot be told of progress for now: {said}")
            failing = status != TAKEN

    def _try(self, body: Mapping[str, JsonValue], seconds: float) -> tuple[int | None, str]:
        """Status and words of the answer; no status where there was none."""
        from http.client import HTTPException  # noqa: PLC0415 - as above

        try:
            return self.operator.send(body, seconds)
        except (OSError, HTTPException, ValueError) as error:
            return None, str(error) or type(error).__name__


def _log(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
