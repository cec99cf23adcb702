"""When a client that asks again and again should do so."""

import math
from datetime import datetime

from climatejobs.model import ClimateJob

POLL_SECONDS = 2


def retry_after(job: ClimateJob, now: datetime) -> dict[str, str]:
    """The header that says in how many seconds to look at a live job again; none for one that has ended."""
    if job.phase.terminal:
        return {}
    if job.status.retry_at is None:
        return {"Retry-After": str(POLL_SECONDS)}
    return {"Retry-After": str(min(max(math.ceil((job.status.retry_at - now).total_seconds()), POLL_SECONDS), 60))}
