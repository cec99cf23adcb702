"""Whether the operator still hears and works: what /healthz answers.

A watch can go silent without an error. What shows it at once is an echo that does not come: every write of ours must
return over the watch within moments. Where nothing is written, its stream shows it after a while.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from climatejobs_operator.streams import Streams
from climatejobs_operator.workqueue import WorkQueue

ECHO_SECONDS = 60.0
QUEUE_SECONDS = 180.0


@dataclass(frozen=True)
class _Expected:
    version: int
    since: float


@dataclass
class Pulse:
    """Writes whose echo is awaited, the streams of the watches, and the age of the queue."""

    queue: WorkQueue
    clock: Callable[[], float]
    """Seconds, monotonic."""
    streams: Streams = field(init=False)
    _expected: dict[tuple[str, str], _Expected] = field(default_factory=dict[tuple[str, str], _Expected], init=False)
    _heard: dict[str, int] = field(default_factory=dict[str, int], init=False)
    """The latest version of each kind that a watch has brought."""

    def __post_init__(self) -> None:
        self.streams = Streams(self.clock)

    def expect(self, kind: str, name: str, version: int) -> None:
        """An object was written; the watch of its kind has to bring this version or a later one.

        An echo may be here before the answer to the write: what the watch has come past is not waited for.
        """
        if version <= self._heard.get(kind, 0):
            return
        waiting = self._expected.get((kind, name))
        since = waiting.since if waiting is not None else self.clock()
        self._expected[kind, name] = _Expected(version, since)

    def hear(self, kind: str, name: str, version: int) -> None:
        """The watch has brought a version of an object."""
        self._heard[kind] = max(version, self._heard.get(kind, 0))
        waiting = self._expected.get((kind, name))
        if waiting is not None and version >= waiting.version:
            del self._expected[kind, name]

    def find_trouble(self) -> str | None:
        """What is wrong, in a sentence; None where nothing is."""
        now = self.clock()
        overdue = [key for key, waiting in self._expected.items() if now - waiting.since > ECHO_SECONDS]
        if overdue:
            kind, name = overdue[0]
            return f"the watch of {kind} is silent: a write to {name} has not come back in {ECHO_SECONDS:.0f} s"
        trouble = self.streams.find_trouble()
        if trouble is not None:
            return trouble
        age = self.queue.oldest_seconds()
        if age > QUEUE_SECONDS:
            return f"the work queue is stuck: a job has been in it for {age:.0f} s"
        return None

    def describe(self) -> Mapping[str, int]:
        """Figures for whoever looks at /healthz."""
        silent = self.streams.silent_seconds()
        return {"queued": len(self.queue), "unheardWrites": len(self._expected), "silentSeconds": silent}
