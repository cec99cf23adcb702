"""What the cluster's own events say of an object: the latest warning, if it is news."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from climatejobs.model import KubernetesModel, Time
from climatejobs_operator.observation import ClusterWarning

STALE_AFTER = timedelta(minutes=8)
"""Older warnings are of something that is over: what fails is tried again every two minutes at least, and a component
that has told of an object 25 times may tell again every five minutes."""


class WarningEvent(KubernetesModel):
    """An event of the core group, of which any time may be missing."""

    reason: str = ""
    message: str = ""
    last_timestamp: Time | None = None
    event_time: Time | None = None

    @property
    def time(self) -> datetime | None:
        """When it was last seen."""
        return self.last_timestamp or self.event_time


def find_latest(events: Sequence[WarningEvent], now: datetime) -> ClusterWarning | None:
    """The latest of the warnings that are not stale."""
    fresh = [(event.time, event) for event in events if event.time is not None and now - event.time < STALE_AFTER]
    if not fresh:
        return None
    _, latest = max(fresh, key=lambda pair: pair[0])
    return ClusterWarning(latest.reason, latest.message)
