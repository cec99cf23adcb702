"""Objects that cannot be read."""

import logging

from pydantic import ValidationError

from climatejobs_operator.logs import fields

logger = logging.getLogger(__name__)


def describe(error: ValidationError) -> str:
    """What is wrong with an object and where, in a line."""
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors(include_url=False)
    )


def leave_out(plural: str, name: str, fault: str) -> None:
    """Tell that one object is left out of account: it must not keep the news of the others away."""
    logger.error(
        "One of the %s cannot be read, and is left out of account until it is mended or deleted: %s",
        plural,
        fault,
        extra=fields(object=name),
    )
