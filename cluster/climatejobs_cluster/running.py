"""What the supervisor inside a node reports about its components, read from outside."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import cast

REPORT = "running.json"


@dataclass(frozen=True)
class Running:
    """A component as the supervisor knows it: `pid` is its process within the node, if it runs."""

    pid: int | None = None
    restarts: int = 0
    last_end: str = ""

    @property
    def detail(self) -> str:
        if self.pid is None:
            return "not running"
        times = "once" if self.restarts == 1 else f"{self.restarts} times"
        return f"pid {self.pid} in the node" + (f", restarted {times}" if self.restarts else "")

    def problem(self, answer: str | None) -> str | None:
        """Why it cannot be used: what its end was says more than that it does not answer."""
        if self.pid is None and self.last_end:
            return f"it ended with {self.last_end}"
        return answer


def read(folder: Path) -> dict[str, Running]:
    """Component -> what is known of it; empty before the first report."""
    try:
        text = (folder / REPORT).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    report = cast(dict[str, dict[str, object]], json.loads(text))
    return {
        name: Running(
            pid=cast(int | None, item["pid"]),
            restarts=cast(int, item["restarts"]),
            last_end=str(item["last_end"]),
        )
        for name, item in report.items()
    }
