"""How this process fares, leading or not: what the probes answer."""

from collections.abc import Mapping
from dataclasses import dataclass

from climatejobs_operator.election import Election
from climatejobs_operator.pulse import Pulse

ELECTION_SECONDS = 60.0


@dataclass
class Health:
    """The election that goes on all the time, and the pulse of the work while this process leads."""

    election: Election
    pulse: Pulse | None = None

    def find_trouble(self) -> str | None:
        """What is wrong, in a sentence; None where nothing is. To stand by is no trouble."""
        idle = self.election.idle_seconds
        if idle > ELECTION_SECONDS:
            return f"the election is stuck: nothing was done for it for {idle:.0f} s"
        return self.pulse.find_trouble() if self.pulse is not None else None

    def describe(self) -> Mapping[str, int | bool]:
        """Figures for whoever looks at /healthz."""
        leading = self.election.leading
        return {"leading": leading} if self.pulse is None else {"leading": leading, **self.pulse.describe()}
