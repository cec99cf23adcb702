"""The errors only the operator meets, in the form in which they travel: what happened, and what to do."""

from climatejobs.errors import TYPE_PREFIX
from climatejobs.model import ErrorDetail

MAX_DETAIL = 2048


def make_error(
    slug: str,
    title: str,
    detail: str,
    *,
    hint: str | None = None,
    exit_code: int | None = None,
    attempt: int | None = None,
) -> ErrorDetail:
    """An error of the kind `slug`, its detail cut to what a status holds."""
    return ErrorDetail(
        type=TYPE_PREFIX + slug,
        title=title,
        detail=shorten(detail, MAX_DETAIL),
        hint=hint,
        exit_code=exit_code,
        attempt=attempt,
    )


def shorten(text: str, length: int) -> str:
    """The text, cut to at most `length` characters with a sign that it was."""
    return text if len(text) <= length else text[: length - 1] + "…"
