"""Everything the operator may do to the cluster besides writing a status: a small closed union.

Actions of one plan are carried out in order; the first that fails ends the plan, and the job is looked at again.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class CreateJob:
    """Make the Job, when `attempts_before` attempts are spent and `deadline_seconds` are left for the rest."""

    attempts_before: int
    deadline_seconds: int


@dataclass(frozen=True)
class DeleteJob:
    """Delete this very Job (by uid), and its pods in the background."""

    name: str
    uid: str


@dataclass(frozen=True)
class SuspendJob:
    """Stop the pods of a Job that is still at `version`, and keep `deadline_seconds` for when it is resumed."""

    name: str
    version: str
    deadline_seconds: int | None


@dataclass(frozen=True)
class ResumeJob:
    """Let a Job that is still at `version` have pods again."""

    name: str
    version: str


@dataclass(frozen=True)
class DeletePod:
    """Delete this very pod (by uid)."""

    name: str
    uid: str


@dataclass(frozen=True)
class AbandonPod:
    """Give up on a pod whose node does not confirm its end: call it failed, then have it deleted at once.

    Deleting alone would not do: the Job controller keeps a pod until it is known to have ended.
    """

    name: str
    uid: str
    node: str


@dataclass(frozen=True)
class DeleteClimateJob:
    """Delete this very ClimateJob, which has ended, if it is still at `version`; its Job and pods go along."""

    name: str
    uid: str
    version: str


@dataclass(frozen=True)
class ConfirmGone:
    """Ask the API server, not the cache, that no pod of the ClimateJob runs; if one does, the plan is off."""

    uid: str


@dataclass(frozen=True)
class LookAgain:
    """Ask the API server, not the cache, how the pods of the ClimateJob are; if there is news, the plan is off."""

    uid: str


type Action = (
    CreateJob | DeleteJob | SuspendJob | ResumeJob | DeletePod | AbandonPod | DeleteClimateJob | ConfirmGone | LookAgain
)
