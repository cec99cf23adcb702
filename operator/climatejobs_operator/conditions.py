"""The conditions that follow from the phase; a transition time is kept while the status stays the same."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from climatejobs.model import ClimateJobStatus, Condition, Phase
from climatejobs_operator.error_details import shorten

type ConditionType = Literal["Complete", "Failed", "Suspended", "Finished"]


def derive_conditions(
    status: ClimateJobStatus, previous: Sequence[Condition], generation: int, now: datetime
) -> list[Condition]:
    """Complete, Failed, Suspended and Finished of a status, in that order."""
    phase = status.phase or Phase.PENDING
    known = {condition.type: condition for condition in previous}
    truths: tuple[tuple[ConditionType, bool], ...] = (
        ("Complete", phase is Phase.SUCCEEDED),
        ("Failed", phase is Phase.FAILED),
        ("Suspended", phase is Phase.SUSPENDED),
        ("Finished", phase.terminal),
    )
    conditions: list[Condition] = []
    for type_, holds in truths:
        value = "True" if holds else "False"
        before = known.get(type_)
        unchanged = before is not None and before.status == value
        conditions.append(
            Condition(
                type=type_,
                status=value,
                reason=phase.value,
                message=shorten(status.message or "", 256) if holds else "",
                last_transition_time=before.last_transition_time if before is not None and unchanged else now,
                observed_generation=generation,
            )
        )
    return conditions
