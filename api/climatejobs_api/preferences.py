"""The `Prefer` header of RFC 7240, and what an execution makes of it."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

_PREFERENCE = re.compile(
    r"""\s*(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)
        (?:\s*=\s*(?P<value>"(?:[^"\\]|\\.)*"|[^\s,;"]*))?
        (?P<rest>(?:\s*;(?:[^",]|"(?:[^"\\]|\\.)*")*)?)\s*$""",
    re.VERBOSE,
)
_MEMBER = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*"?)+')
_LONGEST_WAIT = 10**9


@dataclass(frozen=True)
class Preferences:
    """The preferences that mean something here; all others are ignored, as the RFC asks."""

    respond_async: bool = False
    wait: int | None = None
    """Seconds."""


def parse_preferences(lines: Sequence[str]) -> Preferences:
    """Read all `Prefer` header lines as one list; names ignore case and the first of several equal ones counts."""
    found: dict[str, str] = {}
    for member in _MEMBER.findall(",".join(lines)):
        match = _PREFERENCE.match(member)
        if match is not None:
            found.setdefault(match["name"].lower(), _unquote(match["value"] or ""))
    return Preferences(
        respond_async=found.get("respond-async") == "",
        wait=_seconds(found["wait"]) if "wait" in found else None,
    )


def choose_wait(preferences: Preferences, options: Collection[str], *, longest: float) -> float:
    """Seconds to wait for the end of a job before it is answered asynchronously; 0 answers at once."""
    if "sync-execute" not in options:
        return 0
    if preferences.wait is not None:
        return min(preferences.wait, longest)
    if preferences.respond_async and "async-execute" in options:
        return 0
    return longest


def name_applied(preferences: Preferences, *, finished: bool, longest: float) -> str | None:
    """The value of `Preference-Applied`: only what was really honoured."""
    if preferences.wait is not None and finished:
        return f"wait={preferences.wait}"
    if finished:
        return None
    if preferences.respond_async:
        return "respond-async"
    if preferences.wait is not None and preferences.wait <= longest:
        return f"wait={preferences.wait}"
    return None


def _unquote(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _seconds(text: str) -> int | None:
    if re.fullmatch("[0-9]+", text) is None:
        return None
    return int(text) if len(text) < 10 else _LONGEST_WAIT
