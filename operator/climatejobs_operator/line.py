"""What a job without a slot is told of its place in line, and how often."""

from datetime import datetime, timedelta

from climatejobs.model import ClimateJobStatus
from climatejobs.names import IN_LINE, Reason
from climatejobs_operator.observation import Decision, Place

ANNOUNCEMENT_PAUSE = timedelta(seconds=60)
"""Between two words to a waiting job on its place in line, and from its coming among the first to the next word.

A line of thousands must not become thousands of writes, and where it moves fast, a job starts before it need be told.
"""


def plan_waiting(waiting: ClimateJobStatus, said: ClimateJobStatus, place: Place, now: datetime) -> Decision:
    """A job without a slot; `said` is its status so far."""
    due = None if place.near_since is None else place.near_since + ANNOUNCEMENT_PAUSE
    told = said.phase is waiting.phase and said.message is not None and said.message.startswith(IN_LINE)
    if told and (due is None or now < due):
        kept = waiting.model_copy(update={"message": said.message})
        return Decision(kept, Reason.QUEUED, wake_at=due)
    message = f"{IN_LINE}{place.number}."
    wake_at = None if due is None else now + ANNOUNCEMENT_PAUSE
    return Decision(waiting.model_copy(update={"message": message}), Reason.QUEUED, wake_at=wake_at)
