"""One attempt at a job: who it is, where the data lie, and how it reports. The same on a laptop and in a pod."""

import re
from dataclasses import dataclass

from climatejobs.errors import InvalidInput
from climatejobs_runner.data_root import DataRoot
from climatejobs_runner.reports import Tracker
from climatejobs_runner.shards import ALONE, Shard
from climatejobs_runner.stopping import Stop


@dataclass(frozen=True)
class Attempt:
    """What every process gets beside its inputs."""

    data: DataRoot
    job_uid: str
    """The same for every attempt at a job."""
    pod_uid: str
    """Different for every attempt."""
    stop: Stop
    progress: Tracker
    image: str | None = None
    memory_limit: int | None = None
    """Bytes of memory this attempt may use; None where nothing limits it."""
    shard: Shard = ALONE
    """Which part of the computation is its own."""

    def __post_init__(self) -> None:
        for uid in (self.job_uid, self.pod_uid):
            if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}", uid) is None:
                raise InvalidInput(
                    f"{uid!r} cannot be the uid of a job or pod", hint="A uid has letters, digits and '-'."
                )

    @property
    def short_uid(self) -> str:
        """What the versions are called after that this job makes anew."""
        return self.job_uid.replace("-", "")[:8].lower()
