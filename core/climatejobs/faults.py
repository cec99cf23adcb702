"""What is wrong with one value, in words for people: pydantic's own are for those who write programs."""

import re
from collections.abc import Mapping
from typing import Any

_LONGEST_QUOTE = 100
_EXPECTED: Mapping[str, str] = {
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "string_type": "a text",
    "list_type": "an array",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
_BOUNDS: Mapping[str, tuple[str, str]] = {
    "greater_than_equal": ("at least {}", "ge"),
    "less_than_equal": ("at most {}", "le"),
    "literal_error": ("{}", "expected"),
}
_LENGTHS: Mapping[str, tuple[str, str]] = {
    "too_short": ("at least {} items", "min_length"),
    "too_long": ("at most {} items", "max_length"),
    "string_too_short": ("at least {} characters", "min_length"),
    "string_too_long": ("at most {} characters", "max_length"),
}


def describe_fault(details: Mapping[str, Any], forms: Mapping[str, str]) -> str:
    """One error of pydantic as what is expected and what was given; `forms` has words for patterns."""
    kind, given, context = details["type"], quote(details["input"]), details.get("ctx", {})
    if kind in _EXPECTED:
        return f"must be {_EXPECTED[kind]}, not {given}"
    if kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        return f"must be {words.format(context[name])}, not {given}"
    if kind in _LENGTHS:
        words, name = _LENGTHS[kind]
        return f"must have {words.format(context[name])}"
    if kind == "string_pattern_mismatch" and context["pattern"] in forms:
        return f"must be {forms[context['pattern']]}, not {given}"
    message = re.sub("^Value error, ", "", str(details["msg"]))
    return message[:1].lower() + message[1:]


def quote(value: object) -> str:
    """A value of JSON as it can be repeated in a message: cut where it is long, named where it is made of others."""
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    words = repr(value)
    return words if len(words) <= _LONGEST_QUOTE else f"{words[: _LONGEST_QUOTE - 3]}..."
